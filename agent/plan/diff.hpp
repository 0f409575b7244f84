// The difference between a release and what is running, service by service, with reasons. Pure.
#pragma once

#include "agent/model/observed.hpp"
#include "agent/model/release_record.hpp"
#include "agent/model/running_set.hpp"

namespace trimtab {

// The parts of a release that a plan needs.
struct Target {
  const Rendering* rendering = nullptr;
  const std::map<std::string, std::map<std::string, std::string>>* mounted_files = nullptr;
  const std::set<std::string>* jobs = nullptr;  // services known to be finished jobs
};

Target target_of(const Release& release, const Rendering& rendering);
Target target_of(const ReleaseRecord& release, const Rendering& rendering);

// What a plan starts from: what was verified to be running, and the releases that it belongs to.
// Services of a release that cannot be read any more count as not verified.
struct Base {
  struct Known {
    Rendering rendering;
    std::map<std::string, std::map<std::string, std::string>> mounted_files;
  };
  RunningSet running;
  std::map<int, Known> releases;
};

// Returns the numbers of the releases that a base of `running` needs.
std::set<int> releases_of(const RunningSet& running);

// Returns the plan from what is running to `next`. Services that were not verified are applied, so
// that Compose compares them. An unchanged service that an operator stopped stays stopped. With
// `repair`, missing and manually changed containers are restored too.
Plan make_plan(const Target& next, const Base& base, const Observed& observed, bool repair);

// Returns the plan for rolling back to `good` after `failed` was applied, possibly only in part.
// Manual changes are kept, but services that have lost their containers meanwhile are restored,
// because the rollback's gate could never pass without them. `already_failing`: services that were
// not working before `failed` and so need not be restored. Jobs are not run again, since they
// finished when `good` was deployed; containers that `failed` created for them are removed.
Plan make_rollback_plan(const Target& good, const Base& base, const Plan& failed,
                        const std::set<std::string>& already_failing, const Observed& observed);

// Returns the plan for an operator's rollback to `older`: like make_plan with `repair`, except that
// jobs which had finished in that release are not run again.
Plan make_return_plan(const Target& older, const Base& base, const Observed& observed);

// Returns what is running after the release passed its gate. `before` and `plan`: what was running
// when the plan was made, or what the gate has verified since, and that plan. Manual changes in
// services that the plan leaves alone remain visible as drift; so does what has vanished since the
// gate, which has run all the same.
RunningSet running_after(const ReleaseRecord& release, const RunningSet& before, const Plan& plan,
                         const std::vector<Container>& containers);

// Returns the services of the rendering that are not working: their containers are gone, exited or
// unhealthy, for whatever reason.
std::set<std::string> failing_services(const RunningSet& running, const Rendering& rendering,
                                       const Observed& observed);

// Whether an operator stopped this container: it has exited although its restart policy would have
// restarted it after any exit of its own.
bool is_stopped_manually(const Container& container);

// Whether the container looks like a finished job: it exited with 0 and its restart policy does not
// restart it.
bool is_finished_job(const Container& container);

// The same, but false if `release` (null: none) knows that the service kept running after its gate:
// then it is not a job but was stopped, for example by a shutdown of Docker.
bool is_finished_job(const Container& container, const ReleaseRecord* release);

// Returns the differences between what is running and what was verified, in words, for the services
// of the rendering, which is that of release `number`. What an operator stopped is not reported,
// nor what was touched by a deployment of that release that failed.
std::vector<std::string> drift(int number, const RunningSet& running, const Rendering& rendering,
                               const Observed& observed);

}  // namespace trimtab
