// Applies a plan: its operations one after the other, each decided from the plan and what is there.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/execute/deployment_run.hpp"
#include "agent/execute/operations.hpp"
#include "agent/execute/service_operations.hpp"

namespace trimtab {

// The plan to apply.
struct Application {
  int release = 0;  // that the plan leads to
  Plan plan;
  bool force_recreate = false;  // Compose replaces also what is equal to it
  bool going_back = false;      // what runs matters more than a proxy that does not take its files
};

class PlanApplier {
 public:
  // The deployment outlives it.
  PlanApplier(DeploymentRun& run, Application wanted);

  // The first error ends it. cancelled where a stop was requested.
  Task<Result<void>> run();
  // What is known of that error besides its words.
  [[nodiscard]] const std::optional<Failure>& failure() const { return failure_; }

 private:
  Task<Result<void>> perform(Operation operation);
  Task<Result<void>> await(std::vector<std::string> services);
  Task<Result<void>> roll(std::vector<std::string> services);
  // A phase that is begun again goes on with what was noted.
  Task<Result<void>> note_outgoing(std::vector<std::string> services);
  [[nodiscard]] std::set<std::string> new_files() const;

  DeploymentRun& run_;
  Application wanted_;
  ServiceOperations operations_;
  Rendering rendering_;
  std::optional<Failure> failure_;
};

}  // namespace trimtab
