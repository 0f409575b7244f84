#include "agent/compose/compose_program.hpp"

#include <charconv>
#include <optional>

#include "agent/compose/compose_messages.hpp"
#include "agent/compose/compose_yaml.hpp"
#include "common/process.hpp"
#include "common/text.hpp"

namespace trimtab {
namespace {

// The process's own environment would win over the env file, so that a child gets nothing else.
Command compose_command(const ComposeTool& tool, const std::string& docker_socket) {
  Command command;
  command.argv = tool.argv;
  command.environment = base_environment();
  command.environment["DOCKER_HOST"] = "unix://" + docker_socket;
  for (const char* name : {"HOME", "DOCKER_CONFIG"}) {
    if (const char* value = std::getenv(name)) command.environment[name] = value;
  }
  command.environment["COMPOSE_ANSI"] = "never";
  command.environment["NO_COLOR"] = "1";
  return command;
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

}  // namespace

std::string ComposeTool::display() const {
  return join(argv, " ") + " " + version;
}

Task<Result<ComposeTool>> find_compose(std::string docker_socket) {
  std::vector<std::vector<std::string>> candidates{{"docker", "compose"}, {"docker-compose"}};
  std::string too_old;
  for (std::vector<std::string>& argv : candidates) {
    ComposeTool tool;
    tool.argv = argv;
    Command command = compose_command(tool, docker_socket);
    command.argv.insert(command.argv.end(), {"version", "--short"});
    const Result<Exit> exit = co_await run(std::move(command));
    if (!exit && exit.error().code == Errc::cancelled) co_return exit.error();
    if (!exit || !exit->ok()) continue;
    const std::optional<ComposeTool> found = read_version(argv, exit->out);
    if (!found) continue;
    if (found->family == ComposeFamily::v1 && found->version.rfind("1.29", 0) != 0) {
      too_old = found->display();
      continue;
    }
    co_return *found;
  }
  co_return Error{Errc::not_found,
                  too_old.empty() ? "this host has neither `docker compose` nor `docker-compose`"
                                  : "the only Compose here is too old: " + too_old,
                  "install docker-compose-plugin, docker-compose-v2 or docker-compose"};
}

ComposeProgram::ComposeProgram(std::string docker_socket, std::filesystem::path empty_file)
    : docker_socket_(std::move(docker_socket)), empty_file_(std::move(empty_file)) {}

Task<Result<Rendered>> ComposeProgram::render(RenderRequest request) {
  Command command = compose_command(tool_, docker_socket_);
  std::vector<std::string>& argv = command.argv;
  for (const std::string& file : request.files) {
    argv.insert(argv.end(), {"-f", (request.directory / file).string()});
  }
  for (const std::string& profile : request.profiles) {
    argv.insert(argv.end(), {"--profile", profile});
  }
  const std::filesystem::path env_file =
      request.env_file.empty() ? empty_file_ : request.directory / request.env_file;
  argv.insert(argv.end(), {"--project-directory", request.directory.string(), "--env-file",
                           env_file.string(), "-p", request.project, "config"});
  if (tool_.family == ComposeFamily::v2) argv.insert(argv.end(), {"--format", "json"});
  // Compose prefers the environment to the env file, so that no .env can name another commit.
  command.environment["TRIMTAB_COMMIT"] = request.commit;
  command.directory = request.directory.string();
  command.output_limit = 8 * 1024 * 1024;
  const Result<Exit> exit = co_await run(std::move(command));
  if (!exit) co_return exit.error().context("cannot render the project");
  if (exit->signal != 0) {
    co_return Error{Errc::unavailable,
                    "Compose was killed by signal " + std::to_string(exit->signal) +
                        " while it rendered the project",
                    "is this host out of memory?"};
  }
  if (!exit->ok()) {
    co_return explain_render_failure(exit->err, request.directory.string() + "/", "");
  }
  if (exit->out_truncated) {
    co_return Error{Errc::too_large, "the rendered project has more than 8 MiB", {}};
  }
  Result<Json> model =
      tool_.family == ComposeFamily::v2 ? parse_json(exit->out) : parse_yaml(exit->out);
  if (!model) co_return model.error().context("cannot read what Compose rendered");
  Rendered rendered;
  rendered.model = std::move(*model);
  rendered.unset_variables = unset_variables(exit->err);
  rendered.warnings = other_warnings(exit->err);
  co_return rendered;
}

Task<Result<void>> ComposeProgram::up(UpRequest request) {
  Command command = compose_command(tool_, docker_socket_);
  std::vector<std::string>& argv = command.argv;
  argv.insert(argv.end(), {"-f", request.file.string(), "--project-directory",
                           request.directory.string(), "--env-file", empty_file_.string(), "-p",
                           request.project, "up", "-d", "--no-build", "--no-deps"});
  if (tool_.family == ComposeFamily::v2) argv.insert(argv.end(), {"--pull", "never"});
  if (request.force_recreate) argv.emplace_back("--force-recreate");
  if (request.add_up_to) {
    const std::string scale = request.services.front() + "=" + std::to_string(*request.add_up_to);
    argv.insert(argv.end(), {"--no-recreate", "--scale", scale});
  }
  argv.insert(argv.end(), request.services.begin(), request.services.end());
  command.directory = request.directory.string();
  command.timeout = request.timeout;
  const Result<Exit> exit = co_await run(std::move(command));
  if (!exit) co_return exit.error().context("docker compose up");
  if (exit->signal != 0) {
    co_return Error{Errc::unavailable,
                    "Compose was killed by signal " + std::to_string(exit->signal),
                    "is this host out of memory?"};
  }
  if (!exit->ok()) {
    co_return Error{kind_of_up_failure(exit->err), explain_up_failure(exit->err), {}};
  }
  co_return Result<void>();
}

Task<Result<RunEnd>> ComposeProgram::run_once(RunRequest request) {
  Command command = compose_command(tool_, docker_socket_);
  std::vector<std::string>& argv = command.argv;
  argv.insert(argv.end(),
              {"-f", request.file.string(), "--project-directory", request.directory.string(),
               "--env-file", empty_file_.string(), "-p", request.project, "run", "--rm",
               "--no-deps", "-T", "--name", request.container});
  for (const auto& [name, value] : request.environment) {
    argv.insert(argv.end(), {"-e", name + "=" + value});
  }
  argv.push_back(request.service);
  argv.insert(argv.end(), request.argv.begin(), request.argv.end());
  // It may not be there yet: the first deployment makes it.
  std::error_code ec;
  if (std::filesystem::is_directory(request.directory, ec)) {
    command.directory = request.directory.string();
  }
  command.timeout = request.timeout;
  const Result<Exit> exit = co_await run(std::move(command));
  if (!exit) co_return exit.error().context("docker compose run");
  if (exit->signal != 0) {
    co_return Error{Errc::unavailable,
                    "Compose was killed by signal " + std::to_string(exit->signal),
                    "is this host out of memory?"};
  }
  co_return RunEnd{exit->code, exit->out + exit->err};
}

}  // namespace trimtab
