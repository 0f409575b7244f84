// A deployment in progress, as its phases see it: its record so far and its collaborators.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "agent/compose/compose.hpp"
#include "agent/config/settings.hpp"
#include "agent/docker/docker.hpp"
#include "agent/execute/progress.hpp"
#include "agent/execute/stack_reader.hpp"
#include "agent/git/workspace.hpp"
#include "agent/model/deployment.hpp"
#include "agent/record/store.hpp"
#include "agent/registry/registry.hpp"
#include "common/known_values.hpp"

namespace trimtab {

// The collaborators of a run, all of which must outlive it.
struct DeploymentDeps {
  const StackSettings& settings;
  const std::string& project;
  Registry& registry;
  Docker& docker;
  Compose& compose;
  Store& store;
  Progress& progress;
  // Notified on Engine events and when a phase need not continue.
  WakeEvent& engine_changed;
};

// `superseded` and `paused` are called again whenever `engine_changed` is notified.
struct RunnerCallbacks {
  // Returns whether something newer than this release is wanted.
  std::function<bool(const Release&)> superseded;
  // Returns whether an operator has paused the stack.
  std::function<bool()> paused;
  // Ensures that the current Compose can read the release's compose.yaml.
  std::function<Task<Result<void>>(int release)> rerender_for_current_compose;
  std::map<std::string, std::uint64_t> pull_bytes;  // see Puller
  KnownValues values;                               // that nobody is to read in what is told
};

struct DeploymentRun {
  DeploymentRun(DeploymentDeps with, RunnerCallbacks asks);
  DeploymentRun(const DeploymentRun&) = delete;
  DeploymentRun& operator=(const DeploymentRun&) = delete;

  DeploymentDeps deps;
  RunnerCallbacks hooks;
  StackReader stack;
  WorkspaceLock* workspace = nullptr;  // while phases run
  Deployment deployment;
  bool stop_requested = false;
  std::optional<Result<void>> noted;  // whether what passed its gate could be noted as running
};

}  // namespace trimtab
