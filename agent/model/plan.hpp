// A plan: what applying a release would do to each service, and why.
#pragma once

#include <compare>
#include <string>
#include <string_view>
#include <vector>

namespace trimtab {

enum class Action {
  none,
  create,    // there is no container yet
  recreate,  // replaces the old container by a new one
  restart,   // restarts the same container
  roll,      // like recreate, but the new container must work before the old one is stopped
  reload,    // the same container keeps running and rereads its files
  remove,    // the release does not have this service
};

enum class Risk {
  none,
  restart,  // the service is down for a moment
  data,     // a service with data in a volume is replaced
};

std::string_view to_string(Action action);
std::string_view to_string(Risk risk);
Action action_from(std::string_view text);
Risk risk_from(std::string_view text);

struct Step {
  std::string service;
  Action action = Action::none;
  Risk risk = Risk::none;
  std::vector<std::string> reasons;  // for the user; never values of variables

  friend bool operator==(const Step&, const Step&) = default;
};

// One step for each service of the release and each running service, by name.
struct Plan {
  std::vector<Step> steps;

  [[nodiscard]] bool empty() const;  // whether no step does anything
  // Returns the services that Compose must create or replace; without rolled ones.
  [[nodiscard]] std::vector<std::string> to_apply() const;
  [[nodiscard]] std::vector<std::string> with(Action action) const;

  friend bool operator==(const Plan&, const Plan&) = default;
};

// The cause of a failure, which determines what happens next.
enum class FailureCause {
  release,  // the release itself: rejected until it changes
  host,     // this host, its network, a registry, Docker or memory: retried with backoff
};

// A problem found by a preflight check.
struct PreflightFinding {
  enum class Severity { error, warning };
  std::string name;  // stable: "unset-variable", "host-port-taken", …
  Severity severity = Severity::error;
  FailureCause cause = FailureCause::release;
  std::string subject;  // distinguishes findings of the same name; not stored
  std::string message;  // what is wrong and where
  std::string hint;     // what to do

  friend bool operator==(const PreflightFinding&, const PreflightFinding&) = default;
};

// A line of an env file whose value contains a $ that begins an unset variable.
struct DollarValue {
  std::string file;
  int line = 0;
  std::string name;  // variable that the line sets

  friend auto operator<=>(const DollarValue&, const DollarValue&) = default;
};

bool has_errors(const std::vector<PreflightFinding>& findings);

}  // namespace trimtab
