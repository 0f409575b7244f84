// A deployment as its phases see it: the deployment as far as it has come, and what it works with.
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
#include "agent/git/git.hpp"
#include "agent/model/deployment.hpp"
#include "agent/record/store.hpp"
#include "agent/registry/registry.hpp"
#include "common/known_values.hpp"

namespace trimtab {

// The collaborators of a run, all of which must outlive it.
struct DeploymentDeps {
  const StackSettings& settings;
  const std::string& project;
  Git& git;
  Registry& registry;
  Docker& docker;
  Compose& compose;
  Store& store;
  Progress& progress;
  // Notified when the Engine tells of something, and when a phase need not go on.
  WakeEvent& engine_changed;
};

// Both are asked again whenever `engine_changed` is notified.
struct RunnerCallbacks {
  // Whether something newer than this release is wanted by now.
  std::function<bool(const Release&)> superseded;
  // Whether an operator wants nothing to be changed.
  std::function<bool()> paused;
  // Makes sure that the release's compose.yaml is one that the present Compose can read.
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
  Deployment deployment;
  bool stop_requested = false;
  std::optional<Result<void>> noted;  // whether it could be noted what runs, once committed
};

}  // namespace trimtab
