#include "tests/lib/server_script.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>

namespace trimtab::test {

ServerScript::ServerScript(const std::string& name) {
  const char* source = std::getenv("TRIMTAB_SOURCE_DIR");
  if (source == nullptr) throw std::runtime_error("TRIMTAB_SOURCE_DIR is not set; run it by ctest");
  std::string path = std::string(source) + "/tests/lib/" + name;

  int in[2];
  int out[2];
  if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0)
    throw std::runtime_error("pipe2 failed");
  UniqueFd in_read(in[0]);
  UniqueFd out_write(out[1]);
  input_ = UniqueFd(in[1]);
  output_ = UniqueFd(out[0]);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in_read.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out_write.get(), STDOUT_FILENO);
  char* argv[] = {path.data(), nullptr};
  const int error = ::posix_spawn(&child_, path.c_str(), &actions, nullptr, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::runtime_error("cannot start " + path);
  about_ = read_line();
}

ServerScript::~ServerScript() {
  input_ = UniqueFd();
  if (child_ > 0) ::waitpid(child_, nullptr, 0);
}

Json ServerScript::command(const std::string& line) {
  const std::string text = line + "\n";
  if (::write(input_.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    throw std::runtime_error("the script reads no commands");
  return read_line();
}

Json ServerScript::read_line() {
  for (;;) {
    if (const auto end = buffered_.find('\n'); end != std::string::npos) {
      const auto line = parse_json(buffered_.substr(0, end));
      buffered_.erase(0, end + 1);
      if (!line) throw std::runtime_error("the script says no JSON");
      return *line;
    }
    pollfd waiting{output_.get(), POLLIN, 0};
    char bytes[4096];
    const int ready = ::poll(&waiting, 1, 60'000);
    const ssize_t count = ready == 1 ? ::read(output_.get(), bytes, sizeof bytes) : 0;
    if (count <= 0) throw std::runtime_error("the script ended, or said nothing for a minute");
    buffered_.append(bytes, static_cast<std::size_t>(count));
  }
}

}  // namespace trimtab::test
