// The difference between a release and what runs, service by service, each with its reason. Pure.
#pragma once

#include "agent/model/observed.hpp"
#include "agent/model/release.hpp"

namespace trimtab {

// A release as far as a plan needs it.
struct Target {
  const Rendering* rendering = nullptr;
  const std::map<std::string, std::map<std::string, std::string>>* mounted_files = nullptr;
  const SeenContainers* seen = nullptr;         // null where it never ran
  const std::set<std::string>* jobs = nullptr;  // services that had done their work; null as above
};

Target target_of(const Release& release, const Rendering& rendering);

// From `current` (null: nothing was ever deployed) to `next`, given what runs. A service that an
// operator stopped and that does not change stays stopped. `repair`: also put back what is missing
// or was changed by hand.
Plan make_plan(const Target& next, const Target* current, const Observed& observed, bool repair);

// The plan that goes back: what `failed` touched is put as `good` has it. A job is not run again:
// it did its work when `good` was deployed; the container that `failed` made for it goes away.
Plan make_rollback_plan(const Target& good, const Plan& failed, const Observed& observed);

// For an operator's rollback to `older`: as make_plan, but jobs that had done their work then are
// not run again.
Plan make_return_plan(const Target& older, const Target& current, const Observed& observed);

// The services of the release that do not work: gone, ended or unhealthy, for whatever reason.
std::set<std::string> unwell_services(const Release& release, const Rendering& rendering,
                                      const Observed& observed);

// Whether an operator stopped this container: it has ended, and Docker would have started it again
// had it ended by itself.
bool is_stopped_by_hand(const Container& container);

// Whether the container looks like a job that has done its work: it ended well, and Docker is not
// to start it again.
bool is_finished_job(const Container& container);

// The same, where the release (null: none) knows of a service that it ran on after the gate: then
// it was no job, but was stopped, by Docker's own stop for example.
bool is_finished_job(const Container& container, const Release* release);

// Differences between what runs and what was seen right after the release passed its gate, in
// words. What an operator stopped is as he wants it.
std::vector<std::string> drift(const Target& current, const Observed& observed);

}  // namespace trimtab
