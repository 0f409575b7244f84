// Their addresses come from TRIMTAB_TEST_DOCKER_SOCKET, TRIMTAB_TEST_REGISTRY and
// TRIMTAB_TEST_COMPOSE_… (tests/lib/parts run).
#include <fmt/core.h>

#include <csignal>

#include "agent/compose/compose_program.hpp"
#include "agent/docker/docker_engine.hpp"
#include "common/files.hpp"
#include "common/process.hpp"
#include "common/text.hpp"
#include "tests/conformance/parts.hpp"
#include "tests/lib/real_parts.hpp"
#include "tests/lib/temporary_folder.hpp"

namespace trimtab::conformance {
namespace {

using namespace std::chrono_literals;
using test::setting;

std::string tagged(const std::string& tag) {
  return test::digest_of("test/conformance", tag);
}

class RealParts final : public Parts {
 public:
  RealParts(const std::string& compose, std::string project)
      : project_(std::move(project)),
        docker_(setting("TRIMTAB_TEST_DOCKER_SOCKET")),
        compose_(setting("TRIMTAB_TEST_DOCKER_SOCKET"), folder_ / "empty"),
        digests_{tagged("1"), tagged("2"), tagged("3"), tagged("4"), tagged("5")} {
    std::signal(SIGPIPE, SIG_IGN);
    std::string variable = "TRIMTAB_TEST_COMPOSE_" + compose;
    std::replace(variable.begin(), variable.end(), '.', '_');
    std::filesystem::create_directories(folder_ / "bin");
    std::filesystem::create_symlink(setting(variable), folder_ / "bin/docker-compose");
    ::setenv("PATH", ((folder_ / "bin").string() + ":/usr/bin:/bin").c_str(), 1);
    ::setenv("HOME", folder_.path().c_str(), 1);
    ::setenv("DOCKER_CONFIG", folder_.path().c_str(), 1);
    if (auto made = write_file_durably(folder_ / "empty", ""); !made) {
      throw std::runtime_error(made.error().text());
    }
    clear();
  }
  ~RealParts() override { clear(); }
  RealParts(const RealParts&) = delete;
  RealParts& operator=(const RealParts&) = delete;

  Docker& docker() override { return docker_; }
  Compose& compose() override { return compose_; }
  asio::io_context& loop() override { return loop_; }
  bool turn_until(std::function<bool()> condition) override {
    const auto deadline = SteadyClock::now() + 1min;
    while (!condition() && SteadyClock::now() < deadline) {
      loop_.restart();
      loop_.run_one_for(1s);
    }
    return condition();
  }

  std::filesystem::path folder() override { return folder_.path(); }
  std::string repository() override {
    return setting("TRIMTAB_TEST_REGISTRY") + "/test/conformance";
  }
  std::string digest(int image) override { return digests_.at(image - 1); }
  Json service(int image, Does does) override {
    Json service;
    service["image"] = repository() + "@" + digest(image);
    service["environment"]["BEHAVIOUR"] = does == Does::ends_with_1 ? "exit 1 0" : "serve";
    if (does == Does::has_no_such_command) {
      service["entrypoint"] = Json::array({"/no/such/command"});
    }
    return service;
  }
  void remove_volume(const std::string& volume) override {
    remove_containers();
    run_docker({"volume", "rm", volume});
  }
  bool heeds_stop(int process) override {
    const auto status = read_file(fmt::format("/proc/{}/status", process));
    if (!status) return true;  // it has ended
    const std::string_view key = "SigCgt:\t";
    const auto begin = status->find(key);
    if (begin == std::string::npos) return true;
    const auto caught = std::stoull(status->substr(begin + key.size(), 16), nullptr, 16);
    return (caught >> (SIGTERM - 1) & 1) == 1;
  }
  void run_labelled(const std::string& name,
                    const std::map<std::string, std::string>& labels) override {
    // Docker looks in vain for its bridge at times while many join it and leave.
    std::vector<std::string> arguments{"run",    "-d", "--network", "none",
                                       "--name", name, "-e",        "BEHAVIOUR=serve"};
    for (const auto& [label, value] : labels) {
      arguments.insert(arguments.end(), {"--label", label + "=" + value});
    }
    arguments.push_back(repository() + "@" + digest(1));
    run_docker(std::move(arguments));
  }

 private:
  std::string run_docker(std::vector<std::string> arguments) {
    Command command;
    command.argv = {"docker", "-H", "unix://" + setting("TRIMTAB_TEST_DOCKER_SOCKET")};
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    command.environment = {{"PATH", "/usr/bin:/bin"}, {"HOME", folder_.path().string()}};
    const auto done = test::await(run(command));
    return done ? done->out : std::string();
  }
  void remove_all(std::vector<std::string> list, std::vector<std::string> remove) {
    list.insert(list.end(), {"-q", "--filter", "label=com.docker.compose.project=" + project_});
    for (const std::string& id : split(run_docker(list), '\n')) {
      if (!id.empty()) remove.push_back(id);
    }
    run_docker(remove);
  }
  void remove_containers() { remove_all({"ps", "-a"}, {"rm", "-f"}); }
  void clear() {
    remove_containers();
    remove_all({"network", "ls"}, {"network", "rm"});
    remove_all({"volume", "ls"}, {"volume", "rm"});
  }

  test::TemporaryFolder folder_;
  std::string project_;
  asio::io_context loop_{1};
  DockerEngine docker_;
  ComposeProgram compose_;
  std::array<std::string, 5> digests_;
};

}  // namespace

std::unique_ptr<Parts> make_parts(const std::string& compose, const std::string& project) {
  return std::make_unique<RealParts>(compose, project);
}

namespace {

std::string name_of(const testing::TestParamInfo<std::string>& compose) {
  std::string name = "Compose" + compose.param;
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(Real, EngineConformance, testing::Values("2.26"), name_of);
INSTANTIATE_TEST_SUITE_P(Real, ComposeConformance, testing::Values("1.29", "2.26", "2.40"),
                         name_of);

}  // namespace trimtab::conformance
