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
constexpr WorldTime night = 8h;

// In some lives peace lasts, whether something goes on or not.
bool has_night(std::uint64_t seed) {
  return seed % 32 == 0;
}

constexpr int max_polls_without_time = 2000;

bool has(const std::vector<StoryEvent>& story, Happening what) {
  return std::any_of(story.begin(), story.end(),
                     [&](const StoryEvent& event) { return event.what == what; });
}

}  // namespace

Life::Life(std::uint64_t seed, std::vector<StoryEvent> story, std::filesystem::path directory)
    : world_(seed, std::move(directory)),
      has_night_(has_night(seed)),
      story_(std::move(story)),
      starts_first_(has(story_, Happening::starts_first)) {
  if (has(story_, Happening::has_unit)) systemd_.emplace(world_);
  if (systemd_) world_.systemd = &*systemd_;
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
    boot_unit();
  }
  world_.after(world_.between(1ms, max_absence), [this] { start_daemon(); });
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
  start_what_is_stopped();
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
