#include "agent/execute/failure_report.hpp"
#include "agent/execute/phases/checkout.hpp"
#include "agent/execute/phases/phases.hpp"
#include "agent/execute/running_record.hpp"
#include "agent/model/classify.hpp"
#include "common/failpoint.hpp"
#include "common/text.hpp"

namespace trimtab::phases {
namespace {

Result<void> tell_of_edits(Deployment& deployment, const SwitchReport& report) {
  if (report.local_edits.empty()) return {};
  const ExecutorParts& parts = deployment.parts;
  const std::string notice = "edits made by hand in " + parts.settings.directory.string() + " (" +
                             join(report.local_edits, ", ") + ") were saved as " +
                             report.saved_patch.string();
  parts.progress.remark(notice);
  add_notice(deployment.attempt, notice);
  return parts.store.save(deployment.attempt);
}

Task<Result<void>> switch_over(Deployment& deployment) {
  Store& store = deployment.parts.store;
  const int number = deployment.attempt.release;
  const Result<void> there = co_await deployment.stack.volumes_are_there(number);
  if (!there) co_return there;
  const Result<SwitchReport> moved =
      co_await move_checkout(deployment, deployment.attempt.checkout, number);
  if (!moved) co_return moved.error();
  const Result<void> told = tell_of_edits(deployment, *moved);
  failpoint("switching:checked_out");
  if (!told) co_return told;
  // A job whose container is gone since is known from the record alone.
  const std::set<std::string> jobs = store.find(number)->jobs;
  const Result<void> saved = co_await save_boot_file(deployment, number, jobs);
  if (!saved) co_return saved;
  co_return store.set_current(number);
}

}  // namespace

Task<PhaseOutcome> switching(Deployment& deployment) {
  PhaseOutcome outcome;
  const Result<void> switched = co_await switch_over(deployment);
  if (switched) co_return outcome;
  const FailureClass cls = classify(Phase::switching, switched.error());
  outcome.docker_lost = switched.error().code == Errc::unavailable;
  outcome.result = failed_by(cls);
  outcome.failure = failure_of(Phase::switching, switched.error(), cls);
  co_return outcome;
}

}  // namespace trimtab::phases
