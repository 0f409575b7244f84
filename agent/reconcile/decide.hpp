// What is done next to keep a stack, decided from all that was seen. Pure: no clock, no file, no
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

// A commit that is to be looked at.
struct DeployTarget {
  RefTip tip;
  bool is_retry = false;    // what was looked at before is looked at again
  bool is_fetched = false;  // the commit is here, and need not be where the ref points
  bool is_asked = false;    // an operator asks: rejected content is tried once more
  std::string request;      // the operator's, if one asks
  std::string cause;
};

// Pointers outlive the decision.
// More than 15 members: plain data, everything that a decision looks at.
struct Snapshot {
  SteadyClock::time_point now;
  std::string stack;
  bool is_ending = false;  // the daemon, or the stack's keeping

  // Outside.
  std::optional<Error> docker_error;
  std::optional<Error> compose_error;
  bool has_known_compose = false;  // one could be asked before
  bool is_stopped = false;         // by an operator, with the stack's unit
  bool is_moving = false;          // the unit is being started or stopped
  std::optional<RefTip> tip;       // where the ref points, as far as known
  bool has_all_names = false;      // that the host had lacked

  // The record.
  const Releases* releases = nullptr;
  const ReleaseRecord* current = nullptr;       // null before the first
  std::optional<std::string> commit_in_flight;  // of the one in flight
  bool is_paused = false;
  std::string held_commit;

  // What was begun.
  bool is_to_resume = false;  // the deployment in flight
  bool is_suspended = false;  // it goes on when the retry is due, and gives way to another commit
  bool was_cut = false;       // by the unit's stop
  std::optional<SteadyClock::time_point> record_end_at;  // of one whose end could not be written
  std::optional<Failure> broken_on_probation;
  bool is_probation_over = false;
  bool goes_back_by_itself = true;

  // What operators ask.
  bool has_request = false;      // that was not looked at yet
  bool has_open_result = false;  // a request that was accepted has no end yet
  bool request_waits_for_images = false;

  // What was decided before.
  StackStatus verdict;  // on what Git and the registries ask for
  std::string evaluated_key;
  std::string present_key;      // of the same inputs as they are now; "" where none were read
  bool is_as_deployed = false;  // the inputs are those of the release that runs well
  std::optional<SteadyClock::time_point> retry_at;
  bool lacks_names = false;  // of networks, volumes or containers on the host

  // Upkeep that is due.
  bool is_rendering_to_mend = false;  // the current release's
  bool has_renewed_files = false;     // that services are to be reloaded for
  std::optional<SteadyClock::time_point> probation_look;
  std::optional<SteadyClock::time_point> probation_end;
};

namespace action {
struct Rest {};
// Services that a deployment has started which the unit's stop has cut.
struct StopWhatWasStarted {};
// Of requests that were accepted before the stack was stopped.
struct EndRequests {};
// Writes how a deployment has ended.
struct RecordEnd {};
// Goes on with the deployment in flight.
struct Resume {};
// Has the current release rendered again.
struct MendRendering {};
struct ServeRequest {};
// Of services whose certificates or other files were renewed.
struct ReloadRenewed {};
struct EndProbation {};
// The release on probation has broken.
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
  // When to look again, unless something wakes. In the future; of an action that is not to rest,
  // not waited for.
  SteadyClock::time_point wake_at;
};

Decision decide(const Snapshot& now);

}  // namespace trimtab
