// Decides the next action for a stack from everything observed. Pure: no clock, no file, no
// waiting.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>

#include "agent/model/facts.hpp"
#include "agent/model/release_record.hpp"
#include "agent/reconcile/stack_status.hpp"
#include "common/async.hpp"

namespace trimtab {

// A commit to be evaluated.
struct DeployTarget {
  RefTip tip;
  bool is_retry = false;    // it was evaluated before
  bool is_fetched = false;  // the commit is here, and the ref need not point to it
  bool is_asked = false;    // by an operator: rejected content is tried again
  std::string request;      // id of the operator's request, if there is one
  std::string cause;
};

// Pointers outlive the decision.
// More than 15 members: plain data, everything that a decision depends on.
struct Snapshot {
  SteadyClock::time_point now;
  std::string stack;
  bool is_ending = false;  // the daemon, or the management of the stack

  // The outside.
  std::optional<Error> docker_error;
  std::optional<Error> compose_error;
  bool has_known_compose = false;  // one has answered before
  bool is_stopped = false;         // by an operator, with the stack's unit
  bool is_moving = false;          // the unit is being started or stopped
  std::optional<RefTip> tip;       // where the ref points, as far as known
  bool has_all_names = false;      // those that the host lacked

  // The record.
  const Releases* releases = nullptr;
  const ReleaseRecord* current = nullptr;       // null before the first
  std::optional<std::string> commit_in_flight;  // of the deployment in flight
  bool is_paused = false;
  std::string held_commit;

  // Deployments that have begun.
  bool is_to_resume = false;  // the deployment in flight
  bool is_suspended =
      false;             // it continues when the retry is due, and is superseded by another commit
  bool was_cut = false;  // when the unit was stopped
  std::optional<SteadyClock::time_point>
      record_end_at;  // of a deployment whose end could not be recorded
  std::optional<Failure> broken_on_probation;
  bool is_probation_over = false;
  bool goes_back_by_itself = true;

  // Requests of operators.
  bool has_request = false;      // that was not evaluated yet
  bool has_open_result = false;  // an accepted request has not ended yet
  bool request_waits_for_images = false;

  // The last decision.
  StackStatus verdict;  // on what Git and the registries offer
  std::string evaluated_key;
  std::string present_key;      // of the same inputs as they are now; "" if none were read
  bool is_as_deployed = false;  // the inputs are those of the healthy current release
  std::optional<SteadyClock::time_point> retry_at;
  bool lacks_names = false;  // of networks, volumes or containers on the host

  // Upkeep that is due.
  bool is_rendering_to_mend = false;  // the current release's
  bool has_renewed_files = false;     // for which services are to be reloaded
  std::optional<SteadyClock::time_point> probation_look;
  std::optional<SteadyClock::time_point> probation_end;
};

namespace action {
struct Rest {};
// Stops the services that a deployment had started before the unit was stopped.
struct StopWhatWasStarted {};
// Ends the requests that were accepted before the stack was stopped.
struct EndRequests {};
// Records how a deployment ended.
struct RecordEnd {};
// Resumes the deployment in flight.
struct Resume {};
// Renders the current release again.
struct MendRendering {};
struct ServeRequest {};
// Reloads services whose certificates or other files were renewed.
struct ReloadRenewed {};
struct EndProbation {};
// Rolls back from the release on probation, which has broken.
struct GoBack {
  Failure failure;
};
struct TellBroken {
  Failure failure;
};
// The running release is up to date: nothing needs to be evaluated.
struct AcceptCurrent {};
struct Evaluate {
  DeployTarget deploy_target;
};
}  // namespace action

using StackAction =
    std::variant<action::Rest, action::StopWhatWasStarted, action::EndRequests, action::RecordEnd,
                 action::Resume, action::MendRendering, action::ServeRequest, action::ReloadRenewed,
                 action::EndProbation, action::GoBack, action::TellBroken, action::AcceptCurrent,
                 action::Evaluate>;

struct Decision {
  StackAction action;
  // Evaluates an earlier failure again, although nothing has changed.
  bool is_retry = false;
  // Ignores the earlier assessment.
  bool forgets_judgement = false;
  StackStatus verdict;
  // When the next round is due if nothing wakes the reconciler. In the future; ignored unless the
  // action is Rest.
  SteadyClock::time_point wake_at;
};

Decision decide(const Snapshot& now);

}  // namespace trimtab
