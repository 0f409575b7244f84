// ask_remote URL REF CA_FILE FOLDER COUNT: asks a remote that often where the ref points, as the
// daemon does, and prints the CPU seconds of one question and how it is asked. The first question,
// which connects, is not counted.
#include <sys/resource.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdio>
#include <cstdlib>

#include "agent/git/git_program.hpp"

namespace trimtab {
namespace {

double cpu_seconds() {
  double sum = 0;
  for (const auto who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage usage{};
    ::getrusage(who, &usage);
    for (const timeval& time : {usage.ru_utime, usage.ru_stime}) {
      sum += static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    }
  }
  return sum;
}

Task<void> ask(GitProgram* git, int count, int* exit_code) {
  double begun = 0;
  for (int i = 0; i <= count; ++i) {
    const auto tip = co_await git->resolve_ref();
    if (!tip) {
      std::fprintf(stderr, "%s\n", tip.error().text().c_str());
      co_return;
    }
    if (i == 0) begun = cpu_seconds();
  }
  std::printf("%.9f %s\n", (cpu_seconds() - begun) / count, git->transport_in_use().c_str());
  *exit_code = 0;
}

int measure(char** arguments) {
  GitAccess access;
  access.url = arguments[1];
  access.ca_file = arguments[3];
  const std::filesystem::path folder = arguments[4];
  asio::io_context loop;
  GitProgram git(access, arguments[2], folder / "repo.git", folder);
  int exit_code = 1;
  asio::co_spawn(loop, ask(&git, std::atoi(arguments[5]), &exit_code), asio::detached);
  loop.run();
  return exit_code;
}

}  // namespace
}  // namespace trimtab

int main(int count, char** arguments) {
  return count == 6 ? trimtab::measure(arguments) : 2;
}
