// The way of a deployment through its phases, whatever fails and wherever it is killed.
#include <gtest/gtest.h>

#include <set>

#include "agent/execute/phase_machine.hpp"
#include "common/text.hpp"

namespace trimtab {
namespace {

std::string_view end_text(DeploymentEnd end) {
  switch (end) {
    case DeploymentEnd::committed:
      return "committed";
    case DeploymentEnd::rejected:
      return "rejected";
    case DeploymentEnd::postponed:
      return "postponed";
    case DeploymentEnd::superseded:
      return "superseded";
    case DeploymentEnd::rolled_back:
      return "rolled_back";
    case DeploymentEnd::failed:
      return "failed";
    case DeploymentEnd::suspended:
      return "suspended";
  }
  return "?";
}

struct Row {
  const char* name;
  std::map<Phase, PhaseResult> fails;  // the result of a phase, where it is not "done"
  std::map<Phase, int> crashes;        // how often the program is killed in a phase
  bool fallback;
  bool automatic;
  const char* expected;  // the phases begun, then the end
  bool hooks = false;    // before and after
};

// What the executor does around the machine: begin, journal, perform, and after a kill resume.
std::string drive(const Row& row) {
  const DeploymentPolicy policy{row.fallback, row.automatic, row.hooks, row.hooks};
  std::map<Phase, int> crashes = row.crashes;
  std::vector<std::string> way;
  Phase journalled = Phase::pulling;
  int phase_attempts = 0;
  Next next{Phase::pulling, std::nullopt};
  while (next.phase && way.size() < 50) {
    phase_attempts = journalled == *next.phase ? phase_attempts + 1 : 1;
    journalled = *next.phase;
    way.emplace_back(to_string(journalled));
    if (crashes[journalled] > 0) {
      --crashes[journalled];
      way.back() += "!";
      next = resume_phase(journalled, phase_attempts, policy);
      continue;
    }
    const auto failure = row.fails.find(journalled);
    const PhaseResult result = failure == row.fails.end() ? PhaseResult::done : failure->second;
    next = next_phase(journalled, result, policy);
  }
  if (next.end) way.emplace_back(end_text(*next.end));
  return join(way, " ");
}

constexpr auto content = PhaseResult::failed_by_release;
constexpr auto world = PhaseResult::failed_by_host;
constexpr const char* whole_way = "pulling switching starting gating committing committed";

TEST(PhaseMachine, FailuresLeadBackOrEnd) {
  const std::vector<Row> rows{
      {"all is well", {}, {}, true, true, whole_way},
      {"all is well the first time", {}, {}, false, true, whole_way},
      {"all is well with rollback: manual", {}, {}, true, false, whole_way},
      {"no such image", {{Phase::pulling, content}}, {}, true, true, "pulling rejected"},
      {"registry away", {{Phase::pulling, world}}, {}, true, true, "pulling postponed"},
      {"registry away the first time",
       {{Phase::pulling, world}},
       {},
       false,
       true,
       "pulling postponed"},
      {"a newer commit",
       {{Phase::pulling, PhaseResult::superseded}},
       {},
       true,
       true,
       "pulling superseded"},
      {"files in the way",
       {{Phase::switching, content}},
       {},
       true,
       true,
       "pulling switching rolling_back gating_rollback rolled_back"},
      {"disk full in the checkout",
       {{Phase::switching, world}},
       {},
       true,
       true,
       "pulling switching rolling_back gating_rollback rolled_back"},
      {"up fails",
       {{Phase::starting, content}},
       {},
       true,
       true,
       "pulling switching starting rolling_back gating_rollback rolled_back"},
      {"up fails the first time",
       {{Phase::starting, content}},
       {},
       false,
       true,
       "pulling switching starting failed"},
      {"unhealthy",
       {{Phase::gating, content}},
       {},
       true,
       true,
       "pulling switching starting gating rolling_back gating_rollback rolled_back"},
      {"too slow",
       {{Phase::gating, world}},
       {},
       true,
       true,
       "pulling switching starting gating rolling_back gating_rollback rolled_back"},
      {"unhealthy the first time",
       {{Phase::gating, content}},
       {},
       false,
       true,
       "pulling switching starting gating failed"},
      {"unhealthy with rollback: manual",
       {{Phase::gating, content}},
       {},
       true,
       false,
       "pulling switching starting gating failed"},
      {"tidying up fails", {{Phase::committing, world}}, {}, true, true, whole_way},
      {"going back fails",
       {{Phase::gating, content}, {Phase::rolling_back, content}},
       {},
       true,
       true,
       "pulling switching starting gating rolling_back failed"},
      {"the host prevents going back",
       {{Phase::gating, content}, {Phase::rolling_back, world}},
       {},
       true,
       true,
       "pulling switching starting gating rolling_back suspended"},
      {"the host keeps the old release from working",
       {{Phase::gating, content}, {Phase::gating_rollback, world}},
       {},
       true,
       true,
       "pulling switching starting gating rolling_back gating_rollback suspended"},
      {"the old release does not work either",
       {{Phase::gating, content}, {Phase::gating_rollback, content}},
       {},
       true,
       true,
       "pulling switching starting gating rolling_back gating_rollback failed"},
  };
  for (const Row& row : rows) EXPECT_EQ(drive(row), row.expected) << row.name;
}

TEST(PhaseMachine, KilledInAPhaseBeginsItAgainButNotForEver) {
  const std::vector<Row> rows{
      {"once in pulling",
       {},
       {{Phase::pulling, 1}},
       true,
       true,
       "pulling! pulling switching starting gating committing committed"},
      {"for ever in pulling",
       {},
       {{Phase::pulling, 99}},
       true,
       true,
       "pulling! pulling! pulling! postponed"},
      {"twice in switching",
       {},
       {{Phase::switching, 2}},
       true,
       true,
       "pulling switching! switching! switching starting gating committing committed"},
      {"for ever in switching",
       {},
       {{Phase::switching, 99}},
       true,
       true,
       "pulling switching! switching! switching! rolling_back gating_rollback rolled_back"},
      {"for ever in starting",
       {},
       {{Phase::starting, 99}},
       true,
       true,
       "pulling switching starting! starting! starting! rolling_back gating_rollback rolled_back"},
      {"for ever in starting, the first time",
       {},
       {{Phase::starting, 99}},
       false,
       true,
       "pulling switching starting! starting! starting! failed"},
      {"for ever in gating",
       {},
       {{Phase::gating, 99}},
       true,
       true,
       "pulling switching starting gating! gating! gating! rolling_back gating_rollback "
       "rolled_back"},
      {"for ever in gating, rollback: manual",
       {},
       {{Phase::gating, 99}},
       true,
       false,
       "pulling switching starting gating! gating! gating! failed"},
      {"for ever in committing",
       {},
       {{Phase::committing, 99}},
       true,
       true,
       "pulling switching starting gating committing! committing! committing! committed"},
      {"once in each",
       {},
       {{Phase::pulling, 1},
        {Phase::switching, 1},
        {Phase::starting, 1},
        {Phase::gating, 1},
        {Phase::committing, 1}},
       true,
       true,
       "pulling! pulling switching! switching starting! starting gating! gating committing! "
       "committing committed"},
      {"once on the way back",
       {{Phase::gating, content}},
       {{Phase::rolling_back, 1}},
       true,
       true,
       "pulling switching starting gating rolling_back! rolling_back gating_rollback rolled_back"},
      {"for ever on the way back",
       {{Phase::gating, content}},
       {{Phase::rolling_back, 99}},
       true,
       true,
       "pulling switching starting gating rolling_back! rolling_back! rolling_back! failed"},
      {"for ever in the gate of the old release",
       {{Phase::gating, content}},
       {{Phase::gating_rollback, 99}},
       true,
       true,
       "pulling switching starting gating rolling_back gating_rollback! gating_rollback! "
       "gating_rollback! failed"},
      {"everywhere",
       {},
       {{Phase::switching, 99}, {Phase::rolling_back, 99}},
       true,
       true,
       "pulling switching! switching! switching! rolling_back! rolling_back! rolling_back! failed"},
  };
  for (const Row& row : rows) EXPECT_EQ(drive(row), row.expected) << row.name;
}

TEST(PhaseMachine, HooksHaveTheirPlaceOnTheWayForward) {
  constexpr const char* way = "pulling before switching starting gating committing after committed";
  const std::vector<Row> rows{
      {"all is well", {}, {}, true, true, way, true},
      {"the first time", {}, {}, false, true, way, true},
      {"a migration fails",
       {{Phase::before, content}},
       {},
       true,
       true,
       "pulling before rejected",
       true},
      {"a dump fails", {{Phase::before, world}}, {}, true, true, "pulling before postponed", true},
      {"one fails afterwards", {{Phase::after, world}}, {}, true, true, way, true},
      {"killed in each",
       {},
       {{Phase::before, 1}, {Phase::after, 1}},
       true,
       true,
       "pulling before! before switching starting gating committing after! after committed",
       true},
      {"for ever before",
       {},
       {{Phase::before, 99}},
       true,
       true,
       "pulling before! before! before! postponed",
       true},
      {"for ever after",
       {},
       {{Phase::after, 99}},
       true,
       true,
       "pulling before switching starting gating committing after! after! after! committed",
       true},
      {"unhealthy",
       {{Phase::gating, content}},
       {},
       true,
       true,
       "pulling before switching starting gating rolling_back gating_rollback rolled_back",
       true},
  };
  for (const Row& row : rows) EXPECT_EQ(drive(row), row.expected) << row.name;
}

TEST(PhaseMachine, DoesNotGoOnBackToAReleaseThatIsGone) {
  for (const Phase phase : {Phase::rolling_back, Phase::gating_rollback}) {
    EXPECT_EQ(resume_phase(phase, 1, DeploymentPolicy{false, true}),
              (Next{std::nullopt, DeploymentEnd::failed}));
  }
}

TEST(PhaseMachine, EveryPhaseAndResultHasExactlyOneAnswer) {
  for (const Phase phase :
       {Phase::pulling, Phase::before, Phase::switching, Phase::starting, Phase::gating,
        Phase::committing, Phase::after, Phase::rolling_back, Phase::gating_rollback}) {
    for (const PhaseResult result : {PhaseResult::done, content, world, PhaseResult::superseded}) {
      for (const bool fallback : {true, false}) {
        for (const bool automatic : {true, false}) {
          const Next next =
              next_phase(phase, result, DeploymentPolicy{fallback, automatic, true, true});
          EXPECT_NE(next.phase.has_value(), next.end.has_value()) << to_string(phase);
          // Without a release to go back to nothing goes back.
          if (!fallback) {
            EXPECT_NE(next.phase, Phase::rolling_back) << to_string(phase);
          }
        }
      }
    }
  }
}

// All ways there are, whatever each phase comes to and however often it is killed.
TEST(PhaseMachine, WhatEndsWellHasPassedAGate) {
  struct At {
    Phase phase;
    int phase_attempts;
    bool passed_gate;  // that of the release, or of the one it goes back to
    auto operator<=>(const At&) const = default;
  };
  for (const bool fallback : {true, false}) {
    for (const bool automatic : {true, false}) {
      const DeploymentPolicy policy{fallback, automatic, true, true};
      std::set<At> seen;
      std::vector<At> open{{Phase::pulling, 1, false}, {Phase::rolling_back, 1, false}};
      std::set<DeploymentEnd> ends;
      while (!open.empty()) {
        const At at = open.back();
        open.pop_back();
        if (!seen.insert(at).second) continue;
        std::vector<std::pair<Next, bool>> ways{
            {resume_phase(at.phase, at.phase_attempts, policy), at.passed_gate}};
        for (const PhaseResult result :
             {PhaseResult::done, content, world, PhaseResult::superseded}) {
          const bool passes = result == PhaseResult::done &&
                              (at.phase == Phase::gating || at.phase == Phase::gating_rollback);
          ways.emplace_back(next_phase(at.phase, result, policy), at.passed_gate || passes);
        }
        for (const auto& [next, passed] : ways) {
          if (next.phase) {
            // A gate on the way there says nothing of what it goes back to.
            const bool counts = passed && *next.phase != Phase::rolling_back;
            open.push_back(
                {*next.phase, *next.phase == at.phase ? at.phase_attempts + 1 : 1, counts});
            continue;
          }
          ends.insert(*next.end);
          const bool well =
              *next.end == DeploymentEnd::committed || *next.end == DeploymentEnd::rolled_back;
          EXPECT_TRUE(!well || passed) << to_string(at.phase) << " " << end_text(*next.end);
        }
      }
      EXPECT_TRUE(ends.contains(DeploymentEnd::committed));
    }
  }
}

TEST(PhaseMachine, OnlyWhatIsRecordedAloneNeedsNoGate) {
  for (const DeploymentKind kind :
       {DeploymentKind::deploy, DeploymentKind::repair, DeploymentKind::record_only,
        DeploymentKind::operator_rollback, DeploymentKind::probation_rollback}) {
    EXPECT_EQ(is_gated(kind), kind != DeploymentKind::record_only);
    EXPECT_EQ(deployment_kind_from(to_string(kind)), kind);
  }
}

TEST(PhaseMachine, ReadsBackTheWordsOfTheJournal) {
  for (const Phase phase :
       {Phase::pulling, Phase::before, Phase::switching, Phase::starting, Phase::gating,
        Phase::committing, Phase::after, Phase::rolling_back, Phase::gating_rollback}) {
    EXPECT_EQ(phase_from(to_string(phase)), phase);
  }
  EXPECT_EQ(phase_from("dancing"), std::nullopt);
}

}  // namespace
}  // namespace trimtab
