// trimtab-simulate: has the daemon live through what seeds say, and checks what it promises.
#include <malloc.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <random>
#include <thread>

#include "tests/simulation/corpus.hpp"
#include "tests/simulation/lives.hpp"

namespace trimtab::simulation {
namespace {

struct Sum {
  std::uint64_t lives = 0;
  std::uint64_t deployments = 0;
  int broken = 0;
};

void live_and_tell(const CorpusEntry& entry, bool tells, Sum* sum) {
  Lived outcome = live(entry.seed, entry.story);
  ++sum->lives;
  sum->deployments += outcome.deployments;
  CorpusEntry least = entry;
  if (outcome.broken) {
    ++sum->broken;
    std::cout << "seed " << entry.seed << ": " << *outcome.broken << std::endl;
    least.why = *outcome.broken;
  }
  if (outcome.broken && !tells) {
    least.story = shortened(entry.seed, entry.story);
    outcome = live(least.seed, least.story);
    least.why = outcome.broken.value_or("another outcome at the second time");
  }
  if (!tells && !outcome.broken) return;
  for (const std::string& line : outcome.told) std::cout << "    " << line << "\n";
  if (!outcome.broken) return;
  std::cout << "Again: trimtab-simulate --story --seed " << entry.seed << "\n"
            << "For tests/simulation/corpus:\n\n"
            << to_string(least) << std::endl;
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_CHILDREN, &usage);
  double sum = 0;
  for (const timeval& time : {usage.ru_utime, usage.ru_stime}) {
    sum += static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  }
  return sum;
}

std::string machine() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) {
      return line.substr(line.find(':') + 2) + ", " +
             std::to_string(std::thread::hardware_concurrency()) + " cores";
    }
  }
  return "unknown";
}

int print(const Sum& sum) {
  const auto per_second = static_cast<double>(sum.deployments) / cpu_seconds();
  std::cout << sum.lives << " lives, " << sum.deployments << " deployments, "
            << static_cast<std::uint64_t>(per_second) << " a second and core (" << machine()
            << "); " << sum.broken << " with a broken promise\n";
  return sum.broken == 0 ? 0 : 1;
}

}  // namespace
}  // namespace trimtab::simulation

int main(int argc, char** argv) {
  using namespace trimtab::simulation;
  // A life takes and gives back small pieces of memory by the million. They are kept for the next
  // one of their size, as many as they are; malloc is told so by the environment alone.
  if (::getenv("GLIBC_TUNABLES") == nullptr) {
    ::setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=2000", 0);
    ::execv("/proc/self/exe", argv);
  }
  // A life is short: what it needs is not given back before it ends.
  ::mallopt(M_TRIM_THRESHOLD, 1 << 30);
  ::mallopt(M_TOP_PAD, 16 << 20);
  CLI::App app("Has the daemon live through what seeds say, and checks what it promises.");
  std::uint64_t seed = 1;
  std::uint64_t lives = 1;
  std::uint64_t seconds = 0;
  std::string corpus;
  bool tells = false;
  app.add_option("--seed", seed, "of the first life");
  app.add_option("--lives", lives, "how many");
  app.add_option("--for", seconds,
                 "lives until then, with seeds from chance unless one is given: 60s, 10m, 8h")
      ->transform(CLI::AsNumberWithUnit(
          std::map<std::string, std::uint64_t>{{"s", 1}, {"m", 60}, {"h", 3600}}));
  app.add_option("--corpus", corpus, "the stories of this file");
  app.add_flag("--story", tells,
               "tells each story as it was, not only those of broken promises, shortened");
  CLI11_PARSE(app, argc, argv);
  Sum sum;
  if (!corpus.empty()) {
    const auto entries = read_corpus(corpus);
    if (!entries) {
      std::cerr << entries.error().text() << "\n";
      return 2;
    }
    for (const CorpusEntry& entry : *entries) live_and_tell(entry, tells, &sum);
  } else if (seconds > 0) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    if (app.count("--seed") == 0) seed = std::random_device()();
    // One that fails is told; more of them would be the same one.
    while (std::chrono::steady_clock::now() < end && sum.broken == 0) {
      live_and_tell({"", seed, story_of(seed)}, tells, &sum);
      ++seed;
    }
  } else {
    for (const std::uint64_t end = seed + lives; seed < end; ++seed) {
      live_and_tell({"", seed, story_of(seed)}, tells, &sum);
    }
  }
  return print(sum);
}
