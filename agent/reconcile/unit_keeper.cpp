#include "agent/reconcile/unit_keeper.hpp"

#include <fmt/core.h>

#include "agent/notify/milestones.hpp"
#include "agent/sources/backoff.hpp"
#include "common/disk_thread.hpp"
#include "common/files.hpp"

namespace trimtab {
namespace {

constexpr std::size_t max_unit_file = 256 * 1024;
constexpr unsigned unit_file_mode = 0644;
constexpr std::chrono::milliseconds first_restart = std::chrono::seconds(30);

bool is_somebody_elses(const UnitFacts& facts) {
  if (facts.file_text) return !is_written_by_trimtab(*facts.file_text);
  return !facts.state.file.empty() && facts.state.file != facts.path;
}

// A daemon that is stopping waits for no answer, which is no problem of the unit.
std::string problem_of(const Error& error) {
  return error.code == Errc::cancelled ? std::string() : error.text();
}

}  // namespace

UnitStep next_unit_step(const UnitFacts& facts) {
  if (is_somebody_elses(facts)) return UnitStep::refuse;
  // A unit that was brought up is kept whatever runs: it is what starts a stack that was stopped.
  if (!facts.has_release || !(facts.passed_gate || facts.brought_up)) return UnitStep::none;
  if (facts.file_text != facts.wanted_text || facts.reload_is_due) return UnitStep::write;
  if (!facts.passed_gate || !facts.docker_answers) return UnitStep::none;
  if (!facts.brought_up) return UnitStep::bring_up;
  const bool failed = facts.state.active == "failed" && !facts.state.has_job;
  return failed && !is_stopped_by_operator(facts) ? UnitStep::start : UnitStep::none;
}

bool is_stopped_by_operator(const UnitFacts& facts) {
  if (!facts.brought_up || facts.state.has_job || is_somebody_elses(facts)) return false;
  if (facts.state.active == "inactive") return true;
  // `systemctl stop` does not change a failed unit, so disabling it has the same meaning.
  return facts.state.active == "failed" &&
         (facts.state.failed_to_stop || facts.state.enabled == "disabled");
}

UnitKeeper::UnitKeeper(Units* units, std::filesystem::path unit_directory, std::string name,
                       Store& store)
    : units_(units),
      path_(std::move(unit_directory) / name),
      name_(std::move(name)),
      store_(store),
      is_moving_(units != nullptr) {}

Task<void> UnitKeeper::check(StackUnit unit, bool docker_answers) {
  if (units_ == nullptr) co_return;
  UnitFacts facts;
  UnitView view;
  view.name = name_;
  const Result<void> retired = co_await remove_earlier_unit(unit.stack);
  if (!retired) view.problem = problem_of(retired.error());
  const Result<UnitState> state = co_await units_->state(name_);
  if (!state) {
    is_moving_ = true;  // for all that is known
    view.problem = problem_of(state.error());
    show(std::move(view), unit.stack);
    co_return;
  }
  facts.state = *state;
  facts.path = path_.string();
  // A unit written by an earlier trimtab lacks the files that it reads until they are written.
  const ReleaseRecord* const current = store_.current();
  facts.has_release = current != nullptr && store_.has_boot_files(current->number);
  facts.passed_gate = current != nullptr && !current->seen.empty();
  // If unknown, an operator may have stopped it.
  facts.brought_up = store_.intent().unit == name_ || store_.intent().is_unknown;
  facts.docker_answers = docker_answers;
  facts.reload_is_due = reload_is_due_;
  facts.wanted_text = stack_unit_text(unit);
  const Result<std::string> text = read_file(path_, max_unit_file);
  if (text) facts.file_text = *text;
  view.active = state->active;
  view.enabled = state->enabled == "enabled";
  is_moving_ = state->has_job || state->active == "activating" || state->active == "deactivating" ||
               state->active == "reloading";
  is_stopped_ = is_stopped_by_operator(facts);
  if (state->active == "active") failed_starts_ = 0;
  // The Compose that it must call is not known yet.
  const UnitStep step = unit.compose.empty() ? UnitStep::none : next_unit_step(facts);
  if (step == UnitStep::refuse) {
    const std::string file = facts.state.file.empty() ? facts.path : facts.state.file;
    view.problem = fmt::format(
        "{} was not written by trimtab and is left alone: move it away, or give this stack another "
        "`unit:`",
        file);
    is_moving_ = false;
  } else if (step != UnitStep::none) {
    const Result<void> taken = co_await take(step, facts);
    if (!taken) view.problem = problem_of(taken.error());
  }
  show(std::move(view), unit.stack);
}

// Logs each problem once.
void UnitKeeper::show(UnitView view, const std::string& stack) {
  const std::string told = view_ ? view_->problem : std::string();
  if (view.problem != told && !view.problem.empty()) {
    log_milestone(Milestone::unit_changed, spdlog::level::warn, {stack, 0, "", ""},
                  name_ + ": " + view.problem);
  }
  view_ = std::move(view);
}

// Removes the unit that the settings named before, which would keep starting the stack beside this
// one.
Task<Result<void>> UnitKeeper::remove_earlier_unit(std::string stack) {
  const std::string earlier = store_.intent().unit;
  if (earlier.empty() || earlier == name_) co_return Result<void>();
  const std::filesystem::path file = path_.parent_path() / earlier;
  const Result<std::string> text = read_file(file, max_unit_file);
  if (text && is_unit_of(*text, stack)) {
    const Result<void> disabled = co_await units_->disable(earlier);
    if (!disabled) co_return disabled;
    std::error_code ec;
    std::filesystem::remove(file, ec);
    if (ec) {
      co_return Error{
          Errc::failed, fmt::format("cannot remove {}: {}", file.string(), ec.message()), {}};
    }
    reload_is_due_ = true;
    const Result<void> synced = co_await sync_units();
    if (!synced) co_return synced;
    log_milestone(
        Milestone::unit_changed, spdlog::level::info, {stack, 0, "", ""},
        fmt::format("{} is removed: {} starts the stack at boot from now on", earlier, name_));
  }
  const std::function<void(Intent&)> forget = [](Intent& intent) { intent.unit.clear(); };
  co_return co_await store_.change_intent(forget);
}

Task<Result<void>> UnitKeeper::reload() {
  reload_is_due_ = true;
  const Result<void> reloaded = co_await units_->reload();
  if (reloaded) reload_is_due_ = false;
  co_return reloaded;
}

// systemd syncs neither the links that it makes nor their removal. Once it is recorded that the
// unit was brought up, one that a power cut has disabled would count as stopped by an operator.
Task<Result<void>> UnitKeeper::sync_units() {
  const auto sync = [directory = path_.parent_path()] { return sync_tree(directory); };
  co_return co_await on_disk_thread(sync);
}

Task<Result<void>> UnitKeeper::take(UnitStep step, UnitFacts facts) {
  const std::string stack = store_.directory().filename().string();
  if (step == UnitStep::write) {
    if (facts.file_text != facts.wanted_text) {
      const auto write = [&] {
        return write_file_durably(path_, facts.wanted_text, unit_file_mode);
      };
      const Result<void> written = co_await on_disk_thread(write);
      if (!written) co_return written;
      log_milestone(Milestone::unit_changed, spdlog::level::info, {stack, 0, "", ""},
                    facts.file_text ? name_ + " was changed and is restored"
                                    : name_ + " is written: it starts the stack at boot");
    }
    const Result<void> reloaded = co_await reload();
    if (!reloaded || facts.brought_up || !facts.docker_answers) co_return reloaded;
    step = UnitStep::bring_up;
  }
  if (step == UnitStep::bring_up) {
    const Result<void> enabled = co_await units_->enable(name_);
    if (!enabled) co_return enabled;
    const Result<void> synced = co_await sync_units();
    if (!synced) co_return synced;
    const Result<void> reloaded = co_await reload();
    if (!reloaded) co_return reloaded;
    const Result<void> started = co_await units_->start(name_);
    if (!started) co_return started;
    is_moving_ = true;
    is_stopped_ = false;
    const std::function<void(Intent&)> note = [this](Intent& intent) { intent.unit = name_; };
    co_return co_await store_.change_intent(note);
  }
  // It failed, and no operator stopped it.
  if (SteadyClock::now() < next_start_) {
    co_return Error{Errc::failed, name_ + " failed; it is restarted later",
                    fmt::format("`journalctl -u {}` shows why", name_)};
  }
  next_start_ =
      SteadyClock::now() + next_interval(first_restart, failed_starts_++, random_jitter());
  is_moving_ = true;
  log_milestone(Milestone::unit_changed, spdlog::level::warn, {stack, 0, "", ""},
                name_ + " failed and is restarted");
  co_return co_await units_->start(name_);
}

}  // namespace trimtab
