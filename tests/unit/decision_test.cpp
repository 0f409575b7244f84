// What is done next to keep a stack, and what becomes of a draft.
#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "agent/reconcile/assessment.hpp"
#include "agent/reconcile/decide.hpp"
#include "agent/reconcile/ending.hpp"
#include "agent/reconcile/rejection.hpp"
#include "agent/reconcile/requests.hpp"
#include "agent/reconcile/vain_tries.hpp"

namespace trimtab {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

std::string name_of(const StackAction& action) {
  struct Names {
    std::string operator()(const action::Rest&) { return "rest"; }
    std::string operator()(const action::StopWhatWasStarted&) { return "stop what was started"; }
    std::string operator()(const action::EndRequests&) { return "end requests"; }
    std::string operator()(const action::RecordEnd&) { return "record end"; }
    std::string operator()(const action::Resume&) { return "resume"; }
    std::string operator()(const action::MendRendering&) { return "mend rendering"; }
    std::string operator()(const action::ServeRequest&) { return "serve request"; }
    std::string operator()(const action::ReloadRenewed&) { return "reload renewed"; }
    std::string operator()(const action::EndProbation&) { return "end probation"; }
    std::string operator()(const action::GoBack& back) { return "go back: " + back.failure.reason; }
    std::string operator()(const action::TellBroken& broken) {
      return "tell broken: " + broken.failure.reason;
    }
    std::string operator()(const action::AcceptCurrent&) { return "accept current"; }
    std::string operator()(const action::Evaluate& evaluate) {
      return "evaluate " + evaluate.deploy_target.tip.commit +
             (evaluate.deploy_target.is_retry ? " again" : "");
    }
  };
  return std::visit(Names(), action);
}

Failure failure_of(const std::string& reason) {
  Failure failure;
  failure.reason = reason;
  return failure;
}

// A stack that runs release 1 of commit a, where commit b was pushed.
class ADecision : public testing::Test {
 protected:
  ADecision() {
    ReleaseRecord release;
    release.number = 1;
    release.ref = "refs/heads/main";
    release.commit = "a";
    release.outcome = Outcome::good;
    releases_[1] = release;
    now_.now = SteadyClock::time_point(hours(100));
    now_.stack = "shop";
    now_.has_known_compose = true;
    now_.tip = RefTip{"refs/heads/main", "b"};
    now_.releases = &releases_;
    now_.current = &releases_.at(1);
    now_.verdict = StackStatus{StackState::synced, "", ""};
    now_.evaluated_key = "inputs of a";
    now_.present_key = "inputs of b";
  }

  [[nodiscard]] SteadyClock::time_point in(std::chrono::milliseconds later) const {
    return now_.now + later;
  }

  Releases releases_;
  Snapshot now_;
};

TEST_F(ADecision, TakesWhatComesFirst) {
  const Error no_docker{Errc::unavailable, "Docker is away", {}};
  const Error no_compose{Errc::unavailable, "there is no Compose", "install it"};
  struct Row {
    const char* what;
    std::function<void(Snapshot&)> change;
    std::string action;
  };
  const std::vector<Row> rows{
      {"another commit", [](Snapshot&) {}, "evaluate b"},
      {"nothing is known of the remote", [](Snapshot& s) { s.tip.reset(); }, "rest"},
      {"it was judged", [](Snapshot& s) { s.present_key = s.evaluated_key; }, "rest"},
      {"judged, and its retry is due",
       [](Snapshot& s) {
         s.present_key = s.evaluated_key;
         s.retry_at = s.now;
       },
       "evaluate b again"},
      {"judged, and its retry is due later",
       [](Snapshot& s) {
         s.present_key = s.evaluated_key;
         s.retry_at = s.now + seconds(1);
       },
       "rest"},
      {"what the host lacked is there",
       [](Snapshot& s) {
         s.present_key = s.evaluated_key;
         s.has_all_names = true;
       },
       "evaluate b again"},
      {"what runs is what is asked for", [](Snapshot& s) { s.is_as_deployed = true; },
       "accept current"},
      {"an operator has gone back from it", [](Snapshot& s) { s.held_commit = "b"; }, "rest"},
      {"the stack is ending", [](Snapshot& s) { s.is_ending = true; }, "rest"},
      {"paused", [](Snapshot& s) { s.is_paused = true; }, "rest"},
      {"paused, with a retry due",
       [](Snapshot& s) {
         s.is_paused = true;
         s.retry_at = s.now;
       },
       "rest"},
      {"Docker is away", [&](Snapshot& s) { s.docker_error = no_docker; }, "rest"},
      {"Docker is away, and an operator asks, to be told so",
       [&](Snapshot& s) {
         s.docker_error = no_docker;
         s.has_request = true;
       },
       "serve request"},
      {"Compose is away, and was known", [&](Snapshot& s) { s.compose_error = no_compose; },
       "evaluate b"},
      {"there never was a Compose",
       [&](Snapshot& s) {
         s.compose_error = no_compose;
         s.has_known_compose = false;
       },
       "rest"},
      {"Compose is away, and an operator asks",
       [&](Snapshot& s) {
         s.compose_error = no_compose;
         s.has_request = true;
       },
       "rest"},
      {"the unit is moving",
       [](Snapshot& s) {
         s.is_moving = true;
         s.has_request = true;
       },
       "rest"},
      {"stopped", [](Snapshot& s) { s.is_stopped = true; }, "rest"},
      {"stopped, with a request",
       [](Snapshot& s) {
         s.is_stopped = true;
         s.has_request = true;
       },
       "end requests"},
      {"stopped, with a request whose deployment was cut",
       [](Snapshot& s) {
         s.is_stopped = true;
         s.is_to_resume = true;
         s.has_open_result = true;
       },
       "end requests"},
      {"stopped in the midst of a deployment",
       [](Snapshot& s) {
         s.is_stopped = true;
         s.was_cut = true;
         s.has_request = true;
       },
       "stop what was started"},
      {"an end is to be written",
       [](Snapshot& s) {
         s.record_end_at = s.now;
         s.has_request = true;
         s.is_to_resume = true;
       },
       "record end"},
      {"an end is to be written later",
       [](Snapshot& s) {
         s.record_end_at = s.now + seconds(1);
         s.has_request = true;
       },
       "rest"},
      {"the journal has an attempt",
       [](Snapshot& s) {
         s.is_to_resume = true;
         s.commit_in_flight = "b";
         s.has_request = true;
         s.is_paused = true;
       },
       "resume"},
      {"going back is suspended, for the commit that is asked for",
       [](Snapshot& s) {
         s.is_to_resume = s.is_suspended = true;
         s.commit_in_flight = "b";
         s.retry_at = s.now + seconds(1);
       },
       "rest"},
      {"going back is suspended, and due",
       [](Snapshot& s) {
         s.is_to_resume = s.is_suspended = true;
         s.commit_in_flight = "b";
         s.retry_at = s.now;
       },
       "resume"},
      {"going back is suspended, and due, without Docker",
       [&](Snapshot& s) {
         s.is_to_resume = s.is_suspended = true;
         s.commit_in_flight = "b";
         s.retry_at = s.now;
         s.docker_error = no_docker;
       },
       "rest"},
      {"going back is suspended, and another commit was pushed",
       [](Snapshot& s) {
         s.is_to_resume = s.is_suspended = true;
         s.commit_in_flight = "a";
       },
       "evaluate b"},
      {"going back is suspended, and an operator asks",
       [](Snapshot& s) {
         s.is_to_resume = s.is_suspended = true;
         s.commit_in_flight = "b";
         s.has_request = true;
       },
       "serve request"},
      {"the current release cannot be read",
       [](Snapshot& s) {
         s.is_rendering_to_mend = true;
         s.has_request = true;
       },
       "mend rendering"},
      {"a request waits for its images",
       [](Snapshot& s) {
         s.has_request = s.request_waits_for_images = true;
         s.retry_at = s.now + std::chrono::minutes(1);
       },
       "rest"},
      {"nothing says when to look for its images again",
       [](Snapshot& s) { s.has_request = s.request_waits_for_images = true; }, "serve request"},
      {"a request has waited for its images",
       [](Snapshot& s) {
         s.has_request = s.request_waits_for_images = true;
         s.retry_at = s.now;
       },
       "serve request"},
      {"certificates were renewed", [](Snapshot& s) { s.has_renewed_files = true; },
       "reload renewed"},
      {"the probation is over", [](Snapshot& s) { s.is_probation_over = true; }, "end probation"},
      {"the release has broken on probation",
       [](Snapshot& s) { s.broken_on_probation = failure_of("web exited"); },
       "go back: web exited"},
      {"the release has broken, and only an operator goes back",
       [](Snapshot& s) {
         s.broken_on_probation = failure_of("web exited");
         s.goes_back_by_itself = false;
       },
       "tell broken: web exited"},
  };
  for (const Row& row : rows) {
    Snapshot now = now_;
    row.change(now);
    EXPECT_EQ(name_of(decide(now).action), row.action) << row.what;
  }
}

TEST_F(ADecision, LeavesAMovedTagToAPerson) {
  releases_[1].ref = "refs/tags/v1";
  now_.tip = RefTip{"refs/tags/v1", "b"};
  const Decision moved = decide(now_);
  EXPECT_EQ(name_of(moved.action), "rest");
  EXPECT_EQ(moved.verdict.state, StackState::synced);
  EXPECT_EQ(moved.verdict.reason,
            "the tag v1 was moved from a to b, which is not deployed automatically");
  // Once it is where it was, that is looked at.
  EXPECT_TRUE(moved.forgets_judgement);
  now_.tip = RefTip{"refs/tags/v2", "b"};
  EXPECT_EQ(name_of(decide(now_).action), "evaluate b");
}

TEST_F(ADecision, SaysWhatKeepsItFromActing) {
  now_.compose_error = Error{Errc::unavailable, "there is no Compose", "install it"};
  now_.has_known_compose = false;
  EXPECT_EQ(decide(now_).verdict, (StackStatus{StackState::waiting, "there is no Compose",
                                               "install it; evaluated again automatically"}));
  now_.compose_error.reset();
  now_.held_commit = "b";
  now_.verdict = StackStatus{};
  EXPECT_EQ(decide(now_).verdict, (StackStatus{StackState::synced, "", ""}));
}

// Whatever is the case: nothing is done to containers of a stack that is stopped, moving or paused
// but to go on with what was begun, and the loop never stands still or spins.
TEST_F(ADecision, KeepsItsPromisesInEverySituation) {
  constexpr unsigned flags = 15;
  for (unsigned bits = 0; bits < (1U << flags); ++bits) {
    const auto has = [&](unsigned flag) { return (bits & (1U << flag)) != 0; };
    Snapshot now = now_;
    now.is_stopped = has(0);
    now.is_moving = has(1);
    now.is_paused = has(2);
    now.is_to_resume = has(3);
    now.is_suspended = has(3) && has(4);
    if (has(5)) now.docker_error = Error{Errc::unavailable, "Docker is away", {}};
    if (has(6)) now.compose_error = Error{Errc::unavailable, "there is no Compose", {}};
    now.has_request = has(7);
    now.has_open_result = has(7);
    now.request_waits_for_images = has(7) && has(8);
    if (has(9)) now.retry_at = now.now - seconds(1);
    if (has(10)) now.record_end_at = now.now + seconds(has(9) ? 1 : -1);
    if (has(11)) now.broken_on_probation = failure_of("web exited");
    now.is_probation_over = has(12);
    now.is_rendering_to_mend = has(13);
    now.was_cut = has(14);
    if (has(12)) now.probation_end = now.now - seconds(1);
    const Decision decision = decide(now);
    const std::string name = name_of(decision.action);
    ASSERT_GT(decision.wake_at, now.now) << bits;
    ASSERT_LE(decision.wake_at, now.now + std::chrono::minutes(1)) << bits;
    const bool is_down = now.is_stopped || now.is_moving;
    if (is_down) {
      ASSERT_TRUE(name == "rest" || name == "end requests" || name == "stop what was started")
          << bits << ": " << name;
    }
    if (now.is_stopped && now.has_request && name == "rest") FAIL() << bits;
    if (now.is_paused || now.docker_error) {
      ASSERT_TRUE(!name.starts_with("evaluate") && !name.starts_with("go back")) << bits;
    }
    // What ended is written before anything else is begun.
    if (now.record_end_at && !is_down) {
      ASSERT_TRUE(name == "rest" || name == "record end") << bits << ": " << name;
    }
    // The same again is decided the same.
    ASSERT_EQ(name_of(decide(now).action), name);
  }
}

// ---- Drafts -----------------------------------------------------------------------------------

ReleaseRecord release_with(int number, const std::string& commit, const std::string& content,
                           Outcome outcome) {
  ReleaseRecord release;
  release.number = number;
  release.commit = commit;
  release.content_key = content;
  release.outcome = outcome;
  return release;
}

TEST(Assessment, OfADraft) {
  struct Row {
    const char* what;
    std::string commit, content;
    bool is_asked, is_plan_empty;
    Outcome current;
    Assessment expected;
  };
  const std::set<std::string> rejected{"rejected"};
  const std::vector<Row> rows{
      {"the same", "a", "runs", false, true, Outcome::good, Assessment::nothing},
      {"the same, but something of it is not running", "a", "runs", false, false, Outcome::good,
       Assessment::deploy},
      {"another commit of the same", "b", "runs", false, true, Outcome::good, Assessment::record},
      {"another commit of the same, which is not running", "b", "runs", false, false, Outcome::good,
       Assessment::deploy},
      {"another content", "b", "new", false, true, Outcome::good, Assessment::deploy},
      {"what was rejected", "b", "rejected", false, false, Outcome::good, Assessment::rejected},
      {"what was rejected, and an operator asks for", "b", "rejected", true, false, Outcome::good,
       Assessment::deploy},
      // Only on top of what is good may a gate be left out.
      {"another commit of what has failed", "b", "runs", false, true, Outcome::failed,
       Assessment::deploy},
  };
  for (const Row& row : rows) {
    const Releases releases{{1, release_with(1, "a", "runs", row.current)}};
    const ReleaseRecord candidate = release_with(0, row.commit, row.content, Outcome::in_progress);
    AssessmentInput input;
    input.candidate = &candidate;
    input.is_asked = row.is_asked;
    input.is_plan_empty = row.is_plan_empty;
    input.current = &releases.at(1);
    input.rejected = &rejected;
    input.releases = &releases;
    EXPECT_EQ(assess_candidate(input), row.expected) << row.what;
  }
}

TEST(Assessment, WhatFailedAndWaitsToGoBackIsNotTried) {
  using enum DeploymentKind;
  struct Row {
    const char* what;
    int release, fallback;
    DeploymentKind kind;
    std::optional<FailureCause> cause;  // absent: it has not failed
    std::set<std::string> expected;
  };
  const std::set<std::string> kept{"bad"};
  const std::set<std::string> more{"bad", "new"};
  const Releases releases{{1, release_with(1, "a", "runs", Outcome::good)},
                          {2, release_with(2, "b", "new", Outcome::in_progress)},
                          {3, release_with(3, "c", "runs", Outcome::in_progress)}};
  const std::vector<Row> rows{
      {"it has failed", 2, 1, deploy, FailureCause::release, more},
      {"it has failed, and there is nothing to go back to", 2, 0, deploy, FailureCause::release,
       more},
      {"it has failed on probation", 2, 1, probation_rollback, FailureCause::release, more},
      {"it is under way", 2, 1, deploy, std::nullopt, kept},
      {"the host made it fail", 2, 1, deploy, FailureCause::host, kept},
      {"an operator went back to it", 2, 1, operator_rollback, FailureCause::release, kept},
      {"a repair of what runs", 3, 1, repair, FailureCause::release, kept},
      {"its release is gone", 9, 1, deploy, FailureCause::release, kept},
  };
  for (const Row& row : rows) {
    Deployment in_flight;
    in_flight.release = row.release;
    in_flight.fallback = row.fallback;
    in_flight.kind = row.kind;
    if (row.cause) {
      in_flight.failure = failure_of("web exited");
      in_flight.failure->cause = *row.cause;
    }
    EXPECT_EQ(contents_not_tried(kept, in_flight, releases), row.expected) << row.what;
  }
  EXPECT_EQ(contents_not_tried(kept, std::nullopt, releases), kept);
}

TEST(Assessment, SaysWhichKindOfDeploymentIsDue) {
  struct Row {
    const char* what;
    Assessment assessment;
    std::string content;
    Outcome current;
    DeploymentKind expected;
  };
  using enum Assessment;
  const std::vector<Row> rows{
      {"another commit", record, "runs", Outcome::good, DeploymentKind::record_only},
      {"part of it is down", deploy, "runs", Outcome::good, DeploymentKind::repair},
      {"another content", deploy, "new", Outcome::good, DeploymentKind::deploy},
      {"the same once more", deploy, "runs", Outcome::failed, DeploymentKind::deploy},
  };
  for (const Row& row : rows) {
    const ReleaseRecord current = release_with(1, "a", "runs", row.current);
    const ReleaseRecord candidate = release_with(0, "b", row.content, Outcome::in_progress);
    EXPECT_EQ(kind_of_deployment(row.assessment, candidate, &current), row.expected) << row.what;
  }
  const ReleaseRecord first = release_with(0, "a", "new", Outcome::in_progress);
  EXPECT_EQ(kind_of_deployment(deploy, first, nullptr), DeploymentKind::deploy);
}

TEST(Assessment, WhatTheHostMakesFailIsTriedAFewTimesAlone) {
  Releases releases;
  const WallTime now = wall_now();
  for (int number = 1; number <= max_vain_tries; ++number) {
    ReleaseRecord failed = release_with(number, "b", "new", Outcome::failed);
    failed.created_at = now;
    failed.failure = failure_of("no memory");
    failed.failure->cause = FailureCause::host;
    TimelineEntry begun;
    begun.phase = "starting";
    failed.timeline.push_back(begun);
    releases[number] = failed;
  }
  const std::set<std::string> rejected;
  const ReleaseRecord candidate = release_with(0, "b", "new", Outcome::in_progress);
  AssessmentInput input;
  input.candidate = &candidate;
  input.rejected = &rejected;
  input.releases = &releases;
  EXPECT_EQ(assess_candidate(input), Assessment::vain);
  const Record record{"shop", &releases, &rejected, nullptr};
  EXPECT_EQ(status_of_vain(record, candidate).state, StackState::failed);
  input.is_asked = true;
  EXPECT_EQ(assess_candidate(input), Assessment::deploy);
  input.is_asked = false;
  input.tries_count_since = now + seconds(1);  // Docker was started anew
  EXPECT_EQ(assess_candidate(input), Assessment::deploy);
}

TEST(Assessment, WhatIsRejectedIsToldByWhatItWasRejectedFor) {
  struct Row {
    const char* what;
    Outcome outcome;
    std::optional<FailureCause> cause;
    StackStatus expected;
  };
  const std::string again = "`trimtab deploy shop` retries it";
  const StackStatus untold{StackState::failed, "c has content that was rejected before", again};
  const std::vector<Row> rows{
      {"it was rolled back", Outcome::rolled_back, FailureCause::release,
       StackStatus{StackState::failed,
                   "c has content that failed before: release 2 (b) was rolled back to release 1: "
                   "web exited",
                   "it is not tried again until it changes; `trimtab show shop 2` shows the whole "
                   "log"}},
      {"an operator rolled it back", Outcome::good, std::nullopt,
       StackStatus{StackState::synced,
                   "c has the content of release 2, which an operator rolled back", again}},
      {"its failure is not kept any more", Outcome::rolled_back, FailureCause::host, untold},
  };
  for (const Row& row : rows) {
    Releases releases{{1, release_with(1, "a", "runs", Outcome::good)},
                      {2, release_with(2, "b", "new", row.outcome)},
                      {3, release_with(3, "b", "new", Outcome::rolled_back)}};
    if (row.cause) {
      releases.at(2).failure = failure_of("web exited");
      releases.at(2).failure->cause = *row.cause;
    }
    // Then an operator asked for it, and the host made it fail: nothing more is waited for.
    releases.at(3).failure = failure_of("no memory");
    releases.at(3).failure->cause = FailureCause::host;
    const std::set<std::string> rejected{"new"};
    const Record record{"shop", &releases, &rejected, &releases.at(1)};
    const ReleaseRecord candidate = release_with(0, "c", "new", Outcome::in_progress);
    EXPECT_EQ(status_of_rejected(record, candidate), row.expected) << row.what;
  }
}

// ---- Rejections ------------------------------------------------------------------------------

PreflightFinding found(const std::string& name, const std::string& subject, FailureCause cause,
                       PreflightFinding::Severity severity = PreflightFinding::Severity::error) {
  PreflightFinding finding;
  finding.name = name;
  finding.subject = subject;
  finding.message = name + " of " + subject;
  finding.cause = cause;
  finding.severity = severity;
  return finding;
}

TEST(Rejection, IsTheHostsIfTheHostAloneIsInTheWay) {
  constexpr auto warning = PreflightFinding::Severity::warning;
  const auto port = found("port-taken", "80", FailureCause::host);
  const auto other_port = found("port-taken", "443", FailureCause::host);
  const auto mount = found("mount-missing", "./conf", FailureCause::release);
  const auto root = found("privileged", "web", FailureCause::release, warning);
  struct Row {
    const char* what;
    std::vector<PreflightFinding> findings;
    bool is_by_host;
  };
  const std::vector<Row> rows{
      {"the host alone", {port}, true},
      {"the commit alone", {mount}, false},
      {"both", {port, mount}, false},
      {"a warning counts for nothing", {port, root}, true},
  };
  const ReleaseRecord release = release_with(2, "b", "new", Outcome::in_progress);
  for (const Row& row : rows) {
    const Rejection rejection = rejection_of(release, row.findings);
    EXPECT_EQ(rejection.is_by_host, row.is_by_host) << row.what;
    EXPECT_EQ(rejection.failure.cause == FailureCause::host, row.is_by_host) << row.what;
    EXPECT_EQ(rejection.key == release.inputs_key, !row.is_by_host) << row.what;
    EXPECT_EQ(rejection.failure.reason, row.findings.front().message) << row.what;
  }
  // The same trouble with the same inputs is recorded once.
  PreflightFinding reworded = port;
  reworded.message = "port 80 is taken by nginx";
  const std::string key = rejection_of(release, {port}).key;
  EXPECT_EQ(rejection_of(release, {reworded, root}).key, key);
  EXPECT_NE(rejection_of(release, {other_port}).key, key);
}

TEST(Rejection, SaysWhenItIsLookedAtAgain) {
  const ReleaseRecord release = release_with(2, "b", "new", Outcome::in_progress);
  PreflightFinding finding = found("port-taken", "80", FailureCause::host);
  const Rejection bare = rejection_of(release, {finding});
  EXPECT_EQ(status_of_rejection(release, bare, seconds(30)),
            (StackStatus{StackState::failed, "b is rejected: port-taken of 80",
                         "evaluated again in 30 s"}));
  finding.hint = "stop it";
  const Rejection hinted = rejection_of(release, {finding});
  EXPECT_EQ(status_of_rejection(release, hinted, std::nullopt).next,
            "stop it; it is retried automatically once this is corrected");
}

TEST(ImageWait, AsksLessAndLessOftenUntilItsEnd) {
  ImageSettings settings;
  settings.interval = seconds(10);
  settings.wait = seconds(100);
  constexpr double no_jitter = 0.5;
  const SteadyClock::time_point start(hours(1));
  auto now = start;
  std::vector<long> asked;
  ImageWaitStep step;
  for (;;) {
    step = next_image_wait(std::move(step.wait), "b", now, settings, no_jitter);
    if (!step.again) break;
    asked.push_back(std::chrono::duration_cast<seconds>(*step.again).count());
    now += *step.again;
  }
  EXPECT_EQ(asked, (std::vector<long>{10, 20, 40, 30}));
  EXPECT_EQ(now, start + settings.wait);
  // Another commit waits anew.
  step = next_image_wait(std::move(step.wait), "c", now, settings, no_jitter);
  ASSERT_TRUE(step.again);
  EXPECT_EQ(*step.again, seconds(10));
  settings.wait = seconds(0);
  step = next_image_wait(ImageWait(), "d", now, settings, no_jitter);
  EXPECT_FALSE(step.again) << "it waits although it must not";
}

// ---- Ends -------------------------------------------------------------------------------------

TEST(Ending, IsToldAndTriedAgainAsItIs) {
  using enum DeploymentEnd;
  struct Row {
    DeploymentEnd end;
    DeploymentKind kind;
    std::string failure;  // "": none; "host: …": the host's
    bool is_tried_again;
    std::string outcome, message;
    std::string verdict;  // state: next; "": as it was
  };
  const std::string show = "`trimtab show shop 2` shows the whole log";
  const std::string untried = "it is not tried again until it changes; " + show;
  const std::vector<Row> rows{
      {committed, DeploymentKind::deploy, "", false, "done", "release 2 (b) is deployed",
       "synced: "},
      {rejected, DeploymentKind::deploy, "bad file", false, "rejected",
       "release 2 (b) is rejected, nothing was touched: bad file", "failed: " + untried},
      {postponed, DeploymentKind::deploy, "host: no network", true, "failed",
       "release 2 (b) cannot be deployed now: no network; nothing was touched, it is retried",
       "waiting: nothing was touched; it is retried"},
      {postponed, DeploymentKind::operator_rollback, "host: no network", false, "failed",
       "release 2 (b) cannot be rolled back to now, nothing was touched: no network", ""},
      {superseded, DeploymentKind::deploy, "", false, "superseded",
       "release 2 (b) was superseded by a newer commit", ""},
      {rolled_back, DeploymentKind::deploy, "web exited", false, "rolled_back",
       "rolled back to release 1: web exited", "failed: " + untried},
      {rolled_back, DeploymentKind::deploy, "host: no memory", true, "rolled_back",
       "rolled back to release 1: no memory", "waiting: it is retried later"},
      {suspended, DeploymentKind::deploy, "host: Docker is away", true, "failed",
       "release 2 (b) failed: Docker is away", "failed: rolling back is retried in 30 s"},
      {failed, DeploymentKind::deploy, "web exited", false, "failed",
       "release 2 (b) failed: web exited", "failed: what is running was left as it is; " + show},
      {failed, DeploymentKind::deploy, "host: no memory", true, "failed",
       "release 2 (b) failed: no memory", "failed: what is running was left as it is; " + show},
  };
  const Releases releases{{1, release_with(1, "a", "old", Outcome::good)}};
  const std::set<std::string> none;
  const Record record{"shop", &releases, &none, &releases.at(1)};
  for (const Row& row : rows) {
    ReleaseRecord release = release_with(2, "b", "new", Outcome::failed);
    const bool by_host = row.failure.starts_with("host: ");
    if (!row.failure.empty()) {
      release.failure = failure_of(by_host ? row.failure.substr(6) : row.failure);
      release.failure->cause = by_host ? FailureCause::host : FailureCause::release;
    }
    EXPECT_EQ(is_tried_again(row.end, row.kind, release.failure), row.is_tried_again)
        << row.message;
    const Ending ending = ending_of(row.end, row.kind, release, record, seconds(30));
    EXPECT_EQ(ending.outcome, row.outcome) << row.message;
    EXPECT_EQ(ending.message, row.message);
    const std::string verdict =
        ending.verdict ? std::string(to_string(ending.verdict->state)) + ": " + ending.verdict->next
                       : "";
    EXPECT_EQ(verdict, row.verdict) << row.message;
  }
}

// ---- Requests ---------------------------------------------------------------------------------

TEST(Requests, ANewerOneTakesThePlaceOfOneThatHasNotBegun) {
  Requests requests;
  EXPECT_FALSE(requests.supersede());
  const std::string first = requests.add({});
  EXPECT_EQ(requests.open(), first);
  EXPECT_EQ(requests.last()->outcome, "in_progress");
  // While it waits.
  std::optional<RequestResult> given_up = requests.supersede();
  ASSERT_TRUE(given_up);
  EXPECT_EQ(given_up->id, first);
  EXPECT_EQ(given_up->outcome, "superseded");
  EXPECT_EQ(requests.open(), "");
  const std::string second = requests.add({});
  EXPECT_NE(second, first);
  EXPECT_TRUE(requests.is_superseded(first));
  EXPECT_FALSE(requests.end({first, "done", 1, ""}));
  // While it is looked at.
  EXPECT_EQ(requests.take().id, second);
  EXPECT_FALSE(requests.waiting());
  given_up = requests.supersede();
  ASSERT_TRUE(given_up);
  EXPECT_EQ(given_up->id, second);
  const std::string third = requests.add({});
  // Once it has begun, nothing is open.
  EXPECT_EQ(requests.take().id, third);
  requests.finish_evaluation();
  EXPECT_EQ(requests.open(), "");
  EXPECT_TRUE(requests.end({third, "done", 2, "release 2 is deployed"}));
  EXPECT_EQ(requests.last()->message, "release 2 is deployed");
}

TEST(Requests, OfACommitHoldWhatTheRefPointsTo) {
  const Error away{Errc::unavailable, "the remote is away", {}};
  Fact<RefTip> known;
  known.succeed({"refs/heads/main", "b"});
  Fact<RefTip> lost = known;
  lost.fail(away);
  Fact<RefTip> never;
  never.fail(away);
  struct Row {
    const char* name;
    const char* asked_for;
    const Fact<RefTip>* tip;
    const char* deployed;
    const char* expected;
  };
  const std::vector<Row> rows{
      {"the remote answers", "a", &known, "b", "b"},
      {"it is what the ref points to", "b", &known, "a", ""},
      {"the remote went away", "a", &lost, "b", "b"},
      {"the remote never answered", "a", &never, "b", "b"},
      {"nor is anything deployed", "a", &never, "", ""},
      {"the one that is deployed, again", "b", &never, "b", ""},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(commit_to_hold(row.asked_for, *row.tip, row.deployed), row.expected) << row.name;
  }
}

TEST(Requests, WaitForTheImagesOfTheirCommit) {
  Requests requests;
  requests.add({});
  const Request request = requests.take();
  requests.wait_for_images(request, "a");
  EXPECT_EQ(requests.open(), request.id);
  EXPECT_TRUE(requests.is_waiting_for_images(std::nullopt));
  EXPECT_TRUE(requests.is_waiting_for_images(RefTip{"refs/heads/main", "a"}));
  EXPECT_FALSE(requests.is_waiting_for_images(RefTip{"refs/heads/main", "b"}));
  // The commit that the operator named stays the one.
  Request named = requests.take();
  named.commit = "a";
  requests.wait_for_images(named, "a");
  EXPECT_TRUE(requests.is_waiting_for_images(RefTip{"refs/heads/main", "b"}));
}

TEST(Requests, PausingSaysNothingOfADeploymentThatGoesOn) {
  Requests requests;
  const std::string deploy = requests.add({});
  requests.take();
  requests.finish_evaluation();
  EXPECT_TRUE(requests.end({"pause", "done", std::nullopt, "shop is paused"}));
  EXPECT_EQ(requests.last()->id, deploy);
  EXPECT_EQ(requests.last()->outcome, "in_progress");
  requests.end({deploy, "done", 1, ""});
  requests.end({"pause", "done", std::nullopt, "shop is paused"});
  EXPECT_EQ(requests.last()->id, "pause");
}

// Whatever operators ask while others are looked at, wait for images or are carried out.
TEST(Requests, EachHasOneEnd) {
  std::mt19937 dice(1);
  for (int life = 0; life < 3000; ++life) {
    Requests requests;
    std::map<std::string, int> ends;
    std::optional<Request> served;
    bool has_begun = false;
    std::string story;
    const auto end = [&](const std::string& id) {
      if (requests.end({id, "done", std::nullopt, ""})) ++ends[id];
    };
    const auto end_served = [&] {
      end(served->id);
      requests.finish_evaluation();
      served.reset();
      has_begun = false;
    };
    for (int step = 0; step < 12; ++step) {
      const auto what = dice() % 6;
      story += std::to_string(what);
      if (what <= 1 && !has_begun) {
        const std::optional<RequestResult> given_up = requests.supersede();
        if (given_up) ++ends[given_up->id];
        ends.try_emplace(requests.add({}), 0);
      } else if (what == 2 && !served && requests.waiting()) {
        served = requests.take();
      } else if (what == 3 && served && !has_begun && !requests.is_superseded(served->id)) {
        ASSERT_EQ(ends.at(served->id), 0) << story << ": it was given up, and is carried out";
        requests.finish_evaluation();
        has_begun = true;
      } else if (what == 4 && served && !has_begun && requests.is_evaluated()) {
        requests.wait_for_images(*served, "a");
        served.reset();
      } else if (what == 5 && served) {
        end_served();
      }
    }
    if (served) end_served();
    if (requests.waiting()) end(requests.take().id);
    EXPECT_EQ(requests.open(), "");
    for (const auto& [id, count] : ends) ASSERT_EQ(count, 1) << story;
  }
}

}  // namespace
}  // namespace trimtab
