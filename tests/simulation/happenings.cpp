// What happens in a life: outside, on the host, and by people.
#include <algorithm>

#include "common/files.hpp"
#include "tests/simulation/disk.hpp"
#include "tests/simulation/life.hpp"

namespace trimtab::simulation {
namespace {

using namespace std::chrono_literals;

// A deployment makes about a hundred.
constexpr std::uint64_t max_changes = 300;
constexpr std::uint64_t max_calls = 300;
// What was begun before a pause is done in that time.
constexpr WorldTime longest_deed = 3s;

std::string compose_file(int version, const std::string& mode, const std::string& image,
                         bool starts_first, bool has_unit) {
  Json file;
  Json& db = file["services"]["db"];
  db["image"] = "acme/db:16";
  db["restart"] = has_unit ? "always" : "unless-stopped";
  db["volumes"] = Json::array({"data:/data"});
  Json& web = file["services"]["web"];
  web["image"] = image;
  web["restart"] = "unless-stopped";
  web["environment"]["VERSION"] = std::to_string(version);
  web["environment"]["MODE"] = mode == "fine" ? "${WEB_MODE}" : mode;
  web["depends_on"] = Json::array({"db"});
  if (starts_first) web["deploy"]["update_config"]["order"] = "start-first";
  file["volumes"]["data"] = Json::object();
  return file.dump();
}

}  // namespace

void Life::push(const std::string& subject, const std::string& mode, const std::string& image) {
  std::string file = compose_file(++version_, mode, image, starts_first_, systemd_.has_value());
  world_.push(subject, {{"compose.yaml", std::move(file)}});
}

void Life::happen(const StoryEvent& event) {
  world_.tell("» " + std::string(to_string(event.what)));
  const WorldTime while_ = WorldTime(1s) * (5 + event.detail % 600);
  const auto for_a_while = [&](std::function<void()> ends) {
    faults_end_ = std::max(faults_end_, world_.now() + while_);
    world_.after(while_, std::move(ends));
  };
  Behaviour web;
  web.has_health_check = true;
  web.answers_after = WorldTime(1s) * (event.detail % 20);
  switch (event.what) {
    case Happening::push_good:
      return push("good", "fine", web_image);
    case Happening::push_unchanged:
      world_.push("unchanged", std::map(world_.find_commit(world_.tip)->files));
      return;
    case Happening::push_that_ends:
      return push("ends", "ends", web_image);
    case Happening::push_that_ails:
      return push("ails", "ails", web_image);
    case Happening::push_that_ends_late:
      return push("ends late", "ends-late", web_image);
    case Happening::push_without_services:
      world_.push("no services", {{"compose.yaml", "services: {}\n"}});
      return;
    case Happening::push_before_image: {
      const std::string image = "acme/web:v" + std::to_string(version_ + 1);
      push("image comes later", "fine", image);
      return for_a_while([this, image, web] { world_.publish(image, web); });
    }
    case Happening::image_good:
      world_.publish(web_image, web);
      return;
    case Happening::image_that_ends:
      web.ends_after = 1s;
      world_.publish(web_image, web);
      return;
    case Happening::image_that_cannot_start:
      web.starts = false;
      world_.publish(web_image, web);
      return;
    case Happening::edit_env_good:
    case Happening::edit_env_bad: {
      const bool good = event.what == Happening::edit_env_good;
      env_mode_ = good ? "fine-" + std::to_string(event.detail % 3) : "ends";
      const Result<void> written =
          write_file_durably(world_.live() / ".env", "WEB_MODE=" + env_mode_ + "\n");
      if (!written) throw std::runtime_error(written.error().text());
      return;
    }
    case Happening::deploy:
    case Happening::roll_back:
    case Happening::roll_back_to:
    case Happening::pause:
    case Happening::resume:
      return by_operator(event);
    case Happening::remove_by_hand:
    case Happening::stop_by_hand:
    case Happening::kill_by_hand:
    case Happening::wear_out:
    case Happening::run_beside:
    case Happening::remove_beside:
    case Happening::lose_volume:
    case Happening::bring_volume_back:
      return to_containers(event);
    case Happening::restart_engine:
      ++excused_creations_;
      ++hands_;
      return world_.restart_engine(while_ / 10);
    case Happening::remote_away:
      world_.faults.remote_away = true;
      return for_a_while([this] { world_.faults.remote_away = false; });
    case Happening::registry_away:
      world_.faults.registry_away = true;
      return for_a_while([this] { world_.faults.registry_away = false; });
    case Happening::compose_fails:
      world_.faults.compose_fails = true;
      return for_a_while([this] { world_.faults.compose_fails = false; });
    case Happening::hinder_way_back:
      hinders_way_back_ = while_;
      return;
    case Happening::kill_daemon:
      return end_daemon(false);
    case Happening::kill_between_changes:
      return disk::kill_after(event.detail % max_changes);
    case Happening::cut_power:
      return end_daemon(true);
    case Happening::cut_power_between_changes:
      loses_power_ = true;
      return disk::kill_after(event.detail % max_changes);
    case Happening::fill_disk:
      trial_.was_hindered = true;
      disk::set_full(true);
      return for_a_while([] { disk::set_full(false); });
    case Happening::rest:
      return come_to_rest(max_peace);
    case Happening::starts_first:
    case Happening::has_hooks:
      return;
    case Happening::push_that_cannot_migrate:
      if (!world_.has_hooks) return;
      return push("cannot migrate", event.detail % 2 == 0 ? migration_fails : migration_hangs,
                  web_image);
    case Happening::hooks_fail:
      world_.faults.hooks_fail = true;
      return for_a_while([this] { world_.faults.hooks_fail = false; });
    case Happening::hooks_hang:
      world_.faults.hooks_hang = true;
      return for_a_while([this] { world_.faults.hooks_hang = false; });
    case Happening::kill_between_calls:
    case Happening::cut_power_between_calls:
      loses_power_ = event.what == Happening::cut_power_between_calls;
      world_.calls_left = event.detail % max_calls;
      return;
    case Happening::has_unit:
      return;
    case Happening::stop_unit:
    case Happening::start_unit:
    case Happening::restart_unit:
    case Happening::disable_unit:
    case Happening::enable_unit:
    case Happening::edit_unit:
      return by_systemctl(event);
    case Happening::systemd_away:
      world_.faults.systemd_away = true;
      return for_a_while([this] { world_.faults.systemd_away = false; });
  }
}

void Life::by_operator(const StoryEvent& event) {
  if (!daemon_) return;
  Reconciler& stack = daemon_->stack();
  const auto tell = [this](const Result<std::string>& answer) {
    world_.tell("  is told: " + (answer ? "accepted" : answer.error().text()));
  };
  if (event.what == Happening::deploy) tell(stack.deploy(""));
  const bool is_release_asked_for = event.what == Happening::deploy ||
                                    event.what == Happening::roll_back ||
                                    event.what == Happening::roll_back_to;
  if (is_release_asked_for) chosen_ = 0;
  if (event.what == Happening::roll_back_to) chosen_ = choose_good_release(event.detail);
  if (event.what == Happening::roll_back) tell(stack.rollback(0));
  if (event.what == Happening::roll_back_to) tell(stack.rollback(chosen_));
  if (event.what == Happening::pause) {
    trial_.was_hindered = true;
    daemon_->ask(stack.pause(""), [this, tell](const Result<std::string>& answer) {
      tell(answer);
      if (answer) is_paused_ = true;
      pause_applies_from_ = world_.now() + longest_deed;
    });
  }
  if (event.what == Happening::resume) {
    // Until it is told, the stack may be either.
    const bool was_paused = std::exchange(is_paused_, false);
    daemon_->ask(stack.resume(), [this, tell, was_paused](const Result<std::string>& answer) {
      tell(answer);
      is_paused_ = !answer && was_paused;
    });
  }
  deeds_while_paused_.reset();
  excused_creations_ += 3;
}

int Life::choose_good_release(std::uint64_t detail) const {
  std::vector<int> good;
  for (const auto& [number, release] : daemon_->stack().store().releases()) {
    if (release.outcome == Outcome::good) good.push_back(number);
  }
  return good.empty() ? 0 : good[detail % good.size()];
}

bool Life::compose_works() const {
  if (!daemon_ || !daemon_->stack().deployment()) return false;
  const Phase phase = daemon_->stack().deployment()->deployment.phase;
  return phase == Phase::starting || phase == Phase::rolling_back;
}

WorldContainer* Life::find_web() {
  for (auto& [id, container] : world_.all) {
    const Container& seen = container.seen;
    const bool is_web = seen.service == "web" && is_ours(container);
    if (is_web && seen.state == ContainerState::running) return &container;
  }
  return nullptr;
}

// From a leak, say. Nobody but a person, or another deployment, can make it work again.
void Life::wear_out() {
  if (!daemon_ || daemon_->stack().store().in_flight()) return;
  WorldContainer* const web = find_web();
  if (web == nullptr) return;
  web->behaviour.ends_after = 5s;
  worn_out_.insert(web->seen.id);
  const ReleaseRecord* const current = daemon_->stack().store().current();
  if (current != nullptr) gone_back_from_.insert(current->commit);
  world_.restart(web->seen.id);
}

// The deployment that is at its gate has left it alone, so that it says nothing of its release.
bool Life::is_beside_gate(const Container& container) const {
  if (!daemon_) return false;
  const std::optional<Deployment>& deployment = daemon_->stack().store().in_flight();
  return deployment && deployment->phase == Phase::gating &&
         deployment->kind == DeploymentKind::deploy && container.service == "db" &&
         container.started_at < deployment->started_at;
}

void Life::to_containers(const StoryEvent& event) {
  ++excused_creations_;
  ++hands_;
  ++people_;
  if (event.what == Happening::wear_out) return wear_out();
  if (event.what == Happening::run_beside) {
    // Nobody can promise anything for one that comes while Compose is at work.
    if (compose_works()) return;
    Container like_web;
    // From another directory, under a name as Compose gives it, or by hand.
    const bool by_compose = event.detail / 2 % 2 == 0;
    like_web.number = 2;
    like_web.name = by_compose ? "shop-web-2" : "copy-" + std::to_string(event.detail % 1000);
    if (by_compose && world_.find(like_web.name) != nullptr) return;
    like_web.working_dir = "/home/ada/shop";
    like_web.config_files = "/home/ada/shop/compose.yaml";
    like_web.project = "shop";
    like_web.service = "web";
    like_web.is_counted = event.detail % 2 == 0;
    like_web.is_marked = like_web.is_counted;
    if (like_web.is_counted) like_web.config_hash = "of another file";
    like_web.restart_policy = "no";
    const std::string id = world_.create(like_web, Behaviour(), "").seen.id;
    world_.start(id);
    not_ours_.insert(id);
    return;
  }
  if (event.what == Happening::remove_beside) {
    for (const std::string& id : std::exchange(not_ours_, {})) world_.remove(id);
    return;
  }
  if (event.what == Happening::bring_volume_back) {
    for (const std::string& name : std::exchange(lost_volumes_, {})) {
      volumes_made_[name] = world_.volumes[name].made = ++world_.volumes_made;
    }
    return;
  }
  if (event.what == Happening::lose_volume) {
    // Nobody can promise anything for a volume that goes while Compose works with it.
    if (compose_works()) return;
    const WorldContainer* const db = world_.find("shop-db-1");
    if (db == nullptr || world_.volumes.erase("shop_data") == 0) return;
    lost_volumes_.insert("shop_data");
    const std::string id = db->seen.id;
    world_.stop(id);
    world_.remove(id);
    return;
  }
  std::vector<Container> containers = world_.containers();
  std::erase_if(containers,
                [&](const Container& one) { return one.oneoff || not_ours_.contains(one.id); });
  if (containers.empty()) return;
  const Container& one = containers[event.detail % containers.size()];
  world_.tell("  " + one.name);
  stopped_manually_.insert(one.id);
  if (is_beside_gate(one) && event.what != Happening::remove_by_hand) ++stops_beside_gate_;
  if (event.what == Happening::kill_by_hand) {
    world_.kill(one.id);
    return;
  }
  world_.stop(one.id);
  if (event.what == Happening::remove_by_hand) world_.remove(one.id);
}

}  // namespace trimtab::simulation
