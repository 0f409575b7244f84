#include "agent/compose/compose_program.hpp"

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "agent/compose/compose_messages.hpp"
#include "agent/compose/compose_yaml.hpp"
#include "agent/compose/env_file.hpp"
#include "common/files.hpp"
#include "common/log.hpp"
#include "common/process.hpp"
#include "common/text.hpp"

namespace trimtab {
namespace {

// Passes almost nothing of the daemon's environment on, because it would override the env file.
Command compose_command(const std::vector<std::string>& argv, const std::string& docker_socket) {
  Command command;
  command.argv = argv;
  command.environment = minimal_environment();
  command.environment["DOCKER_HOST"] = "unix://" + docker_socket;
  for (const char* name : {"HOME", "DOCKER_CONFIG"}) {
    if (const char* value = std::getenv(name)) command.environment[name] = value;
  }
  command.environment["COMPOSE_ANSI"] = "never";
  // Otherwise Compose would fetch remote projects itself, with root's keys and programs.
  command.environment["COMPOSE_EXPERIMENTAL_GIT_REMOTE"] = "false";
  command.environment["COMPOSE_EXPERIMENTAL_OCI_REMOTE"] = "false";
  command.environment["NO_COLOR"] = "1";
  return command;
}

constexpr std::chrono::seconds first_pause{2};
constexpr std::chrono::seconds max_pause{60};
// During a package upgrade its files are missing for a while.
constexpr std::chrono::seconds upgrade_timeout{60};

// Whether this is the message of a `docker` without the Compose plugin.
bool says_compose_is_missing(std::string_view standard_error) {
  for (const std::string_view words :
       {"is not a docker command", "unknown command", "unknown flag", "unknown shorthand flag"}) {
    if (standard_error.find(words) != std::string_view::npos) return true;
  }
  return false;
}

// Lists where Docker's client looks for its Compose plugin, in that order.
std::vector<std::string> plugin_files() {
  const char* const config = std::getenv("DOCKER_CONFIG");
  const char* const home = std::getenv("HOME");
  std::vector<std::string> directories;
  if (config != nullptr) directories.emplace_back(config);
  if (config == nullptr && home != nullptr) directories.push_back(fmt::format("{}/.docker", home));
  directories.insert(directories.end(), {"/usr/local/lib/docker", "/usr/local/libexec/docker",
                                         "/usr/lib/docker", "/usr/libexec/docker"});
  std::vector<std::string> files;
  for (const std::string& directory : directories)
    files.push_back(directory + "/cli-plugins/docker-compose");
  return files;
}

// Lists the programs that are Compose or load it, each with an identity that changes when it is
// replaced.
std::string present_programs() {
  const std::map<std::string, std::string> environment = minimal_environment();
  const std::string& path = environment.at("PATH");
  std::vector<std::string> files = plugin_files();
  files.push_back(find_program("docker", path));
  files.push_back(find_program("docker-compose", path));
  std::string all;
  for (const std::string& file : files) {
    struct stat seen {};
    if (file.empty() || ::stat(file.c_str(), &seen) != 0) continue;
    all += file;
    for (const auto number :
         {static_cast<std::int64_t>(seen.st_dev), static_cast<std::int64_t>(seen.st_ino),
          static_cast<std::int64_t>(seen.st_size), static_cast<std::int64_t>(seen.st_mtim.tv_sec),
          static_cast<std::int64_t>(seen.st_mtim.tv_nsec)}) {
      all += fmt::format(" {}", number);
    }
    all += "\n";
  }
  return all;
}

std::optional<ComposeTool> read_version(std::vector<std::string> argv, std::string_view output) {
  std::string version(trim(output));
  if (!version.empty() && version[0] == 'v') version.erase(0, 1);
  int major = 0;
  const auto [stop, ec] = std::from_chars(version.data(), version.data() + version.size(), major);
  if (ec != std::errc() || stop == version.data()) return std::nullopt;
  ComposeTool tool;
  tool.family = major >= 2 ? ComposeFamily::v2 : ComposeFamily::v1;
  tool.version = std::move(version);
  tool.argv = std::move(argv);
  return tool;
}

// docker-compose 1.29 rejects a range of host ports in the form in which it renders it.
void write_port_ranges_as_text(Json& model) {
  if (!model.contains("services")) return;
  for (auto& service : model["services"].items()) {
    if (json_array(service.value(), "ports").empty()) continue;
    for (Json& port : service.value()["ports"]) {
      const std::string published = json_string(port, "published");
      if (published.find('-') == std::string::npos) continue;
      port = fmt::format("{}:{}/{}", published, json_int(port, "target"),
                         json_string(port, "protocol", "tcp"));
    }
  }
}

// As Compose has them: those of the command line, or else of the env file.
std::vector<std::string> enabled_profiles(std::vector<std::string> named,
                                          const std::filesystem::path& env_file) {
  const Result<std::string> text = read_file(env_file);
  if (!named.empty() || !text) return named;
  for (const EnvEntry& entry : read_env_file(*text)) {
    if (entry.name == "COMPOSE_PROFILES") named = split(entry.value, ',');
  }
  return named;
}

}  // namespace

std::string ComposeTool::display() const {
  return join(argv, " ") + " " + version;
}

Task<Result<ComposeTool>> find_compose(std::string docker_socket) {
  std::vector<std::vector<std::string>> candidates{{"docker", "compose"}, {"docker-compose"}};
  std::string too_old;
  for (std::vector<std::string>& argv : candidates) {
    Command command = compose_command(argv, docker_socket);
    command.argv.insert(command.argv.end(), {"version", "--short"});
    const Result<Exit> exit = co_await run(std::move(command));
    if (!exit && exit.error().code == Errc::not_found) continue;
    if (!exit) co_return exit.error();
    if (!exit->ok() && exit->signal == 0 && says_compose_is_missing(exit->err)) continue;
    const auto found = exit->ok() ? read_version(argv, exit->out) : std::nullopt;
    if (!found) {
      const std::string how =
          exit->signal != 0 ? fmt::format("was killed by signal {}", exit->signal)
                            : fmt::format("exited with {}: {}", exit->code, exit->error_tail());
      co_return Error{
          Errc::unavailable, fmt::format("`{} version` {}", join(argv, " "), how),
          exit->signal != 0 ? "is this host out of memory?" : "run it manually to see why"};
    }
    if (found->family == ComposeFamily::v1 && found->version.rfind("1.29", 0) != 0) {
      too_old = found->display();
      continue;
    }
    co_return *found;
  }
  co_return Error{Errc::not_found,
                  too_old.empty() ? "this host has neither `docker compose` nor `docker-compose`"
                                  : "the only Compose on this host is too old: " + too_old,
                  "install docker-compose-plugin, docker-compose-v2 or docker-compose"};
}

namespace {

// Returns how the tool is run. `docker compose` starts its plugin twice, the first time to ask what
// it is, which takes longer than the plugin needs to render a project: the plugin is run by itself
// if it says that it is the same Compose.
Task<std::vector<std::string>> fastest_argv(ComposeTool tool, std::string docker_socket) {
  if (tool.argv.front() != "docker") co_return tool.argv;
  for (const std::string& file : plugin_files()) {
    if (::access(file.c_str(), X_OK) != 0) continue;
    std::vector<std::string> argv{file};
    Command command = compose_command(argv, docker_socket);
    command.argv.insert(command.argv.end(), {"version", "--short"});
    const Result<Exit> exit = co_await run(std::move(command));
    const auto found = exit && exit->ok() ? read_version(argv, exit->out) : std::nullopt;
    if (found && found->version == tool.version) tool.argv = std::move(argv);
    break;  // Docker's client takes no other
  }
  co_return tool.argv;
}

// A plugin that is gone comes back once its package is upgraded.
Task<Result<Exit>> run_compose(Command command) {
  const std::string program = command.argv.front();
  Result<Exit> exit = co_await run(std::move(command));
  const bool is_gone = program.starts_with('/') && ::access(program.c_str(), X_OK) != 0;
  if (exit || !is_gone) co_return exit;
  Error error = exit.error();
  error.code = Errc::unavailable;
  co_return error;
}

}  // namespace

ComposeProgram::ComposeProgram(std::string docker_socket, std::filesystem::path empty_file)
    : docker_socket_(std::move(docker_socket)), empty_file_(std::move(empty_file)) {}

Task<Result<void>> ComposeProgram::refresh() {
  const std::string programs = present_programs();
  const bool same = programs == programs_;
  if (same && !problem_ && !tool_.version.empty()) co_return Result<void>();
  if (same && problem_ && SteadyClock::now() < backoff_until_) co_return *problem_;
  const Result<ComposeTool> found = co_await find_compose(docker_socket_);
  if (!found && found.error().code == Errc::cancelled) co_return found.error();
  programs_ = programs;
  std::optional<Error> problem = found ? obstacle_to(*found) : found.error();
  if (problem) {
    if (!problem_ || problem_->message != problem->message) spdlog::warn("{}", problem->text());
    pause_ = std::clamp(pause_ * 2, first_pause, max_pause);
    backoff_until_ = SteadyClock::now() + pause_;
    problem_ = problem;
    co_return *problem;
  }
  if (tool_.display() != found->display()) spdlog::info("uses {}", found->display());
  tool_ = *found;
  argv_ = co_await fastest_argv(tool_, docker_socket_);
  problem_.reset();
  gone_since_.reset();
  pause_ = std::chrono::seconds(0);
  co_return Result<void>();
}

// Switches to another Compose only if the one in use stays away.
std::optional<Error> ComposeProgram::obstacle_to(const ComposeTool& found) {
  if (tool_.version.empty() || found.argv == tool_.argv) return std::nullopt;
  if (!gone_since_) gone_since_ = SteadyClock::now();
  if (SteadyClock::now() - *gone_since_ >= upgrade_timeout) return std::nullopt;
  return Error{Errc::unavailable,
               fmt::format("`{}` is gone; is it being upgraded?", join(tool_.argv, " ")),
               found.display() + " is used instead if it is still missing in a minute"};
}

Command ComposeProgram::command() const {
  Command command = compose_command(argv_, docker_socket_);
  // docker-compose 1.29 uses the newest API of the Engine. From 1.45 on, images lack what it needs
  // to replace a container: it would fail after it has stopped the old one.
  if (tool_.family == ComposeFamily::v1) command.environment["COMPOSE_API_VERSION"] = "1.41";
  return command;
}

Task<Result<Rendered>> ComposeProgram::render(RenderRequest request) {
  Command command = this->command();
  std::vector<std::string>& argv = command.argv;
  for (const std::string& file : request.files) {
    argv.insert(argv.end(), {"-f", (request.directory / file).string()});
  }
  for (const std::string& profile : request.profiles) {
    argv.insert(argv.end(), {"--profile", profile});
  }
  const std::filesystem::path env_file =
      request.env_file.empty() ? empty_file_ : request.directory / request.env_file;
  const std::filesystem::path first = request.directory / request.files.front();
  argv.insert(argv.end(), {"--project-directory", first.parent_path().string(), "--env-file",
                           env_file.string(), "-p", request.project, "config"});
  if (tool_.family == ComposeFamily::v2) argv.insert(argv.end(), {"--format", "json"});
  // Compose prefers the environment to the env file, so a .env cannot override the commit.
  command.environment["TRIMTAB_COMMIT"] = request.commit;
  command.environment["PWD"] = first.parent_path().lexically_normal().string();
  command.directory = request.directory.string();
  command.output_limit = 8 * 1024 * 1024;
  command.error_limit = 8 * 1024 * 1024;
  const Result<Exit> exit = co_await run_compose(std::move(command));
  if (!exit) co_return exit.error().context("cannot render the project");
  if (exit->signal != 0) {
    co_return Error{
        Errc::unavailable,
        fmt::format("Compose was killed by signal {} while it rendered the project", exit->signal),
        "is this host out of memory?"};
  }
  if (!exit->ok()) {
    co_return explain_render_failure(exit->err, request.directory.string() + "/", "",
                                     request.root.string());
  }
  if (exit->out_truncated) {
    co_return Error{Errc::too_large, "the rendered project has more than 8 MiB", {}};
  }
  Result<Json> model =
      tool_.family == ComposeFamily::v2 ? parse_json(exit->out) : parse_yaml(exit->out);
  if (!model) co_return model.error().context("cannot read what Compose rendered");
  if (tool_.family == ComposeFamily::v1) {
    write_port_ranges_as_text(*model);
    drop_disabled_services(*model, enabled_profiles(request.profiles, env_file));
  }
  Rendered rendered;
  rendered.model = std::move(*model);
  rendered.unset_variables = unset_variables(exit->err);
  rendered.warnings =
      other_warnings(exit->err, request.directory.string() + "/", request.root.string());
  co_return rendered;
}

Task<Result<void>> ComposeProgram::up(UpRequest request) {
  Command command = this->command();
  std::vector<std::string>& argv = command.argv;
  argv.insert(argv.end(), {"-f", request.file.string(), "--project-directory",
                           request.directory.string(), "--env-file", empty_file_.string(), "-p",
                           request.project, "up", "-d", "--no-build", "--no-deps"});
  if (tool_.family == ComposeFamily::v2) argv.insert(argv.end(), {"--pull", "never"});
  if (request.force_recreate) argv.emplace_back("--force-recreate");
  if (request.add_up_to) {
    const std::string scale = fmt::format("{}={}", request.services.front(), *request.add_up_to);
    argv.insert(argv.end(), {"--no-recreate", "--scale", scale});
  }
  argv.insert(argv.end(), request.services.begin(), request.services.end());
  command.environment.merge(std::map(request.variables));
  command.directory = request.directory.string();
  command.timeout = request.timeout;
  const Result<Exit> exit = co_await run_compose(std::move(command));
  if (!exit) co_return exit.error().context("docker compose up");
  if (exit->signal != 0) {
    co_return Error{Errc::unavailable, fmt::format("Compose was killed by signal {}", exit->signal),
                    "is this host out of memory?"};
  }
  if (!exit->ok()) {
    co_return Error{kind_of_up_failure(exit->err), explain_up_failure(exit->err), {}};
  }
  co_return Result<void>();
}

Task<Result<RunEnd>> ComposeProgram::run_once(RunRequest request) {
  Command command = this->command();
  std::vector<std::string>& argv = command.argv;
  argv.insert(argv.end(),
              {"-f", request.file.string(), "--project-directory", request.directory.string(),
               "--env-file", empty_file_.string(), "-p", request.project, "run", "--rm",
               "--no-deps", "-T", "--name", request.container});
  for (const auto& [name, value] : request.environment) {
    argv.insert(argv.end(), {"-e", name + "=" + value});
  }
  command.environment.merge(std::map(request.variables));
  argv.push_back(request.service);
  argv.insert(argv.end(), request.argv.begin(), request.argv.end());
  // The directory is missing before the first deployment has created it.
  std::error_code ec;
  if (std::filesystem::is_directory(request.directory, ec)) {
    command.directory = request.directory.string();
  }
  command.timeout = request.timeout;
  const Result<Exit> exit = co_await run_compose(std::move(command));
  if (!exit) co_return exit.error().context("docker compose run");
  if (exit->signal != 0) {
    co_return Error{Errc::unavailable, fmt::format("Compose was killed by signal {}", exit->signal),
                    "is this host out of memory?"};
  }
  co_return RunEnd{exit->code, exit->out + exit->err};
}

}  // namespace trimtab
