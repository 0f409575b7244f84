#include "agent/git/live_clone.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include "agent/git/git_child.hpp"
#include "common/files.hpp"
#include "common/text.hpp"

namespace trimtab {

namespace fs = std::filesystem;

namespace {

constexpr const char* deployed_ref = "refs/trimtab/deployed";

bool is_clone(const fs::path& directory) {
  struct stat info {};
  return ::lstat((directory / ".git").c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

// Nothing that is run with the clone's own settings can start a program that they name: no hooks,
// no filters, no transports.
GitCall in_clone(const fs::path& directory, std::vector<std::string> arguments) {
  GitCall made;
  made.arguments = std::move(arguments);
  made.environment = git_environment();
  made.environment["GIT_DIR"] = (directory / ".git").string();
  made.environment["GIT_COMMITTER_NAME"] = "trimtab";  // of the reflog
  made.environment["GIT_COMMITTER_EMAIL"] = "trimtab@localhost";
  return made;
}

// The commit that the ref of the clone names; "" where it names none.
Task<std::string> resolve(fs::path directory, std::string ref) {
  auto ask = in_clone(directory, {"rev-parse", "-q", "--verify", ref + "^{commit}"});
  auto exit = co_await run_git(std::move(ask));
  if (!exit || !exit->ok()) co_return std::string();
  std::string commit(trim(exit->out));
  co_return is_object_id(commit) ? commit : std::string();
}

Task<bool> is_ancestor_in_clone(fs::path directory, std::string older, std::string newer) {
  auto ask = in_clone(directory, {"merge-base", "--is-ancestor", older, newer});
  auto exit = co_await run_git(std::move(ask));
  co_return exit && exit->ok();
}

// Made aside and moved in, so that a crash leaves no half of it.
Task<Result<void>> make_clone(CloneUpdate update) {
  const fs::path aside = update.directory / ".trimtab-new";
  if (auto removed = remove_tree(aside); !removed) co_return removed.error();
  const std::string branch = update.ref.is_tag ? "main" : update.ref.name;
  GitCall init;
  init.arguments = {"init", "-q", "--template=", "--initial-branch=" + branch, aside.string()};
  init.environment = git_environment();
  const std::string what = "make a clone of " + update.directory.string();
  auto made = co_await git_output(what, std::move(init));
  if (!made) co_return made.error();

  std::vector<std::pair<std::string, std::string>> settings = {
      {"remote.origin.url", update.url},
      {"remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*"}};
  if (!update.ref.is_tag) {
    settings.emplace_back("branch." + branch + ".remote", "origin");
    settings.emplace_back("branch." + branch + ".merge", "refs/heads/" + branch);
  }
  for (const auto& [key, value] : settings) {
    auto set = in_clone(aside, {"config", key, value});
    auto done = co_await git_output(what, std::move(set));
    if (!done) co_return done.error();
  }
  std::error_code ec;
  fs::rename(aside / ".git", update.directory / ".git", ec);
  if (ec) co_return os_error("make", update.directory / ".git", ec.value());
  fs::remove(aside, ec);
  co_return Result<void>();
}

// Whether what HEAD reaches is all there: not so in a shallow or a partial clone.
bool has_whole_history(const fs::path& directory) {
  std::error_code ec;
  if (fs::exists(directory / ".git/shallow", ec)) return false;
  for (fs::directory_iterator it(directory / ".git/objects/pack", ec), end; !ec && it != end;
       it.increment(ec)) {
    if (it->path().extension() == ".promisor") return false;
  }
  return true;
}

// One pack with what the clone lacks, made from our repository with its settings alone.
Task<Result<void>> give_objects(CloneUpdate update) {
  std::string known = has_whole_history(update.directory) ? "HEAD" : deployed_ref;
  const std::string has = co_await resolve(update.directory, std::move(known));
  if (has == update.commit) co_return Result<void>();
  const fs::path objects = update.directory / ".git/objects";
  GitCall pack;
  pack.arguments = {"pack-objects",
                    "-q",
                    "--revs",
                    "--non-empty",
                    "--delta-base-offset",
                    (objects / "pack/pack").string()};
  pack.environment = git_environment();
  pack.environment["GIT_DIR"] = update.repository.string();
  pack.environment["GIT_OBJECT_DIRECTORY"] = objects.string();
  pack.environment["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = (update.repository / "objects").string();
  pack.input = update.commit + "\n" + (has.empty() ? "" : "^" + has + "\n");
  pack.timeout = std::chrono::minutes(15);
  auto packed = co_await git_output("copy the commit into " + (update.directory / ".git").string(),
                                    std::move(pack));
  if (!packed) co_return packed.error();
  co_return Result<void>();
}

// No git at work holds a lock of a ref for longer than a moment: one that stays is of a git that
// was killed.
constexpr auto lock_patience = std::chrono::seconds(2);

Task<void> remove_stale_locks(CloneUpdate update) {
  std::vector<std::string> refs = {"HEAD", "packed-refs", deployed_ref};
  if (!update.ref.is_tag) {
    refs.push_back("refs/heads/" + update.ref.name);
    refs.push_back("refs/remotes/origin/" + update.ref.name);
  }
  const SteadyClock::time_point deadline = SteadyClock::now() + lock_patience;
  for (const std::string& ref : refs) {
    const fs::path lock = update.directory / ".git" / (ref + ".lock");
    std::error_code ec;
    while (fs::exists(lock, ec) && SteadyClock::now() < deadline) {
      const Result<void> slept = co_await sleep_for(std::chrono::milliseconds(100));
      if (!slept) co_return;
    }
    fs::remove(lock, ec);
  }
}

Task<Result<void>> move_refs(CloneUpdate update) {
  co_await remove_stale_locks(update);
  const std::string what = "set the branch of " + (update.directory / ".git").string();
  const std::string deployed = co_await resolve(update.directory, deployed_ref);
  auto ask = in_clone(update.directory, {"symbolic-ref", "-q", "HEAD"});
  auto head = co_await run_git(std::move(ask));
  if (!head) co_return head.error();
  const bool detached = !head->ok();

  std::string commands;
  std::vector<std::string> moved = {"HEAD"};
  if (!update.ref.is_tag) {
    const std::string branch = "refs/heads/" + update.ref.name;
    if (!detached) moved = {branch};
    if (detached) moved.push_back(branch);
    commands += "update " + branch + " " + update.commit + "\n";
  } else if (!detached) {
    moved.clear();  // HEAD leaves its branch, which keeps its commits
  }
  std::string time = format_time(wall_now());
  std::erase_if(time, [](char c) { return c == '-' || c == ':' || c == '.'; });
  int number = 0;
  for (const std::string& ref : moved) {
    const std::string old = co_await resolve(update.directory, ref);
    if (old.empty() || old == update.commit || old == deployed) continue;
    const bool contained = co_await is_ancestor_in_clone(update.directory, old, update.commit);
    if (contained) continue;
    const std::string suffix = number++ == 0 ? "" : "-" + std::to_string(number);
    commands += "update refs/trimtab/saved/" + time + suffix + " " + old + "\n";
  }
  if (!update.ref.is_tag) {
    const std::string tracking = "refs/remotes/origin/" + update.ref.name;
    const std::string remote = co_await resolve(update.directory, tracking);
    bool contains = false;
    if (!remote.empty()) {
      contains = co_await is_ancestor_in_clone(update.directory, update.commit, remote);
    }
    if (!contains) commands += "update " + tracking + " " + update.commit + "\n";
  }
  commands += "update " + std::string(deployed_ref) + " " + update.commit + "\n";

  auto set = in_clone(update.directory, {"update-ref", "-m", "trimtab: deploy", "--stdin"});
  set.input = std::move(commands);
  auto done = co_await git_output(what, std::move(set));
  if (!done) co_return done.error();

  std::vector<std::string> arguments = {"symbolic-ref", "-m", "trimtab: deploy", "HEAD",
                                        "refs/heads/" + update.ref.name};
  if (update.ref.is_tag) {
    arguments = {"update-ref", "-m", "trimtab: deploy", "--no-deref", "HEAD", update.commit};
  }
  auto point = in_clone(update.directory, std::move(arguments));
  auto pointed = co_await git_output(what, std::move(point));
  if (!pointed) co_return pointed.error();
  co_return Result<void>();
}

Result<void> copy_index(const fs::path& from, const fs::path& directory) {
  const fs::path temporary = directory / ".git/index.trimtab";
  std::error_code ec;
  fs::copy_file(from, temporary, fs::copy_options::overwrite_existing, ec);
  if (!ec) fs::rename(temporary, directory / ".git/index", ec);
  if (ec) return os_error("write", directory / ".git/index", ec.value());
  return {};
}

// Ours alone, and never through another name: a link that somebody made in that folder to a file of
// the host must not change its owner.
void give(const fs::path& path, const struct stat& owner) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0 || info.st_uid != ::geteuid()) return;
  if (!S_ISDIR(info.st_mode) && info.st_nlink != 1) return;
  // Best effort: what stays root's can still be read by all that could read it.
  (void)!::lchown(path.c_str(), owner.st_uid, owner.st_gid);
}

bool owned_by_another(const fs::path& directory, struct stat& owner) {
  return ::lstat(directory.c_str(), &owner) == 0 && owner.st_uid != ::geteuid();
}

}  // namespace

Task<std::string> clone_head(fs::path directory) {
  if (!is_clone(directory)) co_return std::string();
  co_return co_await resolve(directory, "HEAD");
}

Task<Result<void>> update_clone(CloneUpdate update) {
  struct stat info {};
  if (::lstat((update.directory / ".git").c_str(), &info) != 0) {
    auto made = co_await make_clone(update);
    if (!made) co_return made.error();
  }
  if (!is_clone(update.directory)) co_return Result<void>();
  auto given = co_await give_objects(update);
  if (!given) co_return given.error();
  auto moved = co_await move_refs(update);
  if (!moved) co_return moved.error();
  if (auto copied = copy_index(update.index, update.directory); !copied) co_return copied.error();

  struct stat owner {};
  if (owned_by_another(update.directory, owner)) {
    const fs::path git = update.directory / ".git";
    give(git, owner);
    std::error_code ec;
    for (fs::recursive_directory_iterator it(git, ec), end; !ec && it != end; it.increment(ec)) {
      give(it->path(), owner);
    }
  }
  co_return Result<void>();
}

void give_to_owner(const fs::path& directory, const std::vector<std::string>& paths) {
  struct stat owner {};
  if (!owned_by_another(directory, owner)) return;
  for (const std::string& path : paths) {
    for (fs::path part = path; !part.empty(); part = part.parent_path()) {
      give(directory / part, owner);
    }
  }
}

}  // namespace trimtab
