#include "agent/reconcile/judgement.hpp"

#include <algorithm>

#include "agent/reconcile/vain_tries.hpp"
#include "agent/record/way_back.hpp"
#include "agent/resolve/verdict.hpp"
#include "common/hash.hpp"

namespace trimtab {

Judgement judge_draft(const JudgementInput& input) {
  const ReleaseRecord* const good =
      input.current != nullptr && input.current->outcome == Outcome::good ? input.current : nullptr;
  const Content content{input.draft->commit, input.draft->content_key};
  const Verdict verdict = judge(content, good, *input.rejected, input.is_asked);
  if (verdict == Verdict::held) return Judgement::held;
  const int tries = vain_tries(*input.releases, input.draft->content_key, input.tries_count_since);
  if (!input.is_asked && tries >= max_vain_tries) return Judgement::vain;
  if (verdict == Verdict::nothing && input.is_plan_empty) return Judgement::nothing;
  if (verdict == Verdict::record && input.is_plan_empty) return Judgement::record;
  return Judgement::deploy;
}

Situation situation_of_held(const Record& record, const Release& draft) {
  const std::string again = "`trimtab deploy " + record.stack + "` tries it once more";
  const std::string commit = short_commit(draft.commit);
  const auto& releases = *record.releases;
  const auto newest = std::find_if(releases.rbegin(), releases.rend(), [&](const auto& entry) {
    return entry.second.content_key == draft.content_key;
  });
  if (newest == releases.rend()) {
    return Situation{StackState::failed, commit + " has content that was rejected before", again};
  }
  const ReleaseRecord& known = newest->second;
  if (!known.failure) {
    return Situation{StackState::synced,
                     commit + " has the content of " + release_text(known.number) +
                         ", which an operator went back from",
                     again};
  }
  Situation situation = situation_of_failed(record, known, known.outcome);
  if (known.commit != draft.commit) {
    situation.reason = commit + " has the content of what failed before: " + situation.reason;
  }
  return situation;
}

Situation situation_of_vain(const Record& record, const Release& draft) {
  const auto& releases = *record.releases;
  const auto newest = std::find_if(releases.rbegin(), releases.rend(), [&](const auto& entry) {
    return entry.second.content_key == draft.content_key;
  });
  Situation situation = situation_of_failed(record, newest->second, newest->second.outcome);
  situation.state = StackState::failed;
  situation.next = "tried " + std::to_string(max_vain_tries) +
                   " times in place of what runs, and not again until the commit or its images " +
                   "change or Docker is started anew; `trimtab deploy " + record.stack +
                   "` tries it once more";
  return situation;
}

Situation situation_of_failed(const Record& record, const ReleaseRecord& release, Outcome outcome) {
  const bool world = release.failure && release.failure->cls == FailureClass::world;
  const std::string why = release.failure ? ": " + release.failure->reason : std::string();
  const std::string who = release_text(release.number) + " (" + short_commit(release.commit) + ")";
  const std::string again = "`trimtab show " + record.stack + " " + std::to_string(release.number) +
                            "` has the whole log";
  const std::string untried = "it is not tried again until it changes; " + again;
  if (outcome == Outcome::rejected) {
    return Situation{StackState::failed, who + " is rejected" + why, untried};
  }
  if (outcome == Outcome::rolled_back && record.current != nullptr) {
    return Situation{world ? StackState::waiting : StackState::failed,
                     who + " was rolled back to " + release_text(record.current->number) + why,
                     world ? "it is tried again later" : untried};
  }
  const ReleaseRecord* const before = way_back_from(release, *record.releases, *record.rejected);
  const std::string alone = before == nullptr ? ", and there is nothing to go back to" : "";
  return Situation{StackState::failed, who + " failed" + alone + why,
                   "what runs was left as it is; " + again};
}

bool is_by_host(const std::vector<PreflightFinding>& findings) {
  return std::all_of(findings.begin(), findings.end(), [](const PreflightFinding& finding) {
    return finding.severity == PreflightFinding::Severity::warning ||
           finding.cls == FailureClass::world;
  });
}

std::string key_of(const std::vector<PreflightFinding>& findings) {
  std::string all;
  for (const PreflightFinding& finding : findings) {
    if (finding.severity == PreflightFinding::Severity::warning) continue;
    all += finding.name + '\n' + finding.subject + '\n';
  }
  return sha256_hex(all);
}

std::string describe_cause(const Release& draft, const Release* current) {
  if (current == nullptr) return "first deployment";
  if (current->commit != draft.commit) return "push " + short_commit(draft.commit);
  for (const auto& [service, pin] : draft.images) {
    const auto old = current->images.find(service);
    if (old != current->images.end() && old->second.pinned != pin.pinned) {
      return "image " + pin.reference + " changed";
    }
  }
  for (const auto& [path, hash] : draft.inputs) {
    const auto old = current->inputs.find(path);
    if (old != current->inputs.end() && old->second != hash) return path + " changed";
  }
  return "settings changed";
}

}  // namespace trimtab
