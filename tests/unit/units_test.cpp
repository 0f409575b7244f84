// The unit that boots a stack: its text, whose it is, and what is done about it.
#include <gtest/gtest.h>

#include "agent/reconcile/stack_status.hpp"
#include "agent/reconcile/unit_keeper.hpp"
#include "agent/units/stack_unit.hpp"

namespace trimtab {
namespace {

StackUnit shop() {
  StackUnit unit;
  unit.stack = "shop";
  unit.project = "acme";
  unit.directory = "/srv/shop";
  unit.state_directory = "/var/lib/trimtab/shop";
  unit.empty_file = "/var/lib/trimtab/empty";
  unit.compose = {"/usr/bin/docker", "compose"};
  unit.docker_socket = "/run/docker.sock";
  return unit;
}

TEST(StackUnit, BootsWhatCurrentLinksToWithoutTheNetwork) {
  const auto compose = [](const std::string& file) {
    return R"("/usr/bin/docker" "compose" "-f" "/var/lib/trimtab/shop/current/)" + file +
           R"(" "--project-directory" "/srv/shop" "--env-file" "/var/lib/trimtab/empty" )"
           R"("-p" "acme" )";
  };
  const std::string start = compose("boot.yaml");
  EXPECT_EQ(stack_unit_text(shop()),
            R"(# Written by trimtab for the stack shop, and restored if it is changed.
# `systemctl edit` adds settings of your own in a file beside it.
[Unit]
Description=Docker Compose stack shop, kept by trimtab
Documentation=man:trimtabd(8)
Wants=docker.service
After=docker.service
RequiresMountsFor="/srv/shop"
ConditionPathExists=/var/lib/trimtab/shop/current/compose.yaml

[Service]
Type=oneshot
RemainAfterExit=yes
EnvironmentFile=/var/lib/trimtab/shop/current/boot.env
Environment="DOCKER_HOST=unix:///run/docker.sock"
ExecStart=)" + start +
                R"("up" "-d" "--no-build" "--no-deps" "--no-recreate" "--pull" "never" )"
                R"($TRIMTAB_SERVICES
ExecReload=)" + start +
                R"("up" "-d" "--no-build" "--no-deps" "--no-recreate" "--pull" "never" )"
                R"($TRIMTAB_SERVICES
ExecStop=)" + compose("compose.yaml") +
                R"("stop"
TimeoutStopSec=10min

[Install]
WantedBy=multi-user.target
)");
}

TEST(StackUnit, WhatSystemdWouldReadAsItsOwnIsEscaped) {
  StackUnit unit = shop();
  unit.directory = R"(/srv/50% of "my $HOME" \here)";
  EXPECT_NE(stack_unit_text(unit).find(R"("/srv/50%% of \"my $$HOME\" \\here")"),
            std::string::npos);
  EXPECT_NE(stack_unit_text(unit).find(R"(RequiresMountsFor="/srv/50%% of \"my $HOME\" \\here")"),
            std::string::npos);
}

TEST(StackUnit, AnOldComposeIsNotAskedForWhatItDoesNotKnow) {
  StackUnit unit = shop();
  unit.has_pull_option = false;
  EXPECT_EQ(stack_unit_text(unit).find("--pull"), std::string::npos);
}

TEST(StackUnit, IsToldFromAnyOther) {
  EXPECT_TRUE(is_written_by_trimtab(stack_unit_text(shop())));
  EXPECT_FALSE(is_written_by_trimtab("[Unit]\n# Written by trimtab\n"));
  EXPECT_FALSE(is_written_by_trimtab(""));
  EXPECT_TRUE(is_unit_of(stack_unit_text(shop()), "shop"));
  EXPECT_FALSE(is_unit_of(stack_unit_text(shop()), "sho"));
}

TEST(StackUnit, StartsTheServicesThatAreNamed) {
  EXPECT_EQ(boot_file_text({"db", "web"}, {}), "TRIMTAB_SERVICES=db web\n");
  EXPECT_EQ(boot_file_text({}, {{"KEY", "a \"b\" $c\nd"}}),
            "TRIMTAB_SERVICES=--help\nKEY=\"a \\\"b\\\" \\$c\nd\"\n");
}

struct StepCase {
  const char* name;
  UnitStep expected;
  std::function<void(UnitFacts&)> change;
};

TEST(UnitKeeper, TakesOneStepTowardsAUnitThatBootsTheStack) {
  const auto text = stack_unit_text(shop());
  const std::vector<StepCase> rows{
      {"all is well", UnitStep::none, [](UnitFacts&) {}},
      {"nothing runs yet", UnitStep::none,
       [](UnitFacts& facts) {
         facts.has_release = false;
         facts.file_text.reset();
       }},
      {"what runs has passed no gate yet", UnitStep::none,
       [](UnitFacts& facts) {
         facts.passed_gate = false;
         facts.brought_up = false;
         facts.file_text.reset();
       }},
      {"what runs has passed no gate, and the unit's file is gone", UnitStep::write,
       [](UnitFacts& facts) {
         facts.passed_gate = false;
         facts.file_text.reset();
       }},
      {"what runs has passed no gate, and the unit failed", UnitStep::none,
       [](UnitFacts& facts) {
         facts.passed_gate = false;
         facts.state.active = "failed";
       }},
      {"there is no file", UnitStep::write, [](UnitFacts& facts) { facts.file_text.reset(); }},
      {"it was edited", UnitStep::write, [](UnitFacts& facts) { *facts.file_text += "Nice=5\n"; }},
      {"it was never started", UnitStep::bring_up,
       [](UnitFacts& facts) { facts.brought_up = false; }},
      {"an operator stopped it", UnitStep::none,
       [](UnitFacts& facts) { facts.state.active = "inactive"; }},
      {"an operator disabled it", UnitStep::none,
       [](UnitFacts& facts) { facts.state.enabled = "disabled"; }},
      {"it failed", UnitStep::start, [](UnitFacts& facts) { facts.state.active = "failed"; }},
      {"it failed, and Docker is away", UnitStep::none,
       [](UnitFacts& facts) {
         facts.state.active = "failed";
         facts.docker_answers = false;
       }},
      {"it failed when it was stopped", UnitStep::none,
       [](UnitFacts& facts) {
         facts.state.active = "failed";
         facts.state.failed_to_stop = true;
       }},
      {"it failed and was disabled", UnitStep::none,
       [](UnitFacts& facts) {
         facts.state.active = "failed";
         facts.state.enabled = "disabled";
       }},
      {"it was never started, and Docker is away", UnitStep::none,
       [](UnitFacts& facts) {
         facts.brought_up = false;
         facts.docker_answers = false;
       }},
      {"systemd does not know of the file yet", UnitStep::write,
       [](UnitFacts& facts) { facts.reload_is_due = true; }},
      {"a file of somebody else", UnitStep::refuse,
       [](UnitFacts& facts) { facts.file_text = "[Unit]\nDescription=Shop\n"; }},
      {"somebody else's, before there is a release", UnitStep::refuse,
       [](UnitFacts& facts) {
         facts.has_release = false;
         facts.file_text = "[Unit]\nDescription=Shop\n";
       }},
      {"somebody else's, of a package", UnitStep::refuse, [](UnitFacts& facts) {
         facts.file_text.reset();
         facts.state.file = "/lib/systemd/system/shop.service";
       }}};
  for (const StepCase& row : rows) {
    UnitFacts facts;
    facts.has_release = true;
    facts.passed_gate = true;
    facts.brought_up = true;
    facts.path = "/etc/systemd/system/shop.service";
    facts.file_text = text;
    facts.wanted_text = text;
    facts.state = {"loaded", "active", facts.path, "enabled", false, false, {}};
    row.change(facts);
    EXPECT_EQ(next_unit_step(facts), row.expected) << row.name;
  }
}

TEST(UnitKeeper, KnowsWhenAnOperatorHasStoppedTheStack) {
  struct Row {
    const char* active;
    const char* enabled;
    bool failed_to_stop;
    bool has_job;
    bool brought_up;
    bool expected;
  };
  const std::vector<Row> rows{
      {"active", "enabled", false, false, true, false},
      {"active", "disabled", false, false, true, false},
      {"inactive", "enabled", false, false, true, true},
      {"inactive", "enabled", false, true, true, false},
      {"inactive", "enabled", false, false, false, false},
      // The times of an active unit are those of its last stop.
      {"active", "enabled", true, false, true, false},
      {"failed", "enabled", false, false, true, false},
      {"failed", "enabled", true, false, true, true},
      {"failed", "disabled", false, false, true, true},
  };
  for (const Row& row : rows) {
    UnitFacts facts;
    facts.has_release = true;
    facts.brought_up = row.brought_up;
    facts.path = "/etc/systemd/system/shop.service";
    facts.file_text = facts.wanted_text = stack_unit_text(shop());
    facts.state = {"loaded",    row.active,         facts.path, row.enabled,
                   row.has_job, row.failed_to_stop, {}};
    EXPECT_EQ(is_stopped_by_operator(facts), row.expected) << row.active << " " << row.enabled;
  }
}

}  // namespace
}  // namespace trimtab
