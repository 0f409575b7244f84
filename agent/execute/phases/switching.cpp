#include <fmt/core.h>

#include "agent/execute/failure_report.hpp"
#include "agent/execute/phases/checkout.hpp"
#include "agent/execute/phases/phases.hpp"
#include "agent/execute/running_record.hpp"
#include "agent/model/classify.hpp"
#include "common/failpoint.hpp"
#include "common/text.hpp"

namespace trimtab::phases {
namespace {

Task<Result<void>> report_edits(DeploymentRun& run, SwitchReport report) {
  if (report.local_edits.empty()) co_return Result<void>();
  const DeploymentDeps& deps = run.deps;
  const std::string notice =
      fmt::format("local edits in {} ({}) were saved as {}", deps.settings.directory.string(),
                  join(report.local_edits, ", "), report.saved_patch.string());
  deps.progress.note(notice);
  add_notice(run.deployment, notice);
  co_return co_await deps.store.save(run.deployment);
}

Task<Result<void>> switch_over(DeploymentRun& run) {
  Store& store = run.deps.store;
  const int number = run.deployment.release;
  const Result<void> there = co_await run.stack.volumes_are_there(number);
  if (!there) co_return there;
  const Result<SwitchReport> moved = co_await move_checkout(run, run.deployment.checkout, number);
  if (!moved) co_return moved.error();
  const Result<void> told = co_await report_edits(run, *moved);
  failpoint("switching:checked_out");
  if (!told) co_return told;
  // A job whose container is gone is only known from the record.
  const std::set<std::string> jobs = store.find(number)->jobs;
  const Result<void> saved = co_await save_boot_file(run, number, jobs);
  if (!saved) co_return saved;
  co_return co_await store.set_current(number);
}

}  // namespace

Task<PhaseOutcome> switching(DeploymentRun& run) {
  PhaseOutcome outcome;
  const Result<void> switched = co_await switch_over(run);
  if (switched) co_return outcome;
  const FailureCause cause = classify(Phase::switching, switched.error());
  outcome.docker_lost = switched.error().code == Errc::unavailable;
  outcome.result = failed_by(cause);
  outcome.failure = failure_of(Phase::switching, switched.error(), cause);
  co_return outcome;
}

}  // namespace trimtab::phases
