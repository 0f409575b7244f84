// Runs one of the stack's hooks: in a running container, in one of the new release that is thrown
// away, or on the host. The Engine cannot end a process that it has started in a container, so each
// run carries a mark of its own in its environment, which is recorded: by that it is found among
// the host's processes when it is late, cut off, or left by a daemon that was killed. What a hook
// that ended well has started lives on.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/compose/compose.hpp"
#include "agent/execute/progress.hpp"
#include "agent/execute/stack_reader.hpp"

namespace trimtab {

// All outlive the runner.
struct HookRunnerDeps {
  const StackSettings& settings;
  const std::string& project;
  const Store& store;
  Docker& docker;
  Compose& compose;
  Progress& progress;
  const StackReader& stack;
};

// How a hook ended by itself, or that there is nothing to run it in.
struct HookEnd {
  int exit = 0;
  std::string skipped;
};

// Not the arguments, which may hold what is nobody's business.
std::string name_of(const HookSettings& hook);

// A new NAME=VALUE that one run of a hook has in its environment, and all that it starts. What one
// that ended well has started lives on, so that each run has its own.
std::string new_hook_mark(const Store& store);

// The end of what a hook that was cut off has left: processes with the mark ("": it has none), and
// the container of a one-off.
Task<void> end_hook(Docker& docker, const StackSettings& settings, std::string mark);

class HookRunner {
 public:
  // `deployment`: with the mark of this run; outlives the runner.
  HookRunner(HookRunnerDeps deps, const Deployment& deployment)
      : deps_(deps), deployment_(deployment) {}

  // What it writes last is added to `output`, which outlives the call. What it leaves running where
  // it does not end by itself is ended. Errors: timed_out; those of Docker and Compose; not_found,
  // invalid and denied where it cannot be run.
  Task<Result<HookEnd>> run(HookSettings hook, std::vector<std::string>* output);

 private:
  Task<Result<HookEnd>> run_for_service(HookSettings hook, std::vector<std::string>* output);
  Task<Result<HookEnd>> run_inside(HookSettings hook, std::vector<Container> present,
                                   std::vector<std::string>* output);
  Task<Result<HookEnd>> run_one_off(HookSettings hook, std::vector<std::string>* output);
  Task<Result<HookEnd>> run_program(HookSettings hook, std::vector<std::string>* output);
  Task<Result<void>> remove_ended(std::string container);
  [[nodiscard]] std::map<std::string, std::string> environment() const;

  HookRunnerDeps deps_;
  const Deployment& deployment_;
};

}  // namespace trimtab
