// What operators do with the stack's unit, and what is promised about it: it boots what runs, and
// whoever stops it has stopped the stack.
#include <algorithm>

#include "agent/record/rendering.hpp"
#include "agent/units/stack_unit.hpp"
#include "common/files.hpp"
#include "tests/simulation/life.hpp"

namespace trimtab::simulation {
namespace {

using namespace std::chrono_literals;

// For what began before, and for the daemon to look again.
constexpr WorldTime time_to_notice = 1min;
constexpr WorldTime rest_of_stopped = 10min;

const char* const unit = "shop.service";

// As trimtab is to write it.
std::string wanted_text(const World& world, const Compose& compose) {
  StackUnit wanted;
  wanted.stack = "shop";
  wanted.project = "shop";
  wanted.directory = world.live().string();
  wanted.state_directory = (world.state() / "shop").string();
  wanted.empty_file = (world.state() / "empty").string();
  wanted.compose = compose.tool().argv;
  wanted.docker_socket = "/run/docker.sock";
  return stack_unit_text(wanted);
}

}  // namespace

// ---- What happens

void Life::by_systemctl(const StoryEvent& event) {
  // There is no such unit.
  if (!has_unit_) return;
  ++excused_creations_;
  ++hands_;
  if (world_.faults.systemd_away) ++people_;
  switch (event.what) {
    case Happening::stop_unit:
      return systemd_->stop(unit);
    case Happening::restart_unit:
      return systemd_->restart(unit);
    case Happening::start_unit:
      systemd_->start(unit);
      return;
    case Happening::disable_unit:
      systemd_->disable(unit);
      wants_enabled_ = false;
      if (event.detail % 2 == 0) systemd_->stop(unit);
      break;
    case Happening::enable_unit:
      systemd_->enable(unit);
      wants_enabled_ = true;
      systemd_->start(unit);
      break;
    default:  // edit_unit
      if (!std::filesystem::exists(systemd_->file(unit))) return;
      if (event.detail % 3 == 0) {
        const Result<void> edited = append_durably(systemd_->file(unit), "Nice=5\n");
        if (!edited) throw std::runtime_error(edited.error().text());
        return;
      }
      std::filesystem::remove(systemd_->file(unit));
      if (event.detail % 3 == 1) systemd_->read_files();
      return;
  }
  // Nobody cuts the power at that moment.
  systemd_->sync();
}

void Life::boot_unit() {
  if (!systemd_) return;
  systemd_->boot();
  const bool has_file = std::filesystem::exists(systemd_->file(unit));
  if (has_unit_ && wants_enabled_ && has_file && systemd_->is_down(unit)) {
    break_promise("the power is back, and the stack is not booted");
  }
}

void Life::start_what_is_stopped() {
  if (!systemd_ || !has_unit_ || broken_) return;
  if (systemd_->is_stopped(unit)) check_rest_while_stopped();
  if (broken_ || (!systemd_->is_stopped(unit) && wants_enabled_)) return;
  by_systemctl({{}, Happening::enable_unit, 0});
}

// ---- At all times

// While it is stopped the daemon starts nothing, unless it cannot know.
void Life::check_stop() {
  if (daemon_) has_unit_ = has_unit_ || daemon_->stack().store().intent().unit == unit;
  // Those of the unit's Compose.
  if (has_unit_ && !systemd_->is_active(unit)) ++hands_;
  const bool is_stopped = has_unit_ && systemd_->is_stopped(unit);
  if (!is_stopped) stopped_since_.reset();
  if (is_stopped && !stopped_since_) {
    stopped_since_ = wall_now();
    unit_is_known_from_ = world_.now() + time_to_notice;
  }
  if (world_.faults.systemd_away) unit_is_known_from_ = world_.now() + time_to_notice;
  // What Docker has started by the time that the daemon can know of the stop, a person may have.
  if (is_stopped && world_.faults.systemd_away) stopped_since_ = wall_now();
  const bool goes_on = daemon_ && daemon_->stack().deployment();
  if (!is_stopped || goes_on || world_.now() < unit_is_known_from_) {
    return starts_while_stopped_.reset();
  }
  if (!starts_while_stopped_) starts_while_stopped_ = world_.starts;
  if (*starts_while_stopped_ != world_.starts) {
    break_promise("a container was started while the unit was stopped");
  }
}

// ---- At rest

// Nothing runs but what was not stopped with it, which is told.
void Life::check_rest_while_stopped() {
  live_until(world_.now() + rest_of_stopped);
  if (broken_) return;
  world_.tell("at rest while stopped: status says " + said());
  const StackStatus& status = daemon_->stack().stack_status();
  if (status.state != StackState::stopped) {
    return break_promise("the unit is stopped, and status says " + said());
  }
  for (const auto& [id, container] : world_.all) {
    const Container& seen = container.seen;
    if (!is_ours(container) || seen.state != ContainerState::running) continue;
    // Docker starts by itself what ends by itself.
    if (seen.started_at > *stopped_since_ && seen.restart_count == 0) {
      break_promise(seen.name + " runs, though it was started after the unit was stopped");
    } else if (status.reason.find(seen.service) == std::string::npos) {
      break_promise(seen.name + " runs in a stack that is stopped, and status says " + said());
    }
  }
}

bool Life::is_made_by_unit(const std::string& service) const {
  return std::any_of(world_.all.begin(), world_.all.end(), [&](const auto& entry) {
    const Container& seen = entry.second.seen;
    return seen.service == service && seen.config_files.ends_with("/boot.yaml");
  });
}

void Life::check_unit() {
  const Reconciler& stack = daemon_->stack();
  const ReleaseRecord* const current = stack.store().current();
  if (current == nullptr || current->seen.empty()) return;
  if (!has_unit_) return break_promise("no unit boots the stack");
  const Result<std::string> text = read_file(systemd_->file(unit), max_bytes);
  if (!text || *text != wanted_text(world_, daemon_->compose())) {
    break_promise("the unit's file is not as it is to be");
  }
  if (!systemd_->has_read(unit)) break_promise("systemd has not read the unit's file");
  const UnitState state = systemd_->state(unit);
  const std::optional<UnitView>& view = stack.unit();
  if ((state.enabled == "enabled") != wants_enabled_) {
    break_promise("the unit is " + state.enabled + ", against what operators want");
  }
  if (!view || view->active != state.active || view->enabled != wants_enabled_) {
    break_promise("status shows another state of the unit than " + state.active);
  }
  const Result<Rendering> rendering = read_rendering(stack.store(), current->number);
  if (needs_a_person() || !rendering || !content_works(*rendering)) return;
  if (state.active != "active") break_promise("the unit is " + state.active);
  if (!view->problem.empty()) break_promise("the unit has a problem: " + view->problem);
  check_what_is_booted();
}

// By the unit: the services of the current release, from its boot.yaml.
void Life::check_what_is_booted() {
  const Store& store = daemon_->stack().store();
  const int number = store.current()->number;
  const Result<Rendering> rendering = read_rendering(store, number);
  const std::filesystem::path directory = store.directory() / "current";
  const Result<std::string> listed = read_file(directory / "boot.env", max_bytes);
  const Result<std::string> yaml = read_file(directory / "boot.yaml", max_bytes);
  const Result<Json> model = yaml ? parse_compose_file(*yaml) : yaml.error();
  if (!listed || !model) return break_promise("what the unit boots cannot be read");
  const std::string wanted = "TRIMTAB_SERVICES=" + join(rendering->service_names(), " ") + "\n";
  if (*listed != wanted) break_promise("the unit boots " + *listed);
  if ((*model)["services"] != rendering->model["services"]) {
    break_promise("the unit boots other services than those of release " + std::to_string(number));
  }
}

}  // namespace trimtab::simulation
