#include "tests/simulation/service_manager.hpp"

#include <algorithm>

#include "common/files.hpp"
#include "common/text.hpp"
#include "tests/simulation/compose.hpp"

namespace trimtab::simulation {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

// Of the setting's first line; "": it has none.
std::string setting(const std::string& text, const std::string& name) {
  for (const std::string& line : split(text, '\n')) {
    if (line.starts_with(name + "=")) return line.substr(name.size() + 1);
  }
  return "";
}

// Of an Exec line, whose words stand in quotes as far as they matter here.
std::string argument(const std::string& line, const std::string& option) {
  const std::string before = "\"" + option + "\" \"";
  const std::size_t begin = line.find(before);
  if (begin == std::string::npos) return "";
  const std::size_t value = begin + before.size();
  return line.substr(value, line.find('"', value) - value);
}

bool is_there(const fs::path& path) {
  std::error_code ec;
  return fs::exists(path, ec);
}

}  // namespace

ServiceManager::ServiceManager(World& world) : world_(world) {
  fs::create_directories(link("any").parent_path());
}

fs::path ServiceManager::file(const std::string& name) const {
  return world_.units() / name;
}

fs::path ServiceManager::link(const std::string& name) const {
  return world_.units() / "multi-user.target.wants" / name;
}

// One that was not found is looked for again.
ServiceManager::Unit& ServiceManager::read(const std::string& name) {
  Unit& unit = units_[name];
  if (unit.text) return unit;
  const Result<std::string> text = read_file(file(name), max_bytes);
  if (text) unit.text = *text;
  return unit;
}

void ServiceManager::read_files() {
  for (auto& [name, unit] : units_) {
    unit.text.reset();
    read(name);
  }
}

UnitState ServiceManager::state(const std::string& name) {
  UnitState state;
  if (name == docker_unit) {
    state.load = "loaded";
    state.active = world_.faults.engine_away ? "activating" : "active";
    state.has_job = world_.faults.engine_away;
    state.active_since = world_.engine_since;
    return state;
  }
  const Unit& unit = read(name);
  state.load = unit.text ? "loaded" : "not-found";
  state.active = unit.active;
  if (unit.text) state.file = file(name).string();
  if (unit.text && is_there(file(name)))
    state.enabled = is_there(link(name)) ? "enabled" : "disabled";
  state.has_job = !is_down(name) && unit.active != "active";
  state.failed_to_stop = unit.failed_to_stop;
  state.active_since = unit.active_since;
  return state;
}

bool ServiceManager::is_down(const std::string& name) const {
  const auto found = units_.find(name);
  if (found == units_.end()) return true;
  const std::string& active = found->second.active;
  return !found->second.starts && (active == "inactive" || active == "failed");
}

bool ServiceManager::is_active(const std::string& name) const {
  const auto found = units_.find(name);
  return found != units_.end() && found->second.active == "active" && !found->second.starts;
}

bool ServiceManager::is_stopped(const std::string& name) const {
  const auto found = units_.find(name);
  if (found == units_.end() || !is_down(name)) return found == units_.end();
  return found->second.active == "inactive" || found->second.failed_to_stop;
}

bool ServiceManager::has_read(const std::string& name) const {
  const auto found = units_.find(name);
  const Result<std::string> text = read_file(file(name), max_bytes);
  return text && found != units_.end() && found->second.text == *text;
}

void ServiceManager::sync() const {
  const Result<void> synced = sync_directory(link("any").parent_path());
  if (!synced) throw std::runtime_error(synced.error().text());
}

// systemd syncs neither link.
void ServiceManager::enable(const std::string& name) {
  std::error_code ec;
  fs::create_symlink(file(name), link(name), ec);
}

void ServiceManager::disable(const std::string& name) {
  std::error_code ec;
  fs::remove(link(name), ec);
}

void ServiceManager::change(const std::string& name, const std::string& active) {
  Unit& unit = units_[name];
  if (unit.active == active) return;
  unit.active = active;
  world_.tell("  " + name + " is " + active);
  if (on_change) on_change(name, active);
}

void ServiceManager::go_on(const std::string& name, WorldTime least, WorldTime most,
                           std::function<void()> what) {
  const int run = units_[name].run;
  world_.after(world_.between(least, most), [this, name, run, what = std::move(what)] {
    if (units_[name].run == run) what();
  });
}

// ---- Starting

bool ServiceManager::start(const std::string& name) {
  Unit& unit = read(name);
  if (!unit.text) return false;
  if (unit.active == "active" || unit.starts) return true;
  unit.starts = true;
  begin_start(name);
  return true;
}

// After Docker, which it wants, and after what stops it.
void ServiceManager::begin_start(const std::string& name) {
  Unit& unit = units_[name];
  if (!unit.starts || unit.active == "activating" || unit.active == "deactivating") return;
  unit.starts = unit.text.has_value();
  if (!unit.text) return;
  unit.run = ++runs_;
  if (world_.faults.engine_away)
    return go_on(name, 100ms, 100ms, [this, name] { begin_start(name); });
  if (!is_there(setting(*unit.text, "ConditionPathExists"))) {
    unit.starts = false;
    world_.tell("  " + name + " is not started, because its condition is not met");
    return;
  }
  change(name, "activating");
  up(name);
}

void ServiceManager::end_start(const std::string& name, const std::string& problem) {
  Unit& unit = units_[name];
  unit.run = ++runs_;
  unit.starts = false;
  unit.failed_to_stop = false;
  if (!problem.empty()) world_.tell("  " + name + " fails: " + problem);
  if (problem.empty()) unit.active_since = wall_now();
  change(name, problem.empty() ? "active" : "failed");
}

// `compose up -d --no-deps --no-recreate` of the services that boot.env lists.
void ServiceManager::up(const std::string& name) {
  const std::string text = *units_[name].text;
  const Result<std::string> services = read_file(setting(text, "EnvironmentFile"), max_bytes);
  if (!services) return end_start(name, services.error().text());
  const std::string exec = setting(text, "ExecStart");
  const Command command{argument(exec, "-p"), argument(exec, "--project-directory"),
                        argument(exec, "-f")};
  std::vector<std::string> asked = split(setting(*services, "TRIMTAB_SERVICES"), ' ');
  if (asked.front() == "--help") asked.clear();
  go_on(name, 50ms, 400ms, [this, name, command, asked] {
    const Result<std::string> file = read_file(command.file, max_bytes);
    const Result<Json> model = file ? parse_compose_file(*file) : file.error();
    if (!model) return end_start(name, model.error().text());
    if (world_.faults.compose_fails) return end_start(name, "failed to set up networking");
    for (const auto& item : json_object(*model, "volumes").items()) {
      const std::string volume = json_string(item.value(), "name");
      if (world_.volumes.contains(volume)) continue;
      if (item.value().contains("external")) {
        return end_start(name, "external volume \"" + volume + "\" not found");
      }
      world_.volumes[volume].made = ++world_.volumes_made;
    }
    world_.networks.insert(command.project + "_default");
    up_next(name, *model, command, in_order(json_object(*model, "services"), asked));
  });
}

void ServiceManager::up_next(const std::string& name, Json model, Command command,
                             std::vector<std::string> services) {
  if (services.empty()) return end_start(name, "");
  go_on(name, 50ms, 1s, [this, name, model, command, services] {
    if (world_.faults.engine_away) return end_start(name, "cannot connect to Docker");
    const std::string problem = converge(model, command, services.front());
    if (!problem.empty()) return end_start(name, problem);
    up_next(name, model, command, {services.begin() + 1, services.end()});
  });
}

// Gives what is wrong. One is left, of several the oldest, and none of them is replaced.
std::string ServiceManager::converge(const Json& model, const Command& command,
                                     const std::string& service) {
  std::vector<Container> present = containers_of_service(world_, command.project, service);
  for (std::size_t at = 1; at < present.size(); ++at) {
    world_.stop(present[at].id);
    world_.remove(present[at].id);
    world_.removed_at_boot.insert(present[at].id);
  }
  std::string id = present.empty() ? "" : present.front().id;
  if (id.empty()) {
    UpRequest request;
    request.project = command.project;
    request.directory = command.directory;
    request.file = command.file;
    Container made = new_container(world_, model, service, request);
    if (made.image_id.empty()) return "No such image: " + made.image;
    if (world_.find(made.name) != nullptr) return "Conflict. The name " + made.name + " is in use";
    id = create_container(world_, json_object(json_object(model, "services"), service),
                          std::move(made))
             .seen.id;
  }
  world_.start(id);
  return world_.find(id)->seen.error;
}

// ---- Stopping

// ExecStop is for what was started, so that a start that is cut off leaves what it has made.
void ServiceManager::stop(const std::string& name) {
  Unit& unit = read(name);
  unit.starts = false;
  if (unit.active == "deactivating") return;
  const bool was_active = unit.active == "active";
  const bool is_cut_off = unit.active == "activating";
  unit.run = ++runs_;
  if (!was_active && !is_cut_off) return;
  change(name, "deactivating");
  if (is_cut_off || !unit.text) {
    return go_on(name, 10ms, 100ms, [this, name] { end_stop(name, ""); });
  }
  const std::string exec = setting(*unit.text, "ExecStop");
  go_on(name, 50ms, 400ms, [this, name, exec] {
    if (world_.faults.engine_away) return end_stop(name, "cannot connect to Docker");
    if (!is_there(argument(exec, "-f"))) return end_stop(name, "no such file");
    std::vector<std::string> ids;
    for (const Container& seen : world_.containers()) {
      const bool is_of_project = seen.project == argument(exec, "-p");
      if (is_of_project && seen.is_counted && !seen.oneoff) ids.push_back(seen.id);
    }
    // What depends on others comes after them by name, too.
    stop_next(name, {ids.rbegin(), ids.rend()});
  });
}

void ServiceManager::stop_next(const std::string& name, std::vector<std::string> containers) {
  if (containers.empty()) return end_stop(name, "");
  go_on(name, 1ms, 2s, [this, name, containers] {
    if (world_.faults.engine_away) return end_stop(name, "cannot connect to Docker");
    world_.stop(containers.front());
    stop_next(name, {containers.begin() + 1, containers.end()});
  });
}

void ServiceManager::end_stop(const std::string& name, const std::string& problem) {
  Unit& unit = units_[name];
  unit.run = ++runs_;
  unit.failed_to_stop = !problem.empty();
  if (!problem.empty()) world_.tell("  " + name + " fails to stop: " + problem);
  change(name, problem.empty() ? "inactive" : "failed");
  begin_start(name);
}

void ServiceManager::restart(const std::string& name) {
  if (!read(name).text) return;
  stop(name);
  units_[name].starts = true;
  begin_start(name);
}

// ---- Booting

void ServiceManager::boot() {
  units_.clear();
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(link("any").parent_path(), ec)) {
    start(entry.path().filename().string());
  }
}

}  // namespace trimtab::simulation
