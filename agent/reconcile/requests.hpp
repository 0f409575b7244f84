// The operators' requests to a stack, one at a time. Only a request that has begun makes others be
// refused; of those that have not, the newest is what the operator wants.
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
  bool is_named = false;  // the operator named the release; else it is the last good one
};

struct RequestResult {
  std::string id;
  std::string
      outcome;  // in_progress, done, nothing_to_do, rejected, rolled_back, failed, superseded
  std::optional<int> release;
  std::string message;
};

std::string new_request_id();

// Returns the commit that is not deployed automatically once an operator has asked for another: the
// one that the ref points to, or pointed to before the remote became unreachable, or else the
// deployed one. "" if none is to be held. Pure.
std::string commit_to_hold(const std::string& asked_for, const Fact<RefTip>& tip,
                           const std::string& deployed);

// More than 15 members: one per step in the life of a request, on one set of requests.
class Requests {
 public:
  // The id of the request that waits or is being evaluated, and for which nothing has begun; "" if
  // there is none.
  [[nodiscard]] std::string open() const { return waiting_ ? waiting_->id : evaluated_; }
  [[nodiscard]] const std::optional<Request>& waiting() const { return waiting_; }

  // Returns the id.
  std::string add(Request request);
  // Ends the open request in favour of another. Returns its result.
  std::optional<RequestResult> supersede();
  // The waiting request is being evaluated from now on.
  Request take();
  // The evaluated request has begun or ended: it can no longer be superseded.
  void finish_evaluation() { evaluated_.clear(); }
  [[nodiscard]] bool is_evaluated() const { return !evaluated_.empty(); }
  // The evaluated request waits for the images of this commit.
  void wait_for_images(Request request, std::string commit);
  // Whether it is too early to evaluate the waiting request again. It does not wait if the ref has
  // moved to another commit, unless the operator named the commit.
  [[nodiscard]] bool is_waiting_for_images(const std::optional<RefTip>& tip) const;
  // Whether another request superseded it, so that its end was reported already.
  [[nodiscard]] bool is_superseded(const std::string& id) const { return superseded_.contains(id); }

  // Continues a request that a previous daemon had begun.
  void resume(const std::string& id, int release);
  // Notes the end. Returns whether it is to be reported: not without an id, nor if the request was
  // superseded.
  bool end(const RequestResult& result);
  // The last request, or the one in progress.
  [[nodiscard]] const std::optional<RequestResult>& last() const { return last_; }

 private:
  std::optional<Request> waiting_;
  std::string evaluated_;  // by id
  // Ids of those superseded since one was last taken; one of them may still be being evaluated.
  std::set<std::string> superseded_;
  std::string waits_for_images_;  // by id
  std::string commit_of_images_;
  std::optional<RequestResult> last_;
};

}  // namespace trimtab
