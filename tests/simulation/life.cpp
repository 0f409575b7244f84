#include "tests/simulation/life.hpp"

#include <algorithm>

#include "common/files.hpp"
#include "tests/simulation/disk.hpp"
#include "tests/simulation/processes.hpp"

namespace trimtab::simulation {
namespace {

using namespace std::chrono_literals;

constexpr WorldTime max_absence = 10s;  // of the daemon, once it was killed
constexpr WorldTime max_timeout = 35min;
constexpr WorldTime least_peace = 10min;
constexpr WorldTime max_peace = 1h;
constexpr WorldTime night = 8h;

// In some lives peace lasts, whether something goes on or not.
bool has_night(std::uint64_t seed) {
  return seed % 32 == 0;
}

constexpr int max_polls_without_time = 2000;
// A deployment makes about a hundred.
constexpr std::uint64_t max_changes = 300;
constexpr std::uint64_t max_calls = 300;

const char* const web_image = "acme/web:latest";

bool has(const std::vector<StoryEvent>& story, Happening what) {
  return std::any_of(story.begin(), story.end(),
                     [&](const StoryEvent& event) { return event.what == what; });
}

std::string compose_file(int version, const std::string& mode, const std::string& image,
                         bool starts_first) {
  Json file;
  Json& db = file["services"]["db"];
  db["image"] = "acme/db:16";
  db["restart"] = "unless-stopped";
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

Life::Life(std::uint64_t seed, std::vector<StoryEvent> story, std::filesystem::path directory)
    : world_(seed, std::move(directory)),
      has_night_(has_night(seed)),
      story_(std::move(story)),
      starts_first_(has(story_, Happening::starts_first)) {
  disk::begin(world_.state().parent_path());
  processes::begin([this](const std::string& container) { world_.finish(container, 137); });
  world_.has_hooks = has(story_, Happening::has_hooks);
  world_.on_hook = [this](const HookNews& news) { follow_hook(news); };
  found();
}

Life::~Life() {
  if (daemon_) Daemon::kill(std::move(daemon_));
}

// A stack that was deployed for the first time is what most stories begin with.
void Life::found() {
  Behaviour fine;
  world_.publish("acme/db:16", fine);
  fine.has_health_check = true;
  fine.answers_after = 3s;
  world_.publish(web_image, fine);
  const Result<void> written = write_file_durably(world_.live() / ".env", "WEB_MODE=fine\n");
  if (!written) throw std::runtime_error(written.error().text());
  push("the first", "fine", web_image);
  start_daemon();
}

void Life::start_daemon() {
  world_.tell("the daemon starts");
  disk::start();
  const disk::DaemonRuns runs;
  daemon_ = std::make_unique<Daemon>(world_);
}

void Life::push(const std::string& subject, const std::string& mode, const std::string& image) {
  world_.push(subject, {{"compose.yaml", compose_file(++version_, mode, image, starts_first_)}});
}

// ---- The story

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
  }
}

// Killed alone, or with the power of its machine.
void Life::end_daemon(bool with_power) {
  if (!daemon_) return;
  ++kills_;
  Daemon::kill(std::move(daemon_));
  loses_power_ = false;
  if (with_power) {
    world_.tell("  the power is cut");
    disk::cut_power([this](std::uint64_t bound) { return world_.roll(bound); });
    ++excused_creations_;
    ++hands_;
    world_.restart_engine(world_.between(1s, 20s));
  }
  world_.after(world_.between(1ms, max_absence), [this] { start_daemon(); });
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
  if (event.what == Happening::kill_by_hand) {
    world_.kill(one.id);
    return;
  }
  world_.stop(one.id);
  if (event.what == Happening::remove_by_hand) world_.remove(one.id);
}

// ---- Living

std::size_t Life::poll_daemon() {
  if (!daemon_) return 0;
  std::size_t done = 0;
  {
    const disk::DaemonRuns runs;
    done = daemon_->poll();
  }
  const std::optional<Deployment>& deployment = daemon_->stack().store().in_flight();
  if (hinders_way_back_ && deployment && deployment->phase == Phase::rolling_back) {
    world_.tell("  Compose fails");
    world_.faults.compose_fails = true;
    faults_end_ = std::max(faults_end_, world_.now() + *hinders_way_back_);
    world_.after(*hinders_way_back_, [this] { world_.faults.compose_fails = false; });
    hinders_way_back_.reset();
  }
  if (disk::is_killed() || world_.is_killed) {
    world_.tell(std::string("  the daemon is killed between two ") +
                (world_.is_killed ? "calls" : "changes of files"));
    end_daemon(loses_power_);
  }
  return done;
}

void Life::live_until(WorldTime end) {
  while (!broken_) {
    const std::size_t done = poll_daemon();
    check_always();
    WorldTime next = std::min(world_.next_event(), virtual_clock::next_timer());
    if (done > 0 && next <= world_.now()) {
      if (++idle_polls_ > max_polls_without_time) {
        return break_promise("the loop turns without an end, and time does not go on");
      }
    }
    if (next > end) return virtual_clock::advance_to(end);
    if (next > world_.now()) idle_polls_ = 0;
    virtual_clock::advance_to(next);
    world_.move();
    virtual_clock::fire_timers();
  }
}

// As Git asks for it, or as it has come to be and will not change: nothing is done any more.
WorldTime Life::peace_needed() const {
  const Reconciler& stack = daemon_->stack();
  const StackState state = stack.stack_status().state;
  const ReleaseRecord* const current = stack.store().current();
  const bool is_up_to_date = state == StackState::synced && current != nullptr &&
                             current->commit == world_.tip && !current->probation_until;
  if (stack.store().in_flight() || state == StackState::waiting) return max_peace;
  return is_up_to_date ? least_peace : max_timeout;
}

void Life::live_in_peace(WorldTime longest) {
  peace_began_ = world_.now();
  rounds_before_peace_ = world_.rounds;
  const WorldTime end = peace_began_ + longest;
  WorldTime quiet_since = peace_began_;
  int deeds = world_.deeds;
  while (!broken_ && world_.now() < end) {
    live_until(std::min(end, world_.now() + 1min));
    if (std::exchange(deeds, world_.deeds) != deeds) quiet_since = world_.now();
    if (longest < night && world_.now() - quiet_since >= peace_needed()) return;
  }
}

void Life::come_to_rest(WorldTime longest) {
  live_until(std::max(world_.now(), faults_end_) + 1min);
  world_.tell("» from here on nothing goes wrong");
  disk::start();
  world_.calls_left.reset();
  loses_power_ = false;
  hinders_way_back_.reset();
  // It may have been killed a moment ago.
  if (!daemon_) live_until(world_.now() + max_absence);
  if (broken_) return;
  if (daemon_->stack().store().intent().paused) by_operator({{}, Happening::resume, 0});
  live_in_peace(longest);
  if (!broken_) check_at_rest();
}

std::optional<std::string> Life::run() {
  live_until(world_.now() + 2min);
  WorldTime begin = world_.now();
  for (const StoryEvent& event : story_) {
    live_until(begin + event.at);
    if (broken_) return broken_;
    const WorldTime rest_began = world_.now();
    happen(event);
    // What follows happens after a rest.
    begin += world_.now() - rest_began;
  }
  come_to_rest(has_night_ ? night : max_peace);
  return broken_;
}

}  // namespace trimtab::simulation
