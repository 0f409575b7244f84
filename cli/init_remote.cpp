#include "cli/init_remote.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "agent/git/git_child.hpp"
#include "agent/git/remote_call.hpp"
#include "cli/init_stack_file.hpp"
#include "common/files.hpp"
#include "common/text.hpp"

namespace trimtab::cli {

namespace {

constexpr std::string_view heads = "refs/heads/";

// Size limit of files that are read; the fetch omits larger ones.
constexpr const char* max_file = "--filter=blob:limit=256k";
constexpr std::size_t max_files_read = 20;

GitCall in_repository(const std::filesystem::path& repository, std::vector<std::string> arguments) {
  GitCall call;
  call.arguments = std::move(arguments);
  call.environment = git_environment();
  call.environment["GIT_DIR"] = repository.string();
  return call;
}

}  // namespace

std::vector<std::string> RemoteRefs::branches() const {
  std::vector<std::string> names;
  for (const AdvertisedRef& ref : refs) {
    if (ref.name.starts_with(heads)) names.push_back(ref.name.substr(heads.size()));
  }
  return names;
}

RemoteRefs parse_remote_refs(std::string_view ls_remote) {
  RemoteRefs remote;
  remote.refs = parse_ls_remote(ls_remote);
  constexpr std::string_view before = "ref: refs/heads/";
  constexpr std::string_view after = "\tHEAD";
  for (const std::string& line : split(ls_remote, '\n')) {
    if (!line.starts_with(before) || !line.ends_with(after)) continue;
    remote.default_branch = line.substr(before.size(), line.size() - before.size() - after.size());
  }
  const auto names = remote.branches();
  const bool exists = std::find(names.begin(), names.end(), remote.default_branch) != names.end();
  if (!exists) remote.default_branch = names.size() == 1 ? names.front() : "";
  return remote;
}

Task<Result<RemoteRefs>> list_remote(GitAccess access, Remote remote,
                                     std::filesystem::path directory) {
  std::vector<std::string> arguments = {"ls-remote", "--symref", "--", access.url};
  auto ask = remote_call(access, remote, directory, std::move(arguments));
  if (!ask) co_return ask.error();
  ask->timeout = std::chrono::minutes(1);
  auto output = co_await remote_output(std::move(*ask), remote, access);
  if (!output) co_return output.error();
  co_return parse_remote_refs(*output);
}

Task<Result<CommitFiles>> read_commit(GitAccess access, Remote remote, RefTip tip,
                                      std::filesystem::path directory) {
  const std::filesystem::path repository = directory / "repo.git";
  if (auto made = make_private_directory(repository); !made) co_return made.error();
  auto init = in_repository(repository, {"init", "-q", "--bare", "--template="});
  auto made = co_await git_output("make " + repository.string(), std::move(init));
  if (!made) co_return made.error();
  // Fetching with a filter requires a named remote, since Git stores the filter in its
  // configuration.
  auto name = in_repository(repository, {"config", "remote.origin.url", access.url});
  auto named = co_await git_output("set up " + repository.string(), std::move(name));
  if (!named) co_return named.error();

  std::vector<std::string> arguments = {"fetch",     "-q",
                                        "--depth=1", "--no-tags",
                                        max_file,    "--no-recurse-submodules",
                                        "origin",    fmt::format("+{}:refs/trimtab/tip", tip.name)};
  auto fetch = remote_call(access, remote, directory, std::move(arguments));
  if (!fetch) co_return fetch.error();
  fetch->environment["GIT_DIR"] = repository.string();
  auto fetched = co_await remote_output(std::move(*fetch), remote, access);
  if (!fetched) co_return fetched.error();

  CommitFiles files;
  auto list = in_repository(
      repository, {"ls-tree", "-r", "-z", "--name-only", "--full-tree", "refs/trimtab/tip"});
  auto listed = co_await git_output("read the files of " + tip.name, std::move(list));
  if (!listed) co_return listed.error();
  files.paths = fields(*listed, '\0');

  auto wanted = compose_files_of(files.paths);
  wanted.resize(std::min(wanted.size(), max_files_read));
  wanted.emplace_back(example_env_file);
  for (const std::string& path : wanted) {
    auto show = in_repository(repository, {"cat-file", "blob", "refs/trimtab/tip:" + path});
    auto text = co_await run_git(std::move(show));
    if (!text) co_return text.error();
    // Skips files that do not exist or are too large.
    if (text->ok()) files.texts[path] = text->out;
  }
  co_return files;
}

}  // namespace trimtab::cli
