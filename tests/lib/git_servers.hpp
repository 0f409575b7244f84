// The servers of tests/lib/git_servers as a child of a test, and a clone to push from.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "common/files.hpp"
#include "common/process.hpp"
#include "common/text.hpp"
#include "tests/lib/loop.hpp"
#include "tests/lib/temporary_folder.hpp"

namespace trimtab::test {

// Runs git as a person would, with settings of its own; its output without the last newline.
// Throws where git fails.
inline std::string git(const std::filesystem::path& directory, std::vector<std::string> arguments) {
  Command command;
  command.argv = {"git"};
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  command.environment = minimal_environment();
  command.environment.insert({{"HOME", "/nonexistent"},
                              {"GIT_CONFIG_NOSYSTEM", "1"},
                              {"GIT_CONFIG_COUNT", "2"},
                              {"GIT_CONFIG_KEY_0", "safe.directory"},
                              {"GIT_CONFIG_VALUE_0", "*"},
                              {"GIT_CONFIG_KEY_1", "init.defaultBranch"},
                              {"GIT_CONFIG_VALUE_1", "production"},
                              {"GIT_AUTHOR_NAME", "Ana"},
                              {"GIT_AUTHOR_EMAIL", "ana@example.com"},
                              {"GIT_COMMITTER_NAME", "Ana"},
                              {"GIT_COMMITTER_EMAIL", "ana@example.com"}});
  command.directory = directory.string();
  const auto exit = await(run(std::move(command)));
  if (!exit) throw std::runtime_error(exit.error().text());
  if (!exit->ok()) throw std::runtime_error("git " + join(arguments, " ") + ": " + exit->err);
  std::string out = exit->out;
  while (out.ends_with('\n')) out.pop_back();
  return out;
}

inline void put(const std::filesystem::path& path, std::string_view content) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << content;
}

// A developer's clone: writes, commits and pushes to a bare repository that it makes.
class Developer {
 public:
  Developer(std::filesystem::path work, std::filesystem::path bare)
      : work_(std::move(work)), bare_(std::move(bare)) {
    std::filesystem::create_directories(work_);
    std::filesystem::create_directories(bare_);
    git(bare_, {"init", "-q", "--bare"});
    git(bare_, {"config", "receive.denyDeleteCurrent", "ignore"});
    git(work_, {"init", "-q"});
    git(work_, {"remote", "add", "origin", bare_.string()});
  }
  [[nodiscard]] const std::filesystem::path& work() const { return work_; }
  [[nodiscard]] const std::filesystem::path& bare() const { return bare_; }
  std::filesystem::path operator/(const std::filesystem::path& name) const { return work_ / name; }

  // Commits all that is in the work folder and pushes it; gives the commit.
  std::string push(const std::string& subject, const std::string& branch = "production") {
    git(work_, {"add", "-A"});
    git(work_, {"commit", "-q", "--allow-empty", "-m", subject});
    git(work_, {"push", "-q", "-f", "origin", "HEAD:refs/heads/" + branch});
    return git(work_, {"rev-parse", "HEAD"});
  }

 private:
  std::filesystem::path work_;
  std::filesystem::path bare_;
};

// Starts the servers, and stops them at the end of its life.
class GitServers {
 public:
  explicit GitServers(const std::filesystem::path& folder) {
    const char* const source = std::getenv("TRIMTAB_SOURCE_DIR");
    const std::string script =
        std::string(source != nullptr ? source : ".") + "/tests/lib/git_servers";
    int in[2];
    int out[2];
    if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) {
      throw std::runtime_error("pipe2 failed");
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    std::string argument = folder.string();
    std::string program = script;
    char* const argv[] = {program.data(), argument.data(), nullptr};
    const int failure = ::posix_spawn(&pid_, script.c_str(), &actions, nullptr, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    ::close(in[0]);
    ::close(out[1]);
    input_ = in[1];
    if (failure != 0) throw std::runtime_error("cannot start " + script);
    std::FILE* const lines = ::fdopen(out[0], "r");
    char line[4096];
    while (std::fgets(line, sizeof line, lines) != nullptr) {
      const std::string text(trim(line));
      const auto equals = text.find('=');
      if (equals != std::string::npos) values_[text.substr(0, equals)] = text.substr(equals + 1);
      if (text == "READY=1") break;
    }
    std::fclose(lines);
    if (!values_.contains("READY")) throw std::runtime_error("git_servers did not start");
  }
  GitServers(const GitServers&) = delete;
  GitServers& operator=(const GitServers&) = delete;
  ~GitServers() {
    ::close(input_);  // which is what it ends with
    ::waitpid(pid_, nullptr, 0);
  }
  const std::string& operator[](const std::string& key) const { return values_.at(key); }

 private:
  pid_t pid_ = -1;
  int input_ = -1;
  std::map<std::string, std::string> values_;
};

}  // namespace trimtab::test
