#include "tests/simulation/compose.hpp"

#include <algorithm>
#include <unordered_map>

#include "agent/compose/compose_yaml.hpp"
#include "agent/compose/env_file.hpp"
#include "agent/model/service.hpp"
#include "common/files.hpp"
#include "common/hash.hpp"
#include "tests/simulation/engine.hpp"
#include "tests/simulation/hooks.hpp"

namespace trimtab::simulation {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr const char* compose_version = "2.26.1";

void fill_in_all(Json& value, const std::map<std::string, std::string>& variables) {
  if (value.is_string()) {
    value = interpolate(value.get<std::string>(), variables).value_or("");
  } else if (value.is_structured()) {
    for (Json& part : value) fill_in_all(part, variables);
  }
}

// "data:/data" as `config` prints it.
Json long_mount(const std::string& text, const fs::path& directory) {
  const auto colon = text.find(':');
  const std::string source = text.substr(0, colon);
  const bool is_path = source.starts_with('.') || source.starts_with('/');
  Json mount;
  mount["type"] = is_path ? "bind" : "volume";
  mount["source"] = is_path ? (directory / source).lexically_normal().string() : source;
  mount["target"] = text.substr(colon + 1);
  return mount;
}

}  // namespace

Result<Json> parse_compose_file(const std::string& text) {
  static std::unordered_map<std::string, Json> parsed;
  const auto known = parsed.find(text);
  if (known != parsed.end()) return known->second;
  Result<Json> model = text.starts_with('{') ? parse_json(text) : parse_yaml(text);
  if (model) parsed[text] = *model;
  return model;
}

Behaviour behaviour_of(const Json& service, Behaviour behaviour) {
  const auto environment = environment_of(service);
  const auto mode = environment.find("MODE");
  if (mode == environment.end() || !mode->second) return behaviour;
  if (*mode->second == "ends") behaviour.ends_after = 500ms;
  if (*mode->second == "ails") {
    behaviour.has_health_check = true;
    behaviour.answers_after = 1h;
    behaviour.ails_after = 20s;
  }
  if (*mode->second == "ends-late") behaviour.ends_after = 40s;
  return behaviour;
}

bool can_migrate(const Json& service) {
  const auto environment = environment_of(service);
  const auto mode = environment.find("MODE");
  if (mode == environment.end() || !mode->second) return true;
  return *mode->second != migration_fails && *mode->second != migration_hangs;
}

std::string definition_of(const Json& service) {
  return sha256_hex(service.dump());
}

std::vector<std::string> in_order(const Json& services, const std::vector<std::string>& asked) {
  std::vector<std::string> order;
  const auto has = [](const std::vector<std::string>& list, const std::string& service) {
    return std::find(list.begin(), list.end(), service) != list.end();
  };
  const std::function<void(const std::string&)> take = [&](const std::string& service) {
    if (has(order, service) || !has(asked, service)) return;
    for (const std::string& dependency : dependencies_of(json_object(services, service))) {
      take(dependency);
    }
    order.push_back(service);
  };
  for (const std::string& service : asked) take(service);
  return order;
}

std::vector<Container> containers_of_service(const World& world, const std::string& project,
                                             const std::string& service) {
  std::vector<Container> present;
  for (Container& seen : world.containers()) {
    if (seen.project != project || seen.service != service) continue;
    if (seen.is_counted && !seen.config_hash.empty()) present.push_back(std::move(seen));
  }
  std::stable_sort(present.begin(), present.end(), [](const auto& one, const auto& other) {
    return one.created_at < other.created_at;
  });
  return present;
}

Container new_container(const World& world, const Json& model, const std::string& service,
                        const UpRequest& request) {
  const Json& definition = json_object(json_object(model, "services"), service);
  Container made;
  made.project = request.project;
  made.service = service;
  made.number = 1;
  made.name = request.project + "-" + service + "-1";
  made.working_dir = request.directory.string();
  made.config_files = request.file.string();
  made.config_hash = definition_of(definition);
  made.image = json_string(definition, "image");
  made.image_id = id_of_image(world, made.image);
  made.compose_version = compose_version;
  made.is_marked = true;
  made.is_counted = true;
  made.restart_policy = json_string(definition, "restart", "no");
  for (const Mount& mount : mounts_of(definition)) {
    if (mount.type == "bind") made.bind_mounts[mount.target] = mount.source;
    if (mount.type != "volume") continue;
    const Json& volume = json_object(json_object(model, "volumes"), mount.source);
    made.volumes[mount.target] = json_string(volume, "name");
  }
  return made;
}

WorldContainer& create_container(World& world, const Json& definition, Container made) {
  const Behaviour behaviour = behaviour_of(definition, world.registry.at(made.image_id).behaviour);
  if (behaviour.has_health_check) made.health_check = HealthCheck{5s, 0s, 0s};
  const std::string hash = made.config_hash;
  return world.create(std::move(made), behaviour, hash);
}

SimulatedCompose::SimulatedCompose(World& world) : world_(world) {
  tool_.version = compose_version;
  tool_.argv = {"/usr/bin/docker", "compose"};
}

Task<Result<void>> SimulatedCompose::answer() {
  co_return co_await world_.answer(50ms, 400ms);
}

// Each round of the loop begins with it.
Task<Result<void>> SimulatedCompose::refresh() {
  ++world_.rounds;
  co_return Result<void>();
}

Task<Result<Rendered>> SimulatedCompose::render(RenderRequest request) {
  const Result<void> answered = co_await answer();
  if (!answered) co_return answered.error();
  std::map<std::string, std::string> variables{{"TRIMTAB_COMMIT", request.commit}};
  if (!request.env_file.empty()) {
    const auto text = read_file(request.directory / request.env_file, max_bytes);
    for (const EnvEntry& entry : read_env_file(text ? *text : "")) {
      variables[entry.name] = entry.value;
    }
  }
  const auto text = read_file(request.directory / request.files.front(), max_bytes);
  if (!text) co_return Error{Errc::invalid, text.error().message, {}};
  Result<Json> model = parse_compose_file(*text);
  if (!model) co_return Error{Errc::invalid, model.error().message, {}};
  fill_in_all(*model, variables);
  Rendered rendered;
  rendered.model["name"] = request.project;
  for (auto& [name, service] : (*model)["services"].items()) {
    if (service.contains("volumes")) {
      for (Json& mount : service["volumes"]) {
        mount = long_mount(mount.get<std::string>(), request.directory);
      }
    }
    service["networks"]["default"] = nullptr;
    rendered.model["services"][name] = service;
  }
  rendered.model["networks"]["default"]["name"] = request.project + "_default";
  for (const auto& item : json_object(*model, "volumes").items()) {
    rendered.model["volumes"][item.key()]["name"] = request.project + "_" + item.key();
  }
  co_return rendered;
}

// Those of the whole file, whichever services are asked for.
Task<Result<void>> SimulatedCompose::make_volumes(Json model) {
  for (const auto& item : json_object(model, "volumes").items()) {
    const std::string name = json_string(item.value(), "name");
    if (world_.volumes.contains(name)) continue;
    const Result<void> answered = co_await answer();
    if (!answered) co_return answered;
    world_.volumes[name].made = ++world_.volumes_made;
  }
  co_return Result<void>();
}

// As many as are wanted, which is one, or with what is added so many in all. Of more than that,
// Compose 2.26 keeps the older ones, and those first that it replaces.
Task<Result<void>> SimulatedCompose::converge(Json model, std::string service, UpRequest request) {
  Container next = new_container(world_, model, service, request);
  const std::string hash = next.config_hash;
  if (next.image_id.empty()) co_return Error{Errc::failed, "No such image: " + next.image, {}};
  std::vector<Container> present = containers_of_service(world_, request.project, service);
  std::stable_sort(present.begin(), present.end(),
                   [&](const Container& one, const Container& other) {
                     return std::pair(one.config_hash == hash, one.created_at) <
                            std::pair(other.config_hash == hash, other.created_at);
                   });
  for (const Container& one : present) next.number = std::max(next.number, one.number + 1);
  const auto wanted = static_cast<std::size_t>(request.add_up_to.value_or(1));
  for (std::size_t at = wanted; at < present.size(); ++at) {
    const Result<void> removed = co_await remove(present[at].id);
    if (!removed) co_return removed;
  }
  if (present.size() > wanted) present.resize(wanted);
  for (const Container& one : present) {
    Container again = next;
    again.number = one.number;
    const bool is_replaced =
        !request.add_up_to && (request.force_recreate || one.config_hash != hash);
    Result<void> done;
    if (is_replaced) done = co_await make(model, std::move(again), one.id);
    if (!is_replaced) done = start(one.id);
    if (!done) co_return done;
  }
  for (std::size_t count = present.size(); count < wanted; ++count, ++next.number) {
    const Result<void> made = co_await make(model, next, "");
    if (!made) co_return made;
  }
  co_return Result<void>();
}

Task<Result<void>> SimulatedCompose::remove(std::string container) {
  ++world_.deeds;
  world_.stopped.insert(container);
  world_.stop(container);
  const Result<void> answered = co_await answer();
  if (!answered) co_return answered;
  world_.remove(container);
  co_return Result<void>();
}

// As Compose 2 replaces a container: the new one is made beside the old one and named at the end.
Task<Result<void>> SimulatedCompose::make(Json model, Container container,
                                          std::string in_place_of) {
  const Json& definition = model["services"][container.service];
  const std::string name =
      container.project + "-" + container.service + "-" + std::to_string(container.number);
  container.name = in_place_of.empty() ? name : in_place_of.substr(0, 12) + "_" + name;
  if (world_.find(container.name) != nullptr) {
    co_return Error{Errc::failed, "Conflict. The container name is already in use", {}};
  }
  ++world_.deeds;
  const std::string made = create_container(world_, definition, std::move(container)).seen.id;
  for (const int step : {1, 2, 3}) {
    const Result<void> answered = co_await answer();
    if (!answered) co_return answered;
    if (world_.faults.engine_away) {
      co_return Error{Errc::unavailable, "Cannot connect to the Docker daemon", {}};
    }
    if (step == 1 && !in_place_of.empty()) {
      world_.stopped.insert(in_place_of);
      world_.stop(in_place_of);
    }
    if (step == 2 && !in_place_of.empty()) {
      world_.remove(in_place_of);
      world_.rename(made, name);
    }
  }
  co_return start(made);
}

Result<void> SimulatedCompose::start(const std::string& container) {
  ++world_.starts;
  // Somebody may have removed it meanwhile.
  if (!world_.start(container)) return Error{Errc::failed, "No such container: " + container, {}};
  const std::string& error = world_.find(container)->seen.error;
  if (error.empty()) return {};
  return Error{Errc::invalid, error, {}};
}

Task<Result<void>> SimulatedCompose::up(UpRequest request) {
  const Result<void> answered = co_await answer();
  if (!answered) co_return answered;
  if (world_.faults.engine_away) {
    co_return Error{Errc::unavailable, "Cannot connect to the Docker daemon", {}};
  }
  if (world_.faults.compose_fails) {
    co_return Error{Errc::failed, "failed to set up container networking", {}};
  }
  const auto text = read_file(request.file, max_bytes);
  if (!text) co_return Error{Errc::failed, text.error().message, {}};
  Result<Json> model = parse_compose_file(*text);
  if (!model) co_return Error{Errc::failed, model.error().message, {}};
  world_.networks.insert(request.project + "_default");
  const Result<void> made_volumes = co_await make_volumes(*model);
  if (!made_volumes) co_return made_volumes;
  for (const std::string& service : in_order((*model)["services"], request.services)) {
    const Result<void> converged = co_await converge(*model, service, request);
    if (!converged) co_return converged;
  }
  co_return Result<void>();
}

// As `compose run --rm`: its container goes by itself once it has ended, whatever became of
// Compose.
Task<Result<RunEnd>> SimulatedCompose::run_once(RunRequest request) {
  const Result<void> answered = co_await answer();
  if (!answered) co_return answered.error();
  if (world_.faults.engine_away) co_return RunEnd{1, "Cannot connect to the Docker daemon"};
  const auto text = read_file(request.file, max_bytes);
  if (!text) co_return RunEnd{1, text.error().message};
  const Result<Json> model = parse_compose_file(*text);
  if (!model) co_return RunEnd{1, model.error().message};
  const Json& definition = json_object(json_object(*model, "services"), request.service);
  Container container;
  container.name = request.container;
  container.project = request.project;
  container.service = request.service;
  container.oneoff = true;
  container.restart_policy = "no";
  container.image = json_string(definition, "image");
  container.image_id = id_of_image(world_, container.image);
  if (container.image_id.empty()) co_return RunEnd{1, "No such image: " + container.image};
  if (world_.find(container.name) != nullptr) {
    co_return RunEnd{1, "Conflict. The container name is already in use"};
  }
  const std::string id = world_.create(std::move(container), Behaviour(), "").seen.id;
  const Result<void> started = co_await answer();
  if (!started) co_return started.error();
  if (!world_.start(id)) co_return RunEnd{1, "No such container: " + id};
  HookCall call;
  call.program = request.argv.front();
  call.container = id;
  call.environment = request.environment;
  const auto environment = environment_of(definition);
  const auto mode = environment.find("MODE");
  if (mode != environment.end() && mode->second) {
    call.fails = *mode->second == migration_fails;
    call.hangs = *mode->second == migration_hangs;
  }
  auto running = run_hook(world_, std::move(call));
  const SteadyClock::time_point deadline = SteadyClock::now() + request.timeout;
  const Result<int> exit = co_await with_deadline(deadline, request.service, std::move(running));
  if (exit) co_return RunEnd{*exit, ""};
  if (exit.error().code == Errc::unavailable) co_return RunEnd{1, exit.error().message};
  co_return exit.error();
}

}  // namespace trimtab::simulation
