#include "tests/simulation/engine.hpp"

#include <algorithm>

#include "tests/simulation/hooks.hpp"

namespace trimtab::simulation {
namespace {

using namespace std::chrono_literals;

Error no_such(const std::string& what, const std::string& name) {
  return Error{Errc::not_found, "No such " + what + ": " + name, {}};
}

}  // namespace

std::string id_of_image(const World& world, const std::string& reference) {
  if (world.images.contains(reference)) return reference;
  const auto tagged = world.local_tags.find(reference);
  if (tagged != world.local_tags.end()) return tagged->second;
  const auto at = reference.find('@');
  const std::string digest = at == std::string::npos ? "" : reference.substr(at + 1);
  const auto pulled = world.images.find(digest);
  return pulled != world.images.end() && pulled->second.is_named ? digest : "";
}

Task<Result<void>> SimulatedEngine::answer() {
  const Result<void> waited = co_await world_.answer(1ms, 20ms);
  if (!waited) co_return waited;
  if (world_.faults.engine_away) {
    co_return Error{Errc::unavailable, "Docker does not answer: connection refused", {}};
  }
  co_return Result<void>();
}

Result<void> SimulatedEngine::must_run(const std::string& container) const {
  const WorldContainer* const found = world_.find(container);
  if (found == nullptr) return no_such("container", container);
  if (found->seen.state == ContainerState::running) return {};
  return Error{Errc::conflict, "Container " + container + " is not running", {}};
}

Task<Result<EngineInfo>> SimulatedEngine::info() {
  const Result<void> answered = co_await answer();
  if (!answered) co_return answered.error();
  EngineInfo info;
  info.version = "26.1.0";
  info.api_version = "1.45";
  info.os = "linux";
  info.architecture = "x86_64";
  info.root_directory = world_.state().parent_path().string();
  info.memory = 4ULL << 30;
  co_return info;
}

Task<Result<std::vector<Container>>> SimulatedEngine::project_containers(std::string project) {
  const Result<void> answered = co_await answer();
  if (!answered) co_return answered.error();
  std::vector<Container> list;
  for (Container& container : world_.containers()) {
    if (container.project == project && !container.oneoff) list.push_back(std::move(container));
  }
  co_return list;
}

Task<Result<std::vector<Container>>> SimulatedEngine::all_containers() {
  const Result<void> answered = co_await answer();
  if (!answered) co_return answered.error();
  co_return world_.containers();
}

Task<Result<std::set<std::string>>> SimulatedEngine::networks() {
  const Result<void> answered = co_await answer();
  if (!answered) co_return answered.error();
  co_return world_.networks;
}

Task<Result<std::set<std::string>>> SimulatedEngine::volumes() {
  const Result<void> answered = co_await answer();
  if (!answered) co_return answered.error();
  std::set<std::string> names;
  for (const auto& [name, volume] : world_.volumes) names.insert(name);
  co_return names;
}

Task<Result<Image>> SimulatedEngine::image(std::string reference) {
  const Result<void> answered = co_await answer();
  if (!answered) co_return answered.error();
  const std::string id = id_of_image(world_, reference);
  if (id.empty()) co_return no_such("image", reference);
  Image image;
  image.id = id;
  if (world_.images.at(id).is_named) image.repo_digests = {world_.images.at(id).pinned()};
  for (const auto& [tag, tagged] : world_.local_tags) {
    if (tagged == id) image.repo_tags.push_back(tag);
  }
  image.size = 1'000'000;
  image.os = "linux";
  image.architecture = "amd64";
  if (world_.images.at(id).behaviour.has_health_check) image.health_check = HealthCheck{5s, 0s, 0s};
  co_return image;
}

Task<Result<std::vector<std::string>>> SimulatedEngine::tags_below(std::string prefix) {
  const Result<void> answered = co_await answer();
  if (!answered) co_return answered.error();
  std::vector<std::string> tags;
  for (const auto& [tag, id] : world_.local_tags) {
    if (tag.starts_with(prefix)) tags.push_back(tag);
  }
  co_return tags;
}

Task<Result<void>> SimulatedEngine::pull(std::string repository, std::string digest, std::string,
                                         std::optional<RegistryLogin>,
                                         std::function<void(const PullProgress&)> on_progress) {
  const Result<void> answered = co_await answer();
  if (!answered) co_return answered;
  const Result<void> waited = co_await world_.answer(100ms, 20s);
  if (!waited) co_return waited;
  if (world_.faults.engine_away || world_.faults.registry_away) {
    co_return Error{Errc::unavailable, "pulling " + repository + ": i/o timeout", {}};
  }
  const auto found = world_.registry.find(digest);
  if (found == world_.registry.end()) co_return no_such("manifest", repository + "@" + digest);
  on_progress({1'000'000, 1'000'000, "Download complete"});
  world_.images[digest] = found->second;
  co_return Result<void>();
}

Task<Result<void>> SimulatedEngine::tag_image(std::string reference, std::string repository,
                                              std::string tag) {
  const Result<void> answered = co_await answer();
  if (!answered) co_return answered;
  const std::string id = id_of_image(world_, reference);
  if (id.empty()) co_return no_such("image", reference);
  world_.local_tags[repository + ":" + tag] = id;
  co_return Result<void>();
}

Task<Result<void>> SimulatedEngine::remove_image(std::string reference) {
  const Result<void> answered = co_await answer();
  if (!answered) co_return answered;
  const std::string id = id_of_image(world_, reference);
  if (id.empty()) co_return Result<void>();
  WorldImage& image = world_.images.at(id);
  const auto names = std::count_if(world_.local_tags.begin(), world_.local_tags.end(),
                                   [&](const auto& entry) { return entry.second == id; }) +
                     (image.is_named ? 1 : 0);
  const bool is_used = std::any_of(world_.all.begin(), world_.all.end(), [&](const auto& entry) {
    return entry.second.seen.image_id == id;
  });
  // It goes with its last name, unless a container uses it; by its id only if it has no other.
  if (names > 1 ? reference == id : is_used) co_return Result<void>();
  if (world_.local_tags.erase(reference) == 0) image.is_named = false;
  if (names <= 1) world_.images.erase(id);
  co_return Result<void>();
}

Task<Result<std::string>> SimulatedEngine::last_log_lines(std::string container, int) {
  const Result<void> answered = co_await answer();
  if (!answered) co_return answered.error();
  if (world_.find(container) == nullptr) co_return no_such("container", container);
  co_return "a line of its log";
}

Task<Result<void>> SimulatedEngine::follow_logs(std::string, LogRange, bool,
                                                std::function<bool(std::string_view line)>) {
  co_return co_await answer();
}

Task<Result<int>> SimulatedEngine::exec(ExecRequest request,
                                        std::function<void(std::string_view line)>) {
  const Result<void> answered = co_await answer();
  if (!answered) co_return answered.error();
  const Result<void> runs = must_run(request.container);
  if (!runs) co_return runs.error();
  if (!request.environment.contains("TRIMTAB_HOOK_OF")) co_return 0;
  HookCall call;
  call.program = request.argv.front();
  call.container = request.container;
  call.environment = request.environment;
  call.fails = world_.faults.hooks_fail;
  call.hangs = world_.faults.hooks_hang;
  co_return co_await run_hook(world_, std::move(call));
}

Result<void> SimulatedEngine::started(const std::string& container) const {
  const std::string& error = world_.find(container)->seen.error;
  if (error.empty()) return {};
  return Error{Errc::invalid, error, {}};
}

Task<Result<void>> SimulatedEngine::start(std::string container) {
  const Result<void> answered = co_await answer();
  if (!answered) co_return answered;
  ++world_.deeds;
  ++world_.starts;
  if (!world_.start(container)) co_return no_such("container", container);
  co_return started(container);
}

Task<Result<void>> SimulatedEngine::stop(std::string container) {
  const Result<void> answered = co_await answer();
  if (!answered) co_return answered;
  const Result<void> waited = co_await world_.answer(1ms, 2s);
  if (!waited) co_return waited;
  if (world_.faults.engine_away) co_return Error{Errc::unavailable, "Docker was restarted", {}};
  ++world_.deeds;
  world_.stopped.insert(container);
  if (!world_.stop(container)) co_return no_such("container", container);
  co_return Result<void>();
}

Task<Result<void>> SimulatedEngine::restart(std::string container) {
  const Result<void> answered = co_await answer();
  if (!answered) co_return answered;
  const Result<void> waited = co_await world_.answer(1ms, 2s);
  if (!waited) co_return waited;
  if (world_.faults.engine_away) co_return Error{Errc::unavailable, "Docker was restarted", {}};
  world_.stopped.insert(container);
  ++world_.starts;
  if (!world_.restart(container)) co_return no_such("container", container);
  co_return started(container);
}

Task<Result<void>> SimulatedEngine::signal(std::string container, std::string) {
  const Result<void> answered = co_await answer();
  if (!answered) co_return answered;
  co_return must_run(container);
}

Task<Result<ThrowawayResult>> SimulatedEngine::run_throwaway(ThrowawayRequest) {
  const Result<void> answered = co_await answer();
  if (!answered) co_return answered.error();
  co_return ThrowawayResult{};
}

Task<Result<std::uint64_t>> SimulatedEngine::memory_used(std::string container) {
  const Result<void> answered = co_await answer();
  if (!answered) co_return answered.error();
  if (world_.find(container) == nullptr) co_return no_such("container", container);
  co_return 10'000'000;
}

Task<Result<void>> SimulatedEngine::remove(std::string container) {
  const Result<void> answered = co_await answer();
  if (!answered) co_return answered;
  const WorldContainer* const found = world_.find(container);
  if (found == nullptr) co_return Result<void>();
  if (found->seen.state == ContainerState::running) {
    co_return Error{Errc::conflict, "cannot remove container: it is running", {}};
  }
  if (!found->seen.oneoff) ++world_.deeds;
  world_.remove(container);
  co_return Result<void>();
}

Task<Result<void>> SimulatedEngine::events(std::int64_t, std::function<void()> on_connected,
                                           std::function<void(const EngineEvent&)> on_event) {
  const Result<void> answered = co_await answer();
  if (!answered) co_return answered;
  events_.clear();
  lost_ = false;
  world_.on_event = [this](const EngineEvent& event) {
    events_.push_back(event);
    changed_.notify();
  };
  world_.on_engine_lost = [this] {
    lost_ = true;
    changed_.notify();
  };
  on_connected();
  for (;;) {
    const bool notified = co_await changed_.wait();
    if (!notified) co_return Error{Errc::cancelled, "following Docker's events was cancelled", {}};
    if (lost_) co_return Error{Errc::unavailable, "Docker went away", {}};
    while (!events_.empty()) {
      const EngineEvent event = events_.front();
      events_.pop_front();
      on_event(event);
    }
  }
}

}  // namespace trimtab::simulation
