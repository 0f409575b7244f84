// Lets tasks of one loop go one after another.
#pragma once

#include <list>
#include <optional>
#include <utility>

#include "common/async.hpp"

namespace trimtab {

class AsyncMutex {
 public:
  explicit AsyncMutex(asio::any_io_executor executor) : executor_(std::move(executor)) {}

  // Gives the turn back when destroyed.
  class Guard {
   public:
    explicit Guard(AsyncMutex* turn) : turn_(turn) {}
    Guard(Guard&& other) noexcept : turn_(std::exchange(other.turn_, nullptr)) {}
    Guard& operator=(Guard&&) = delete;
    ~Guard() {
      if (turn_ != nullptr) turn_->release();
    }

   private:
    AsyncMutex* turn_;
  };

  // First come, first served.
  Task<Guard> lock() {
    if (taken_) {
      Waiter place(*this);
      while (!place.granted) co_await place.woken.wait();
      place.granted = false;  // from here on it is the holder's
    }
    taken_ = true;
    co_return Guard(this);
  }

  // The turn, if nobody has it.
  std::optional<Guard> try_lock() {
    if (taken_) return std::nullopt;
    taken_ = true;
    return Guard(this);
  }

  [[nodiscard]] bool taken() const { return taken_; }

 private:
  // In the queue. A task that is cancelled leaves it, and passes on a turn that it got meanwhile.
  struct Waiter {
    explicit Waiter(AsyncMutex& of) : turn(of), woken(of.executor_) {
      turn.waiting_.push_back(this);
    }
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    ~Waiter() {
      turn.waiting_.remove(this);
      if (granted) turn.release();
    }
    AsyncMutex& turn;
    WakeEvent woken;
    bool granted = false;
  };

  // The turn stays taken on its way to the next, so that nobody comes in between.
  void release() {
    taken_ = !waiting_.empty();
    if (!taken_) return;
    Waiter* const next = waiting_.front();
    waiting_.pop_front();
    next->granted = true;
    next->woken.notify();
  }

  asio::any_io_executor executor_;
  std::list<Waiter*> waiting_;
  bool taken_ = false;
};

}  // namespace trimtab
