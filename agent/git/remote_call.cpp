#include "agent/git/remote_call.hpp"

#include "agent/git/git_errors.hpp"
#include "common/files.hpp"

namespace trimtab {

Result<GitCall> remote_call(const GitAccess& access, const Remote& remote,
                            const std::filesystem::path& directory,
                            std::vector<std::string> arguments) {
  const std::filesystem::path global_file = directory / "gitconfig";
  auto environment = remote_environment(access, remote, global_file);
  if (!environment) return environment.error();
  if (remote.protocol == GitProtocol::local) {
    // Git refuses repositories that belong to another user, but the operator named this one
    // explicitly.
    if (auto made = make_private_directory(directory); !made) return made.error();
    const std::string text = "[safe]\n\tdirectory = *\n";
    const Result<std::string> known = read_file(global_file);
    Result<void> written;
    if (!known || *known != text) written = write_file_durably(global_file, text);
    if (!written) return written.error();
  }
  GitCall made;
  made.arguments = std::move(arguments);
  made.environment = std::move(*environment);
  return made;
}

Task<Result<std::string>> remote_output(GitCall call, Remote remote, GitAccess access) {
  auto exit = co_await run_git(std::move(call));
  if (!exit) {
    if (exit.error().code != Errc::timed_out) co_return exit.error();
    co_return no_answer_in_time(remote);
  }
  if (!exit->ok()) co_return explain_remote_failure(exit->err, remote, access);
  co_return std::move(exit->out);
}

}  // namespace trimtab
