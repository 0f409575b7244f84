#include "agent/model/release_record.hpp"

#include <fmt/core.h>

namespace trimtab {
namespace {

// Limit per release, so that endless retries do not fill the disk.
constexpr int max_deployments_kept = 5;

// Whether an operator left `release` by this rollback.
bool has_left(const Deployment& deployment, int release) {
  return deployment.kind == DeploymentKind::operator_rollback && deployment.checkout == release &&
         deployment.release != release && deployment.outcome == Outcome::good;
}

void add_outcome(ReleaseRecord& record, const Deployment& deployment) {
  if (!deployment.ended_at) {
    if (is_return(deployment.kind)) return;
    record.outcome = Outcome::in_progress;
    record.failure.reset();
  } else {
    // A failed operator rollback says nothing against the release that it went to.
    const bool is_good = deployment.outcome == Outcome::good;
    if (deployment.kind == DeploymentKind::operator_rollback && !is_good) return;
    const bool is_open = deployment.outcome == Outcome::postponed;
    record.outcome = is_open ? Outcome::in_progress : deployment.outcome;
    record.failure = deployment.failure;
  }
  const bool is_good = record.outcome == Outcome::good;
  record.made_good_by = is_good ? deployment.id : 0;
  record.probation_until = is_good ? deployment.probation_until : std::nullopt;
}

void add(ReleaseRecord& record, const Deployment& deployment) {
  record.deployment = deployment.id;
  record.timeline = deployment.timeline;
  if (deployment.previous) record.previous = deployment.previous;
  if (is_return(deployment.kind)) {
    record.notices.insert(record.notices.end(), deployment.notices.begin(),
                          deployment.notices.end());
  } else {
    record.cause = deployment.cause;
    record.findings = deployment.findings;
    record.notices = deployment.notices;
    record.hooks = deployment.hooks;
  }
  if (deployment.kind != DeploymentKind::probation_rollback) record.plan = deployment.plan;
  add_outcome(record, deployment);
}

bool may_have_touched(const Deployment& deployment) {
  return deployment.outcome != Outcome::rejected && deployment.outcome != Outcome::superseded &&
         deployment.outcome != Outcome::postponed;
}

}  // namespace

ReleaseRecord record_of(const Release& release, const Deployments& deployments) {
  ReleaseRecord record;
  static_cast<Release&>(record) = release;
  for (const auto& [id, deployment] : deployments) {
    if (deployment.ran.release == release.number) {
      record.seen = deployment.ran.containers();
      record.jobs = deployment.ran.jobs();
    }
    if (deployment.release == release.number) add(record, deployment);
    if (has_left(deployment, release.number)) {
      record.outcome = Outcome::rolled_back;
      record.made_good_by = 0;
      record.probation_until.reset();
      record.notices.push_back(
          fmt::format("an operator rolled it back to release {}", deployment.release));
    }
  }
  return record;
}

RunningSet running_by_deployments(const Deployments& deployments) {
  RunningSet running;
  for (const auto& [id, deployment] : deployments) {
    // A deployment does not touch its services any more after its last gate.
    if (deployment.ran.release != 0) {
      running = deployment.ran;
    } else if (may_have_touched(deployment)) {
      touch(running, deployment.plan);
      touch(running, deployment.return_plan);
    }
  }
  return running;
}

std::vector<int> outlived_deployments(const Deployments& deployments, const Releases& kept) {
  std::map<int, int> of_release;
  std::set<int> known_to_run;
  std::set<int> left;
  std::vector<int> outlived;
  for (auto entry = deployments.rbegin(); entry != deployments.rend(); ++entry) {
    const auto& [id, deployment] = *entry;
    bool is_needed = !deployment.ended_at;
    if (kept.contains(deployment.release)) {
      is_needed = ++of_release[deployment.release] <= max_deployments_kept || is_needed;
      is_needed = is_needed || kept.at(deployment.release).made_good_by == id;
    }
    if (kept.contains(deployment.ran.release)) {
      is_needed = known_to_run.insert(deployment.ran.release).second || is_needed;
    }
    if (kept.contains(deployment.checkout) && has_left(deployment, deployment.checkout)) {
      is_needed = left.insert(deployment.checkout).second || is_needed;
    }
    if (!is_needed) outlived.push_back(id);
  }
  return outlived;
}

}  // namespace trimtab
