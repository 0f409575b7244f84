#include "agent/git/live_clone.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "agent/git/git_child.hpp"
#include "agent/git/ref_files.hpp"
#include "common/confined_directory.hpp"
#include "common/disk_thread.hpp"
#include "common/fd_io.hpp"
#include "common/files.hpp"
#include "common/text.hpp"

namespace trimtab {

namespace fs = std::filesystem;

namespace {

constexpr const char* deployed_ref = "refs/trimtab/deployed";
// Bounded because the owner may have replaced one of the clone's files by a pipe, on which reading
// blocks.
constexpr auto reading_timeout = std::chrono::minutes(1);

bool is_clone(const fs::path& directory) {
  struct stat info {};
  return ::lstat((directory / ".git").c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

// A call that only reads, since Git follows links in its directory; all writing goes through
// ConfinedDirectory. Nothing run with the clone's settings can start a program that they name: no
// hooks, filters or transports.
GitCall in_clone(const fs::path& directory, std::vector<std::string> arguments) {
  GitCall made;
  made.arguments = std::move(arguments);
  made.environment = git_environment();
  made.environment["GIT_DIR"] = (directory / ".git").string();
  made.timeout = reading_timeout;
  return made;
}

// Git has other ref storage formats; only the one with files is written here.
bool keeps_refs_in_files(const ConfinedDirectory& live) {
  return !live.status(".git/reftable");
}

// Returns the commit that the clone's ref points to; "" if there is none.
Task<std::string> resolve(const ConfinedDirectory* live, std::string ref) {
  if (keeps_refs_in_files(*live)) co_return id_of_ref(*live, ".git", std::move(ref));
  auto ask = in_clone(live->path(), {"rev-parse", "-q", "--verify", ref + "^{commit}"});
  auto exit = co_await run_git(std::move(ask));
  if (!exit || !exit->ok()) co_return std::string();
  std::string commit(trim(exit->out));
  co_return is_object_id(commit) ? commit : std::string();
}

Task<bool> has_commit(fs::path directory, std::string commit) {
  auto ask = in_clone(directory, {"cat-file", "-e", commit + "^{commit}"});
  auto exit = co_await run_git(std::move(ask));
  co_return exit && exit->ok();
}

Task<bool> is_ancestor_in_clone(fs::path directory, std::string older, std::string newer) {
  auto ask = in_clone(directory, {"merge-base", "--is-ancestor", older, newer});
  auto exit = co_await run_git(std::move(ask));
  co_return exit && exit->ok();
}

// Written under another name, which is renamed to .git, so that a crash leaves no partial clone.
Result<void> make_clone(const CloneUpdate& update, const ConfinedDirectory& live) {
  const fs::path aside = ".trimtab-new";
  for (const char* const directory : {"objects/info", "objects/pack", "refs/heads", "refs/tags"}) {
    if (auto done = live.make_directories(aside / directory); !done) return done;
  }
  const std::string branch = update.ref.is_tag ? "main" : update.ref.name;
  const std::pair<const char*, std::string> files[] = {
      {"config", clone_settings(update.url, update.ref)},
      {"HEAD", fmt::format("ref: refs/heads/{}\n", branch)}};
  for (const auto& [file, text] : files) {
    if (auto put = live.put_file(aside / file, text, 0644); !put) return put;
  }
  return live.rename(aside, ".git");
}

// Whether everything that HEAD reaches is present, unlike in a shallow or partial clone.
bool has_whole_history(const fs::path& directory) {
  std::error_code ec;
  if (fs::exists(directory / ".git/shallow", ec)) return false;
  for (fs::directory_iterator it(directory / ".git/objects/pack", ec), end; !ec && it != end;
       it.increment(ec)) {
    if (it->path().extension() == ".promisor") return false;
  }
  return true;
}

// Packs the commit's objects that `has` does not reach ("": all objects) into `directory`, reading
// only the settings of the daemon's repository.
Task<Result<std::string>> pack(CloneUpdate update, fs::path directory, std::string has) {
  GitCall made;
  made.arguments = {"pack-objects",
                    "-q",
                    "--revs",
                    "--non-empty",
                    "--delta-base-offset",
                    (directory / "pack/pack").string()};
  made.environment = git_environment();
  made.environment["GIT_DIR"] = update.repository.string();
  made.environment["GIT_OBJECT_DIRECTORY"] = directory.string();
  // The copies in the clone are what must last.
  add_git_config(made.environment, "core.fsync", "none");
  // `has` may be a commit that only the clone has.
  made.environment["GIT_ALTERNATE_OBJECT_DIRECTORIES"] =
      (update.repository / "objects").string() + ":" + (update.directory / ".git/objects").string();
  made.input = update.commit + "\n" + (has.empty() ? "" : "^" + has + "\n");
  made.timeout = std::chrono::minutes(15);
  const std::string what = "copy the commit into " + (update.directory / ".git").string();
  co_return co_await git_output(what, std::move(made));
}

// Moves the pack files into the clone. The .idx file comes last because it makes the pack visible
// to Git.
Result<void> put_packs(const fs::path& directory, const ConfinedDirectory& live) {
  const auto files = ConfinedDirectory::open(directory);
  if (!files) return files.error();
  for (const char* const kind : {".pack", ".rev", ".idx"}) {
    std::error_code ec;
    for (fs::directory_iterator it(directory, ec), end; !ec && it != end; it.increment(ec)) {
      if (it->path().extension() != kind) continue;
      const fs::path name = it->path().filename();
      const auto from = files->read(name);
      if (!from) return from.error();
      const fs::path file = fs::path(".git/objects/pack") / name;
      if (auto put = live.put_file(file, from->get(), 0444); !put) return put;
    }
  }
  return {};
}

// Adds one pack with the objects that the clone lacks.
Task<Result<void>> copy_objects(CloneUpdate update, const ConfinedDirectory* live) {
  std::string known = has_whole_history(update.directory) ? "HEAD" : deployed_ref;
  const std::string has = co_await resolve(live, std::move(known));
  if (has == update.commit) co_return Result<void>();
  const fs::path made = update.state / "new-objects";
  const auto make_directory = [&made] {
    const Result<void> emptied = make_scratch_directory(made);
    return emptied ? make_scratch_directory(made / "pack") : emptied;
  };
  auto directory = co_await on_disk_thread(make_directory);
  if (!directory) co_return directory.error();
  auto packed = co_await pack(update, made, has);
  // The object that HEAD names may be missing.
  if (!packed && !has.empty()) packed = co_await pack(update, made, std::string());
  if (!packed) co_return packed.error();
  const auto put = [&made, live] {
    const Result<void> done = put_packs(made / "pack", *live);
    return done ? remove_tree(made) : done;
  };
  co_return co_await on_disk_thread(put);
}

// A running git holds a ref's lock for a moment, and on a slow host for some seconds more.
constexpr auto lock_timeout = std::chrono::seconds(2);
constexpr auto longest_held = std::chrono::minutes(10);

// Whether nobody holds the lock any more: it is older than this start of the host, older than any
// git holds one, or what this daemon wrote before it was killed.
bool is_abandoned(const ConfinedDirectory& live, const fs::path& lock, const std::string& content) {
  const auto status = live.status(lock);
  if (!status) return false;
  struct timespec uptime {};
  ::clock_gettime(CLOCK_BOOTTIME, &uptime);
  const auto age = std::chrono::system_clock::now() -
                   std::chrono::system_clock::from_time_t(status->st_mtim.tv_sec);
  if (age > std::min<std::chrono::seconds>(longest_held, std::chrono::seconds(uptime.tv_sec))) {
    return true;
  }
  const auto file = live.read(lock);
  if (!file) return false;
  const Result<std::string> text = read_all(file->get(), lock, content.size());
  return text && *text == content;
}

// Writes HEAD or a ref's file under the lock file that Git itself uses. If a git holds it, the ref
// stays as it is; the next deployment moves it.
Task<Result<void>> write_ref(const ConfinedDirectory* live, std::string name, std::string value) {
  const fs::path file = fs::path(".git") / name;
  const fs::path lock = file.string() + ".lock";
  const std::string content = value + "\n";
  const auto create = [&] {
    Result<void> made = live->create_file(lock, content);
    const bool is_held = !made && made.error().code == Errc::conflict;
    if (!is_held || !is_abandoned(*live, lock, content)) return made;
    made = live->remove(lock);
    return made ? live->create_file(lock, content) : made;
  };
  auto locked = co_await on_disk_thread(create);
  const SteadyClock::time_point deadline = SteadyClock::now() + lock_timeout;
  while (!locked && locked.error().code == Errc::conflict && SteadyClock::now() < deadline) {
    const Result<void> slept = co_await sleep_for(std::chrono::milliseconds(100));
    if (!slept) co_return slept.error();
    locked = co_await on_disk_thread(create);
  }
  if (!locked && locked.error().code == Errc::conflict) {
    co_return Error{
        Errc::conflict,
        (live->path() / lock).string() +
            " is there: a git that runs holds it, and the clone's refs stay as they are",
        "they move with the next deployment; if no git runs there, remove the file"};
  }
  if (!locked) co_return locked.error();
  auto written = live->rename(lock, file);
  if (!written) static_cast<void>(!live->remove(lock));
  co_return written;
}

// Appends a line to the reflog, so that `git reflog` and HEAD@{1} know of the deployment.
Result<void> log_ref(const ConfinedDirectory& live, const std::string& name, const std::string& old,
                     const std::string& now) {
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(wall_now().time_since_epoch());
  const std::string none(now.size(), '0');
  const fs::path file = fs::path(".git/logs") / name;
  if (auto made = live.make_directories(file.parent_path()); !made) return made;
  return live.append(file, (old.empty() ? none : old) + " " + now +
                               " trimtab <trimtab@localhost> " + std::to_string(seconds.count()) +
                               " +0000\ttrimtab: deploy\n");
}

struct RefUpdate {
  std::string name;
  std::string old;  // commit; "": the ref is new
  bool logged = false;
};

Task<Result<void>> move_refs(CloneUpdate update, const ConfinedDirectory* live) {
  const std::string deployed = co_await resolve(live, deployed_ref);
  const bool detached = branch_of_head(*live, ".git").empty();
  const std::string branch = "refs/heads/" + update.ref.name;
  const std::string head_commit = co_await resolve(live, "HEAD");

  std::vector<RefUpdate> updates;
  std::vector<std::string> left;  // commits that refs are moved away from
  if (!update.ref.is_tag) {
    const std::string old = co_await resolve(live, branch);
    updates.push_back({branch, old, true});
    left.push_back(old);
  }
  // When HEAD moves from a branch to a tag, the branch keeps its commits reachable.
  if (detached) left.push_back(head_commit);

  std::string time = format_time(wall_now());
  std::erase_if(time, [](char c) { return c == '-' || c == ':' || c == '.'; });
  int number = 0;
  for (const std::string& old : left) {
    if (old.empty() || old == update.commit || old == deployed) continue;
    const bool contained = co_await is_ancestor_in_clone(update.directory, old, update.commit);
    if (contained) continue;
    // A ref to a missing object would break the clone for Git.
    const bool is_there = co_await has_commit(update.directory, old);
    if (!is_there) continue;
    const std::string suffix = number++ == 0 ? "" : fmt::format("-{}", number);
    auto kept = co_await write_ref(live, fmt::format("refs/trimtab/saved/{}{}", time, suffix), old);
    if (!kept) co_return kept.error();
  }
  if (!update.ref.is_tag) {
    const std::string tracking = "refs/remotes/origin/" + update.ref.name;
    const std::string remote = co_await resolve(live, tracking);
    bool contains = false;
    if (!remote.empty()) {
      contains = co_await is_ancestor_in_clone(update.directory, update.commit, remote);
    }
    if (!contains) updates.push_back({tracking, remote, true});
  }
  updates.push_back({deployed_ref, deployed, false});

  for (const RefUpdate& ref : updates) {
    if (ref.old == update.commit) continue;
    auto written = co_await write_ref(live, ref.name, update.commit);
    if (!written) co_return written.error();
    if (!ref.logged) continue;
    if (auto logged = log_ref(*live, ref.name, ref.old, update.commit); !logged) co_return logged;
  }
  const std::string points_to = update.ref.is_tag ? update.commit : "ref: " + branch;
  auto pointed = co_await write_ref(live, "HEAD", points_to);
  if (!pointed || head_commit == update.commit) co_return pointed;
  co_return log_ref(*live, "HEAD", head_commit, update.commit);
}

Result<void> copy_index(const fs::path& from, const ConfinedDirectory& live) {
  const UniqueFd file(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return os_error("read", from, errno);
  return live.put_file(".git/index", file.get(), 0644);
}

Result<void> check_ref_storage(const ConfinedDirectory& live) {
  if (keeps_refs_in_files(live)) return {};
  return Error{
      Errc::conflict,
      (live.path() / ".git").string() +
          " stores its refs as reftable, which trimtab cannot write: its branch is not moved",
      "git refs migrate --ref-format=files"};
}

// As Git quotes a value, or the name of a section's part.
std::string in_git_quotes(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + '"';
}

}  // namespace

std::string clone_settings(const std::string& url, const WantedRef& ref) {
  // What `git clone` writes with whatever defaults: SHA-1, and refs in files.
  std::string text = fmt::format(
      "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = "
      "false\n\tlogallrefupdates = true\n[remote \"origin\"]\n\turl = {}\n\tfetch = "
      "+refs/heads/*:refs/remotes/origin/*\n",
      in_git_quotes(url));
  if (ref.is_tag) return text;
  text += fmt::format("[branch {}]\n\tremote = origin\n\tmerge = {}\n", in_git_quotes(ref.name),
                      in_git_quotes("refs/heads/" + ref.name));
  return text;
}

Task<std::string> clone_head(fs::path directory) {
  if (!is_clone(directory)) co_return std::string();
  const auto live = ConfinedDirectory::open(directory);
  if (!live) co_return std::string();
  co_return co_await resolve(&*live, "HEAD");
}

Task<Result<void>> update_clone(CloneUpdate update) {
  const auto live = ConfinedDirectory::open(update.directory);
  if (!live) co_return live.error();
  const auto git = live->status(".git");
  if (!git && git.error().code == Errc::not_found) {
    const auto make = [&update, &live] { return make_clone(update, *live); };
    auto made = co_await on_disk_thread(make);
    if (!made) co_return made.error();
  } else if (!is_clone(update.directory)) {
    co_return Result<void>();
  }
  if (auto usual = check_ref_storage(*live); !usual) co_return usual;
  auto given = co_await copy_objects(update, &*live);
  if (!given) co_return given.error();
  auto moved = co_await move_refs(update, &*live);
  if (!moved) co_return moved.error();
  const auto copy = [&update, &live] { return copy_index(update.index, *live); };
  co_return co_await on_disk_thread(copy);
}

}  // namespace trimtab
