// Releases as they are recorded, for tests that say at once what became of them.
#pragma once

#include <boost/asio/system_executor.hpp>

#include "agent/model/release_record.hpp"
#include "agent/record/store.hpp"
#include "tests/lib/loop.hpp"

namespace trimtab::test {

// What ran as the release passed its gate; nothing where it has seen no container.
inline RunningSet running_set_of(const ReleaseRecord& release) {
  RunningSet running;
  if (release.seen.empty()) return running;
  running.release = release.number;
  for (const auto& [name, pin] : release.images) running.services[name].release = release.number;
  for (const auto& [name, ids] : release.seen) {
    running.services[name].release = release.number;
    running.services[name].containers = ids;
  }
  for (const std::string& name : release.jobs) {
    running.services[name].release = release.number;
    running.services[name].is_job = true;
  }
  return running;
}

// The deployment, which has ended, that the record tells of.
inline Deployment deployment_of(const ReleaseRecord& release, int id) {
  Deployment ended;
  ended.id = id;
  ended.release = release.number;
  ended.previous = release.previous;
  ended.cause = release.cause;
  ended.plan = release.plan;
  ended.findings = release.findings;
  ended.notices = release.notices;
  ended.timeline = release.timeline;
  ended.hooks = release.hooks;
  ended.failure = release.failure;
  ended.ran = running_set_of(release);
  ended.phase = Phase::committing;
  ended.started_at = release.created_at;
  ended.ended_at = release.created_at;
  ended.outcome = release.outcome;
  ended.probation_until = release.probation_until;
  return ended;
}

inline Result<Store> open_store(std::filesystem::path directory) {
  return Store::open(asio::system_executor(), std::move(directory));
}

// Saves the release, and a deployment by which it became what the record says.
inline Result<void> put(Store& store, const ReleaseRecord& release) {
  const Result<void> saved = await(store.save(static_cast<const Release&>(release)));
  if (!saved || release.outcome == Outcome::in_progress) return saved;
  return await(store.save(deployment_of(release, store.next_deployment())));
}

}  // namespace trimtab::test
