// A plan: what applying a release would do to each service, and why.
#pragma once

#include <compare>
#include <string>
#include <string_view>
#include <vector>

namespace trimtab {

enum class Action {
  none,
  create,    // no container yet
  recreate,  // a new container takes the place of the old one
  restart,   // the same container, started again
  roll,      // as recreate, but the new container works before the old one goes
  reload,    // the same container goes on and reads its files again
  remove,    // the release has no such service
};

enum class Risk {
  none,
  restart,  // the service is away for a moment
  data,     // the service keeps data in a volume and is replaced
};

std::string_view to_string(Action action);
std::string_view to_string(Risk risk);
Action action_from(std::string_view text);
Risk risk_from(std::string_view text);

struct Step {
  std::string service;
  Action action = Action::none;
  Risk risk = Risk::none;
  std::vector<std::string> reasons;  // words for people; never values of variables

  friend bool operator==(const Step&, const Step&) = default;
};

// One step for each service of the release and of what runs, by name.
struct Plan {
  std::vector<Step> steps;

  [[nodiscard]] bool empty() const;  // no step does anything
  // The services that Compose is to create or replace, rolled ones left out.
  [[nodiscard]] std::vector<std::string> to_apply() const;
  [[nodiscard]] std::vector<std::string> with(Action action) const;

  friend bool operator==(const Plan&, const Plan&) = default;
};

// What is at fault, and so what becomes of it.
enum class FailureCause {
  release,  // the release itself: not tried again until it changes
  host,     // this host, network, registry, Docker, memory: tried again with backoff
};

// Something that a preflight check found.
struct PreflightFinding {
  enum class Severity { error, warning };
  std::string name;  // stable: "unset-variable", "host-port-taken", …
  Severity severity = Severity::error;
  FailureCause cause = FailureCause::release;
  std::string subject;  // what it is about, where one release may have several; not kept
  std::string message;  // what is wrong, where
  std::string hint;     // what to do

  friend bool operator==(const PreflightFinding&, const PreflightFinding&) = default;
};

// A line of an env file in whose value a $ begins a variable that nothing sets.
struct DollarValue {
  std::string file;
  int line = 0;
  std::string name;  // of the variable that the line sets

  friend auto operator<=>(const DollarValue&, const DollarValue&) = default;
};

bool has_errors(const std::vector<PreflightFinding>& findings);

}  // namespace trimtab
