// What is promised about hooks.
#include <algorithm>

#include "tests/simulation/hooks.hpp"
#include "tests/simulation/life.hpp"
#include "tests/simulation/processes.hpp"

namespace trimtab::simulation {

// In order, one at a time, and those before a deployment as long as nothing was touched.
void Life::follow_hook(const HookNews& news) {
  if (!daemon_ || broken_) return;
  const std::optional<Deployment>& deployment = daemon_->stack().store().in_flight();
  if (!deployment) return break_promise("the hook " + news.program + " runs without a deployment");
  HookLine& line = hook_lines_[{deployment->id, news.phase}];
  if (news.exit) {
    if (*news.exit == 0) ++line.done;
    line.ends_well = *news.exit == 0;
    return;
  }
  const HooksSettings settings = simulated_hooks();
  const bool is_before = news.phase == "before";
  const std::vector<HookSettings>& hooks = is_before ? settings.before : settings.after;
  const auto found = std::find_if(hooks.begin(), hooks.end(), [&](const HookSettings& one) {
    return one.run.front() == news.program;
  });
  const int number = static_cast<int>(found - hooks.begin());
  world_.tell("  hook " + news.program + " begins");
  if (processes::count() > 0) {
    break_promise("the hook " + news.program + " begins while another one still runs");
  }
  const bool is_touched = flight_deeds_ != world_.deeds && hands_ == flight_hands_;
  if (is_before && flight_ == deployment->id && is_touched) {
    break_promise("the hook " + news.program + " runs before, and containers were touched already");
  }
  // One that was skipped is not told of, also where one before it was cut off.
  const bool is_next = number > line.last && (line.last < 0 || line.ends_well);
  const bool is_cut_off = kills_ != line.kills || hands_ != line.hands;
  if (!is_next && !is_cut_off) {
    break_promise("the hook " + news.program + " of deployment " + std::to_string(deployment->id) +
                  " is out of its order");
  }
  if (!is_next) line.done = 0;
  line.last = number;
  line.ends_well = false;
  line.kills = kills_;
  line.hands = hands_;
}

// What is deployed was prepared, and what could not be prepared has touched nothing.
void Life::check_hooks(const Deployment& ended) {
  const auto line = hook_lines_.find({ended.id, "before"});
  const bool is_new = ended.kind == DeploymentKind::deploy || ended.kind == DeploymentKind::repair;
  const bool was_switched =
      std::any_of(ended.timeline.begin(), ended.timeline.end(),
                  [](const TimelineEntry& entry) { return entry.phase == "switching"; });
  if (is_new && !was_switched && flight_deeds_ != world_.deeds && hands_ == flight_hands_) {
    break_promise("deployment " + std::to_string(ended.id) +
                  " ended before anything was to be touched, and containers were");
  }
  const bool has_before = world_.has_hooks && is_new && was_switched && !ended.plan.empty();
  const bool was_skipped = std::any_of(
      ended.notices.begin(), ended.notices.end(),
      [](const std::string& notice) { return notice.find("was skipped") != std::string::npos; });
  if (!has_before || was_skipped) return;
  const int done = line == hook_lines_.end() ? 0 : line->second.done;
  const auto recorded = std::count_if(ended.hooks.begin(), ended.hooks.end(), [](auto& run) {
    return run.phase == "before" && run.exit == 0;
  });
  const auto wanted = static_cast<int>(simulated_hooks().before.size());
  if (done == wanted && recorded == wanted) return;
  break_promise("deployment " + std::to_string(ended.id) + " was begun after " +
                std::to_string(done) + " of its hooks, of which " + std::to_string(recorded) +
                " are recorded");
}

bool Life::is_hook_without_place() const {
  return world_.has_hooks &&
         std::any_of(stopped_manually_.begin(), stopped_manually_.end(), [&](const auto& id) {
           const auto found = world_.all.find(id);
           return found != world_.all.end() && found->second.seen.state != ContainerState::running;
         });
}

void Life::check_no_hook_left() {
  if (processes::count() > 0) break_promise("the process of a hook is left");
  for (const auto& [id, container] : world_.all) {
    if (container.seen.oneoff) break_promise("the container of a hook is left");
  }
}

}  // namespace trimtab::simulation
