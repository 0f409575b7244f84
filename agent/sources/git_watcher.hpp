// Polls the remote for the ref's commit and stores the result as a fact.
#pragma once

#include <functional>

#include "agent/git/git.hpp"
#include "agent/model/facts.hpp"
#include "common/async.hpp"

namespace trimtab {

class GitWatcher {
 public:
  // `fact` and `git` must outlive this object. Calls `asked` after each answer or error, and says
  // whether it is news.
  GitWatcher(asio::any_io_executor executor, RefSource& remote, std::chrono::milliseconds interval,
             Fact<RefTip>& fact, std::function<void(bool is_news)> asked);
  Task<void> run();
  // Polls immediately instead of at the next interval.
  void poll_now() { wake_.notify(); }
  // When the next poll is due, or when the current one began.
  [[nodiscard]] SteadyClock::time_point next_poll_at() const { return next_poll_at_; }

 private:
  RefSource& remote_;
  std::chrono::milliseconds interval_;
  Fact<RefTip>& fact_;
  std::function<void(bool is_news)> asked_;
  WakeEvent wake_;
  SteadyClock::time_point next_poll_at_ = SteadyClock::now();
};

}  // namespace trimtab
