// The difference between a release and what runs, service by service, each with its reason. Pure.
#pragma once

#include "agent/model/observed.hpp"
#include "agent/model/release_record.hpp"
#include "agent/model/running_set.hpp"

namespace trimtab {

// A release as far as a plan needs it.
struct Target {
  const Rendering* rendering = nullptr;
  const std::map<std::string, std::map<std::string, std::string>>* mounted_files = nullptr;
  const std::set<std::string>* jobs = nullptr;  // services that had done their work
};

Target target_of(const Release& release, const Rendering& rendering);
Target target_of(const ReleaseRecord& release, const Rendering& rendering);

// What a plan starts from: what was verified to run, and the releases that it is of. What is of a
// release that cannot be read any more counts as not verified.
struct Base {
  struct Known {
    Rendering rendering;
    std::map<std::string, std::map<std::string, std::string>> mounted_files;
  };
  RunningSet running;
  std::map<int, Known> releases;
};

// The numbers of the releases that a base of `running` needs.
std::set<int> releases_of(const RunningSet& running);

// From what runs to `next`. What was not verified to run is applied, so that Compose compares it. A
// service that an operator stopped and that does not change stays stopped. `repair`: also put back
// what is missing or was changed by hand.
Plan make_plan(const Target& next, const Base& base, const Observed& observed, bool repair);

// The plan that goes back to `good` after `failed` was applied, be it in part. What was changed by
// hand stays so, but what lost its container meanwhile is put back: without it going back would
// never end. `unwell`: the services that did not work before `failed`, of which none is owed. A job
// is not run again: it did its work when `good` was deployed; the container that `failed` made for
// it goes away.
Plan make_rollback_plan(const Target& good, const Base& base, const Plan& failed,
                        const std::set<std::string>& already_failing, const Observed& observed);

// For an operator's rollback to `older`: as make_plan with `repair`, but jobs that had done their
// work then are not run again.
Plan make_return_plan(const Target& older, const Base& base, const Observed& observed);

// What runs once the release has passed its gate. `before` and `plan`: what ran when the plan was
// made; what was changed by hand in services that it leaves alone stays visible as drift.
RunningSet running_after(const ReleaseRecord& release, const RunningSet& before, const Plan& plan,
                         const std::vector<Container>& containers);

// The services of the rendering that do not work: gone, ended or unhealthy, for whatever reason.
std::set<std::string> failing_services(const RunningSet& running, const Rendering& rendering,
                                       const Observed& observed);

// Whether an operator stopped this container: it has ended, and Docker would have started it again
// had it ended by itself.
bool is_stopped_by_hand(const Container& container);

// Whether the container looks like a job that has done its work: it ended well, and Docker is not
// to start it again.
bool is_finished_job(const Container& container);

// The same, where the release (null: none) knows of a service that it ran on after the gate: then
// it was no job, but was stopped, by Docker's own stop for example.
bool is_finished_job(const Container& container, const ReleaseRecord* release);

// Differences between what runs and what was verified to run, in words, for the services of the
// rendering. What an operator stopped is as he wants it.
std::vector<std::string> drift(const RunningSet& running, const Rendering& rendering,
                               const Observed& observed);

}  // namespace trimtab
