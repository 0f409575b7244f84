#include "tests/simulation/lives.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spdlog/sinks/base_sink.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <system_error>

#include "agent/compose/compose_yaml.hpp"
#include "common/fd_io.hpp"
#include "common/files.hpp"
#include "common/hash.hpp"
#include "common/json.hpp"
#include "common/log.hpp"
#include "tests/simulation/chance.hpp"
#include "tests/simulation/life.hpp"

namespace trimtab::simulation {
namespace {

// A life takes well below a second of the processor's time, with sanitizers some of them. On a busy
// machine that may be long.
constexpr rlim_t max_seconds = 60;
constexpr int max_milliseconds = 20 * 60'000;
constexpr std::chrono::seconds max_shortening(60);

// What the daemon logs is part of the story.
class StorySink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  explicit StorySink(Life& life) : life_(life) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    life_.tell("  " + std::string(message.payload.data(), message.payload.size()));
  }
  void flush_() override {}
  Life& life_;
};

// In the process of its own. Gives the outcome as JSON.
std::string live_here(std::uint64_t seed, const std::vector<StoryEvent>& story,
                      const std::filesystem::path& directory) {
  virtual_clock::begin();
  seed_chance(seed);
  Json outcome;
  {
    Life life(seed, story, directory);
    spdlog::set_default_logger(
        std::make_shared<spdlog::logger>("", std::make_shared<StorySink>(life)));
    const std::optional<std::string> broken = life.run();
    if (broken) outcome["broken"] = *broken;
    outcome["told"] = life.told();
    outcome["deployments"] = life.deployments();
  }
  return dump_json(outcome);
}

[[noreturn]] void be_life(int out, std::uint64_t seed, const std::vector<StoryEvent>& story,
                          const std::filesystem::path& directory) {
  const rlimit limit{max_seconds, max_seconds};
  ::setrlimit(RLIMIT_CPU, &limit);
  std::string outcome;
  try {
    outcome = live_here(seed, story, directory);
  } catch (const std::exception& error) {
    Json thrown;
    thrown["broken"] = std::string("the daemon ended by an exception: ") + error.what();
    outcome = dump_json(thrown);
  }
  const bool is_told = write_all(out, outcome) == 0;
  ::_exit(is_told ? 0 : 1);
}

[[noreturn]] void give_up(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// What libraries make when they are used for the first time is made once, and not in each life.
void use_libraries() {
  static const bool is_done =
      parse_yaml("a: {b: 'c', d: [\"e\"]}\nf:\n  - g\n").has_value() && !sha256_hex("").empty();
  if (!is_done) throw std::runtime_error("cannot parse YAML");
}

// Until its end, or until it has taken too long.
std::string read_outcome(int in) {
  std::string text;
  pollfd readable{in, POLLIN, 0};
  while (::poll(&readable, 1, max_milliseconds) > 0) {
    char bytes[65536];
    const ssize_t count = ::read(in, bytes, sizeof bytes);
    if (count <= 0) return text;
    text.append(bytes, static_cast<std::size_t>(count));
  }
  return "";
}

}  // namespace

Lived live(std::uint64_t seed, const std::vector<StoryEvent>& story) {
  use_libraries();
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) give_up("pipe2");
  const UniqueFd in(ends[0]);
  UniqueFd out(ends[1]);
  // Process ids are not unique here: namespaces with ids of their own share the directory.
  char directory[] = "/dev/shm/trimtab-simulate-XXXXXX";
  if (::mkdtemp(directory) == nullptr) give_up("mkdtemp");
  const pid_t child = ::fork();
  if (child < 0) give_up("fork");
  if (child == 0) be_life(out.get(), seed, story, directory);
  out = UniqueFd();
  const std::string text = read_outcome(in.get());
  if (text.empty()) ::kill(child, SIGKILL);
  int status = 0;
  if (::waitpid(child, &status, 0) != child) give_up("waitpid");
  std::filesystem::remove_all(directory);
  const Result<Json> outcome = parse_json(text);
  Lived lived;
  if (!outcome) {
    const bool hangs = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    lived.broken =
        hangs ? "the loop does not come back"
        : WIFSIGNALED(status)
            ? std::string("the daemon ended by a signal: ") + ::strsignal(WTERMSIG(status))
            : "the daemon ended with exit code " + std::to_string(WEXITSTATUS(status));
    return lived;
  }
  if (outcome->contains("broken")) lived.broken = json_string(*outcome, "broken");
  for (const Json& line : json_array(*outcome, "told")) {
    lived.told.push_back(line.get<std::string>());
  }
  lived.deployments = outcome->value("deployments", std::uint64_t{0});
  return lived;
}

std::vector<StoryEvent> shortened(std::uint64_t seed, std::vector<StoryEvent> story) {
  const auto end = std::chrono::steady_clock::now() + max_shortening;
  for (std::size_t size = std::max<std::size_t>(1, story.size() / 2); size > 0; size /= 2) {
    for (std::size_t at = 0; at + size <= story.size();) {
      if (std::chrono::steady_clock::now() > end) return story;
      std::vector<StoryEvent> less = story;
      const auto first = less.begin() + static_cast<std::ptrdiff_t>(at);
      less.erase(first, first + static_cast<std::ptrdiff_t>(size));
      if (live(seed, less).broken) {
        story = std::move(less);
      } else {
        at += size;
      }
    }
  }
  return story;
}

}  // namespace trimtab::simulation
