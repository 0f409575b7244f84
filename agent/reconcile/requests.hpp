// What operators have asked of a stack, one request at a time. Only what has begun keeps another
// from being taken: of those that have not, the newest is what people want.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "agent/model/facts.hpp"

namespace trimtab {

struct Request {
  enum class Kind { deploy, rollback };
  std::string id;
  Kind kind = Kind::deploy;
  std::string commit;     // of a deploy; "": what the ref points to
  int release = 0;        // of a rollback
  bool is_named = false;  // the release, by the operator; else it is the last good one
};

struct RequestResult {
  std::string id;
  std::string
      outcome;  // in_progress, done, nothing_to_do, rejected, rolled_back, failed, superseded
  std::optional<int> release;
  std::string message;
};

std::string new_request_id();

// The commit that is not deployed by itself once an operator has asked for another: where the ref
// points, also as it did before the remote went away. Where that was never known, what is deployed
// is what it pointed to last. "": none is to be held. Pure.
std::string commit_to_hold(const std::string& asked_for, const Fact<RefTip>& tip,
                           const std::string& deployed);

// More than 15 members: one per step in the life of a request, on one set of requests.
class Requests {
 public:
  // The one that nothing was begun for, whether it waits or is looked at, by id; "": there is none.
  [[nodiscard]] std::string open() const { return waiting_ ? waiting_->id : evaluated_; }
  [[nodiscard]] const std::optional<Request>& waiting() const { return waiting_; }

  // Gives the new one's id.
  std::string add(Request request);
  // The open one gives way to another; gives what is to be told of it.
  std::optional<RequestResult> supersede();
  // The one that waits is looked at from now on.
  Request take();
  // The one that was looked at has begun, or is done: none can take its place any more.
  void finish_evaluation() { evaluated_.clear(); }
  [[nodiscard]] bool is_evaluated() const { return !evaluated_.empty(); }
  // The one that is looked at waits for the images of this commit.
  void wait_for_images(Request request, std::string commit);
  // Whether it is too early to look at the one that waits. Another commit than the one whose images
  // it waits for need not wait, unless the operator named the commit.
  [[nodiscard]] bool is_waiting_for_images(const std::optional<RefTip>& tip) const;
  // Whether another has taken its place, and its end was told.
  [[nodiscard]] bool is_superseded(const std::string& id) const { return superseded_.contains(id); }

  // One that an ended daemon had begun goes on.
  void resume(const std::string& id, int release);
  // Notes the end. False where there is nothing to tell: without an id, or of one that is
  // superseded.
  bool end(const RequestResult& result);
  // The one that came last, or goes on.
  [[nodiscard]] const std::optional<RequestResult>& last() const { return last_; }

 private:
  std::optional<Request> waiting_;
  std::string evaluated_;  // by id
  // Those that gave way since one was last taken, by id: one of them may still be looked at.
  std::set<std::string> superseded_;
  std::string waits_for_images_;  // by id
  std::string commit_of_images_;
  std::optional<RequestResult> last_;
};

}  // namespace trimtab
