#include "agent/reconcile/assessment.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "agent/execute/end_record.hpp"
#include "agent/reconcile/vain_tries.hpp"
#include "agent/record/way_back.hpp"
#include "agent/resolve/verdict.hpp"

namespace trimtab {

namespace {

// Null if what was deployed last did not become good.
const ReleaseRecord* good_one(const ReleaseRecord* current) {
  return current != nullptr && current->outcome == Outcome::good ? current : nullptr;
}

}  // namespace

std::set<std::string> contents_not_tried(std::set<std::string> rejected,
                                         const std::optional<Deployment>& in_flight,
                                         const Releases& releases) {
  if (!in_flight || !in_flight->failure) return rejected;
  const auto release = releases.find(in_flight->release);
  if (release == releases.end()) return rejected;
  const auto fallback = releases.find(in_flight->fallback);
  const bool is_at_fault = is_content_at_fault(
      *in_flight, release->second, fallback == releases.end() ? nullptr : &fallback->second);
  if (is_at_fault) rejected.insert(release->second.content_key);
  return rejected;
}

Assessment assess_candidate(const AssessmentInput& input) {
  const ReleaseRecord* const good = good_one(input.current);
  const Content content{input.candidate->commit, input.candidate->content_key};
  const Verdict verdict = assess(content, good, *input.rejected, input.is_asked);
  if (verdict == Verdict::rejected) return Assessment::rejected;
  const int tries =
      vain_tries(*input.releases, input.candidate->content_key, input.tries_count_since);
  if (!input.is_asked && tries >= max_vain_tries) return Assessment::vain;
  if (verdict == Verdict::nothing && input.is_plan_empty) return Assessment::nothing;
  if (verdict == Verdict::record && input.is_plan_empty) return Assessment::record;
  return Assessment::deploy;
}

DeploymentKind kind_of_deployment(Assessment assessment, const Release& candidate,
                                  const ReleaseRecord* current) {
  if (assessment == Assessment::record) return DeploymentKind::record_only;
  const ReleaseRecord* const good = good_one(current);
  const bool is_repair = good != nullptr && good->content_key == candidate.content_key;
  return is_repair ? DeploymentKind::repair : DeploymentKind::deploy;
}

StackStatus status_of_rejected(const Record& record, const Release& candidate) {
  const std::string again = fmt::format("`trimtab deploy {}` retries it", record.stack);
  const std::string commit = short_commit(candidate.commit);
  const auto& releases = *record.releases;
  // An operator may have tried it again since, and the host made that fail; it was rejected for
  // something else.
  const auto newest = std::find_if(releases.rbegin(), releases.rend(), [&](const auto& entry) {
    const ReleaseRecord& release = entry.second;
    const bool is_by_host = release.failure && release.failure->cause == FailureCause::host;
    return release.content_key == candidate.content_key && !is_by_host;
  });
  if (newest == releases.rend()) {
    return StackStatus{StackState::failed, commit + " has content that was rejected before", again};
  }
  const ReleaseRecord& known = newest->second;
  if (!known.failure) {
    return StackStatus{StackState::synced,
                       fmt::format("{} has the content of {}, which an operator rolled back",
                                   commit, release_text(known.number)),
                       again};
  }
  StackStatus stack_status = status_of_failed(record, known, known.outcome);
  if (known.commit != candidate.commit) {
    stack_status.reason =
        fmt::format("{} has content that failed before: {}", commit, stack_status.reason);
  }
  return stack_status;
}

StackStatus status_of_vain(const Record& record, const Release& candidate) {
  const auto& releases = *record.releases;
  const auto newest = std::find_if(releases.rbegin(), releases.rend(), [&](const auto& entry) {
    return entry.second.content_key == candidate.content_key;
  });
  StackStatus stack_status = status_of_failed(record, newest->second, newest->second.outcome);
  stack_status.state = StackState::failed;
  stack_status.next = fmt::format(
      "tried {} times instead of what is running; not tried again until the commit or its images "
      "change or Docker is restarted; `trimtab deploy {}` retries it",
      max_vain_tries, record.stack);
  return stack_status;
}

StackStatus status_of_failed(const Record& record, const ReleaseRecord& release, Outcome outcome) {
  const bool world = release.failure && release.failure->cause == FailureCause::host;
  const std::string why = release.failure ? ": " + release.failure->reason : std::string();
  const std::string who = release_text(release.number) + " (" + short_commit(release.commit) + ")";
  const std::string again =
      fmt::format("`trimtab show {} {}` shows the whole log", record.stack, release.number);
  const std::string untried = "it is not tried again until it changes; " + again;
  if (outcome == Outcome::rejected) {
    return StackStatus{StackState::failed, fmt::format("{} is rejected{}", who, why), untried};
  }
  if (outcome == Outcome::rolled_back && record.current != nullptr) {
    return StackStatus{
        world ? StackState::waiting : StackState::failed,
        fmt::format("{} was rolled back to {}{}", who, release_text(record.current->number), why),
        world ? "it is retried later" : untried};
  }
  const ReleaseRecord* const before = way_back_from(release, *record.releases, *record.rejected);
  const std::string alone = before == nullptr ? ", and there is nothing to roll back to" : "";
  return StackStatus{StackState::failed, fmt::format("{} failed{}{}", who, alone, why),
                     "what is running was left as it is; " + again};
}

std::string describe_cause(const Release& candidate, const Release* current) {
  if (current == nullptr) return "first deployment";
  if (current->commit != candidate.commit) return "push " + short_commit(candidate.commit);
  for (const auto& [service, pin] : candidate.images) {
    const auto old = current->images.find(service);
    if (old != current->images.end() && old->second.pinned != pin.pinned) {
      return fmt::format("image {} changed", pin.reference);
    }
  }
  for (const auto& [path, hash] : candidate.inputs) {
    const auto old = current->inputs.find(path);
    if (old != current->inputs.end() && old->second != hash) return path + " changed";
  }
  return "settings changed";
}

}  // namespace trimtab
