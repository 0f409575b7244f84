// More than 400 lines, because all calls share one repository and what is known of its state.
#include "agent/git/git_program.hpp"

#include <fmt/core.h>

#include <charconv>

#include "agent/git/live_clone.hpp"
#include "agent/git/ref_files.hpp"
#include "agent/git/remote_call.hpp"
#include "common/disk_thread.hpp"
#include "common/files.hpp"
#include "common/log.hpp"
#include "common/text.hpp"

namespace trimtab {

namespace fs = std::filesystem;

namespace {

constexpr const char* tip_ref = "refs/trimtab/tip";

constexpr std::string_view release_refs = "refs/trimtab/releases/";

std::string release_ref(int release) {
  return fmt::format("{}{}", release_refs, release);
}

// Removes lock and temporary files of a killed git, which would block or burden the next one. Safe
// because no other git runs here: the daemon holds the lock of the state directory.
void remove_leftovers(const fs::path& repository) {
  std::error_code ec;
  for (fs::recursive_directory_iterator it(repository, ec), end; !ec && it != end;
       it.increment(ec)) {
    const std::string name = it->path().filename().string();
    if (name.ends_with(".lock") || name.starts_with("tmp_") || name.starts_with(".tmp-")) {
      std::error_code ignored;
      if (!it->is_directory(ignored)) fs::remove(it->path(), ignored);
    }
  }
}

Task<Result<void>> make_empty_directory(fs::path directory) {
  const auto make = [&directory] { return make_scratch_directory(directory); };
  co_return co_await on_disk_thread(make);
}

}  // namespace

GitProgram::GitProgram(GitAccess access, std::string ref, fs::path repository, fs::path state)
    : access_(std::move(access)),
      remote_(parse_remote(access_.url)),
      wanted_(parse_ref(ref)),
      repository_(std::move(repository)),
      state_(std::move(state) / "git"),
      live_(repository_, state_, trees_) {
  if (remote_) web_.emplace(access_, *remote_);
}

std::string GitProgram::transport_in_use() const {
  return web_ ? web_->transport_in_use() : std::string();
}

void GitProgram::close_idle_connection() {
  if (web_) web_->close_idle_connection();
}

GitCall GitProgram::call(std::vector<std::string> arguments) const {
  GitCall made;
  made.arguments = std::move(arguments);
  made.environment = git_environment();
  made.environment["GIT_DIR"] = repository_.string();
  return made;
}

Result<GitCall> GitProgram::remote_call(std::vector<std::string> arguments) const {
  if (!remote_) return remote_.error();
  if (!wanted_) return wanted_.error();
  return trimtab::remote_call(access_, *remote_, state_, std::move(arguments));
}

Task<Result<void>> GitProgram::prepare() {
  if (prepared_) co_return Result<void>();
  if (auto made = make_private_directory(state_); !made) co_return made.error();
  std::error_code ec;
  if (!fs::exists(repository_ / "objects", ec)) {
    // Made aside and synced before it is moved in: git init syncs none of the files that it
    // creates.
    const fs::path fresh = repository_.string() + ".new";
    auto made = co_await make_empty(fresh);
    if (!made) co_return made.error();
    auto replaced = co_await put_in_place(fresh);
    if (!replaced) co_return replaced;
  }
  const auto tidy = [this] {
    remove_leftovers(repository_);
    return true;
  };
  co_await on_disk_thread(tidy);
  prepared_ = true;
  co_return Result<void>();
}

// Replaces repo.git by `fresh`. Durable when this returns.
Task<Result<void>> GitProgram::put_in_place(fs::path fresh) {
  trees_.forget();
  const auto put = [&]() -> Result<void> {
    if (auto removed = remove_tree(repository_); !removed) return removed;
    std::error_code ec;
    fs::rename(fresh, repository_, ec);
    if (ec) return os_error("make", repository_, ec.value());
    return sync_directory(repository_.parent_path());
  };
  co_return co_await on_disk_thread(put);
}

// Creates an empty bare repository in place of whatever is there. Durable when this returns.
Task<Result<void>> GitProgram::make_empty(fs::path repository) {
  auto emptied = co_await make_empty_directory(repository);
  if (!emptied) co_return emptied;
  auto init = call({"init", "-q", "--bare", "--template=", "--initial-branch=none"});
  init.environment["GIT_DIR"] = repository.string();
  auto made = co_await git_output("make " + repository.string(), std::move(init));
  if (!made) co_return made.error();
  const auto sync = [&repository] { return sync_tree(repository); };
  co_return co_await on_disk_thread(sync);
}

Task<Result<std::vector<AdvertisedRef>>> GitProgram::list(std::string prefix) {
  if (web_) {
    auto listed = co_await web_->list(prefix);
    if (!listed) co_return listed.error();
    if (*listed) co_return std::move(**listed);
  }
  // With --heads or --tags Git sends the server a ref prefix; without, the server lists every ref.
  const bool tags = prefix.starts_with("refs/tags/");
  std::vector<std::string> arguments = {"ls-remote", tags ? "--tags" : "--heads", "--",
                                        access_.url};
  if (!tags && !prefix.ends_with('/')) arguments.push_back(prefix);
  auto ask = remote_call(std::move(arguments));
  if (!ask) co_return ask.error();
  ask->timeout = std::chrono::minutes(1);
  auto output = co_await remote_output(std::move(*ask), *remote_, access_);
  if (!output) co_return output.error();
  co_return parse_ls_remote(*output);
}

Task<Error> GitProgram::missing_ref() {
  constexpr std::size_t max_named = 5;
  std::string all = wanted_->is_tag ? "refs/tags/" : "refs/heads/";
  auto refs = co_await list(std::move(all));
  if (!refs) co_return refs.error();
  std::vector<std::string> names;
  for (const AdvertisedRef& ref : *refs) {
    const std::string name = ref.name.substr(ref.name.find('/', 5) + 1);
    if (!name.ends_with("^{}")) names.push_back(printable(name));
  }
  const std::string kind = wanted_->is_tag ? "tag" : "branch";
  Error error{Errc::not_found,
              access_.url + (wanted_->is_tag ? " has no tag that matches " : " has no branch ") +
                  wanted_->name,
              {}};
  if (names.empty()) {
    error.hint = fmt::format("it has no {}: push one", kind);
  } else {
    const std::size_t shown = std::min(names.size(), max_named);
    // Tags are listed in ascending order, so the newest ones come last.
    if (wanted_->is_tag) names.erase(names.begin(), names.end() - static_cast<long>(shown));
    names.resize(shown);
    error.hint = fmt::format("it has {}: set git.ref, or push that {}", join(names, ", "), kind);
  }
  if (const auto near = nearest(wanted_->name, names))
    error.hint += fmt::format(" (did you mean {}?)", *near);
  co_return error;
}

Task<Result<RefTip>> GitProgram::resolve_ref() {
  if (!wanted_) co_return wanted_.error();
  auto refs = co_await list(wanted_->prefix());
  if (!refs) co_return refs.error();
  auto tip = find_tip(*refs, *wanted_);
  if (tip) co_return std::move(*tip);
  co_return co_await missing_ref();
}

Task<Result<std::string>> GitProgram::fetch_once(RefTip tip) {
  auto ready = co_await prepare();
  if (!ready) co_return ready.error();
  auto fetched = co_await fetch_into(repository_, tip);
  if (!fetched) prepared_ = false;
  co_return fetched;
}

std::string GitProgram::fetched_tip(const fs::path& repository) const {
  // A tag may name a tag object, and only Git can peel that to its commit.
  if (!wanted_ || wanted_->is_tag) return {};
  const auto directory = ConfinedDirectory::open(repository);
  return directory ? id_of_ref(*directory, "", tip_ref) : std::string();
}

Task<Result<std::string>> GitProgram::fetch_into(fs::path repository, RefTip tip) {
  if (!wanted_) co_return wanted_.error();
  if (fetched_tip(repository) == tip.commit) co_return tip.commit;
  const std::string wanted_tip = fmt::format("{}^{{commit}}", tip_ref);
  if (wanted_->is_tag) {
    auto have = call({"rev-parse", "-q", "--verify", wanted_tip});
    have.environment["GIT_DIR"] = repository.string();
    auto had = co_await run_git(std::move(have));
    if (!had) co_return had.error();
    if (had->ok() && trim(had->out) == tip.commit) co_return tip.commit;
  }

  auto get = remote_call({"fetch", "-q", "--no-tags", "--no-write-fetch-head",
                          "--no-auto-maintenance", "--no-recurse-submodules", "--force", "--",
                          access_.url, "+" + tip.name + ":" + tip_ref});
  if (!get) co_return get.error();
  get->environment["GIT_DIR"] = repository.string();
  get->timeout = std::chrono::minutes(15);
  auto got = co_await remote_output(std::move(*get), *remote_, access_);
  if (!got) co_return got.error();
  if (std::string fetched = fetched_tip(repository); !fetched.empty()) co_return fetched;
  auto resolve = call({"rev-parse", "-q", "--verify", wanted_tip});
  resolve.environment["GIT_DIR"] = repository.string();
  auto commit = co_await git_output("find the commit of " + tip.name, std::move(resolve));
  if (!commit) co_return commit.error();
  co_return std::string(trim(*commit));
}

Task<Result<std::string>> GitProgram::find_commit(std::string text) {
  const Error unknown{Errc::not_found, fmt::format("no commit {} is known here", printable(text)),
                      "only commits reachable from git.ref are fetched"};
  if (text.size() < 4 || text.size() > 64 ||
      text.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos) {
    co_return unknown;
  }
  auto ready = co_await prepare();
  if (!ready) co_return ready.error();
  auto resolve = call({"rev-parse", "-q", "--verify", text + "^{commit}"});
  auto exit = co_await run_git(std::move(resolve));
  if (!exit) co_return exit.error();
  if (!exit->ok()) co_return unknown;
  co_return std::string(trim(exit->out));
}

Task<Result<CommitInfo>> GitProgram::describe_once(std::string commit) {
  auto show = call({"log", "-1", "--no-show-signature", "--no-color",
                    "--format=%H%x00%s%x00%an%x00%ct", "--end-of-options", commit});
  auto output = co_await git_output("read commit " + commit, std::move(show));
  if (!output) co_return output.error();
  const auto parts = split(trim(*output), '\0');
  if (parts.size() != 4) {
    co_return Error{Errc::failed, "unexpected output of git log for " + commit, {}};
  }
  std::int64_t seconds = 0;
  std::from_chars(parts[3].data(), parts[3].data() + parts[3].size(), seconds);
  CommitInfo info;
  info.commit = parts[0];
  info.subject = printable(parts[1]);
  info.author = printable(parts[2]);
  info.committed_at = WallTime(std::chrono::seconds(seconds));
  co_return info;
}

Task<Result<bool>> GitProgram::is_ancestor(std::string older, std::string newer) {
  if (!is_object_id(older) || !is_object_id(newer)) co_return false;
  auto ask = call({"merge-base", "--is-ancestor", older, newer});
  auto exit = co_await run_git(std::move(ask));
  if (!exit) co_return exit.error();
  co_return exit->ok();
}

Task<Result<std::vector<TreeEntry>>> GitProgram::tree_once(std::string commit) {
  if (const std::vector<TreeEntry>* const known = trees_.find(commit)) co_return *known;
  auto list_tree = call({"ls-tree", "-r", "-z", "--full-tree", "--end-of-options", commit});
  auto output = co_await git_output("read the files of commit " + commit, std::move(list_tree));
  if (!output) co_return output.error();
  auto entries = parse_tree(*output);
  if (entries) trees_.keep(commit, *entries);
  co_return entries;
}

Task<Result<void>> GitProgram::keep_once(std::string commit, int release) {
  auto ready = co_await prepare();
  if (!ready) co_return ready.error();
  const auto update = [&] { return call({"update-ref", release_ref(release), commit}); };
  const std::string what = "keep commit " + commit;
  auto kept = co_await git_output(what, update());
  if (kept) co_return Result<void>();
  auto ask = call({"cat-file", "-e", commit + "^{commit}"});
  auto is_here = co_await run_git(std::move(ask));
  if (!is_here) co_return is_here.error();
  if (!is_here->ok()) {
    auto fetched = co_await fetch_commit(commit);
    if (!fetched) co_return fetched.error();
    kept = co_await git_output(what, update());
  }
  if (kept) co_return Result<void>();
  prepared_ = false;
  co_return kept.error();
}

// Fetches the commit by its id, which not every server allows.
Task<Result<void>> GitProgram::fetch_commit(std::string commit) {
  auto get =
      remote_call({"fetch", "-q", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance",
                   "--no-recurse-submodules", "--", access_.url, commit});
  if (!get) co_return get.error();
  get->environment["GIT_DIR"] = repository_.string();
  get->timeout = std::chrono::minutes(15);
  auto got = co_await remote_output(std::move(*get), *remote_, access_);
  if (!got) co_return got.error();
  co_return Result<void>();
}

Task<Result<void>> GitProgram::keep_only(std::set<int> releases) {
  auto ready = co_await prepare();
  if (!ready) co_return ready.error();
  std::set<std::string> kept;
  for (const int release : releases) kept.insert(release_ref(release));
  auto list = call({"for-each-ref", "--format=%(refname)", std::string(release_refs)});
  auto names = co_await git_output("list the commits of the releases", std::move(list));
  if (!names) {
    prepared_ = false;
    co_return names.error();
  }
  auto update = call({"update-ref", "--stdin"});
  for (const std::string& name : split(*names, '\n')) {
    if (!name.empty() && !kept.contains(name)) update.input += fmt::format("delete {}\n", name);
  }
  if (update.input.empty()) co_return Result<void>();
  auto done = co_await git_output("drop the commits of removed releases", std::move(update));
  if (!done) {
    prepared_ = false;
    co_return done.error();
  }
  // A good time for garbage collection: objects have just become unreachable, and no deployment
  // runs.
  auto tidy = call({"-c", "gc.auto=2000", "-c", "gc.autoPackLimit=30", "-c", "gc.autoDetach=false",
                    "gc", "--auto", "-q"});
  tidy.timeout = std::chrono::minutes(15);
  auto tidied = co_await git_output("tidy " + repository_.string(), std::move(tidy));
  if (!tidied) {
    prepared_ = false;
    spdlog::warn("{}", tidied.error().text());
  }
  co_return Result<void>();
}

Task<Result<void>> GitProgram::stage_once(std::string commit, fs::path directory) {
  auto ready = co_await prepare();
  if (!ready) co_return ready.error();
  auto emptied = co_await make_empty_directory(directory);
  if (!emptied) co_return emptied;
  const fs::path index = state_ / "stage.index";
  std::error_code ignored;
  fs::remove(index, ignored);
  fs::remove(index.string() + ".lock", ignored);

  auto read = call({"read-tree", "--reset", "-u", commit});
  read.environment["GIT_WORK_TREE"] = directory.string();
  read.environment["GIT_INDEX_FILE"] = index.string();
  read.directory = directory.string();
  read.timeout = std::chrono::minutes(10);
  auto done = co_await git_output(fmt::format("check out {} in {}", commit, directory.string()),
                                  std::move(read));
  fs::remove(index, ignored);
  if (!done) {
    prepared_ = false;
    co_return done.error();
  }
  co_return Result<void>();
}

Task<Result<SwitchReport>> GitProgram::switch_once(fs::path directory, std::string from,
                                                   std::string to,
                                                   std::vector<std::string> in_place,
                                                   fs::path saved) {
  if (!wanted_) co_return wanted_.error();
  auto ready = co_await prepare();
  if (!ready) co_return ready.error();
  auto report = co_await live_.checkout_live(directory, from, to, std::move(in_place), saved);
  if (!report) {
    prepared_ = false;
    co_return report.error();
  }
  CloneUpdate update;
  update.repository = repository_;
  update.state = state_;
  update.directory = directory;
  update.index = live_.index();
  update.commit = to;
  update.url = access_.url;
  update.ref = *wanted_;
  auto updated = co_await update_clone(std::move(update));
  // Only a warning: the files are in place, and no deployment depends on what `git status` says.
  if (!updated) spdlog::warn("{}", updated.error().text());
  const Result<void> finished = co_await live_.finish();
  if (!finished) co_return finished.error();
  co_return std::move(*report);
}

Task<Result<std::vector<std::string>>> GitProgram::edits(fs::path directory, std::string from,
                                                         std::string commit) {
  auto ready = co_await prepare();
  if (!ready) co_return ready.error();
  co_return co_await live_.edits(std::move(directory), std::move(from), std::move(commit));
}

Task<Result<std::vector<std::string>>> GitProgram::collisions(fs::path directory, std::string from,
                                                              std::string commit) {
  auto ready = co_await prepare();
  if (!ready) co_return ready.error();
  co_return co_await live_.collisions(std::move(directory), std::move(from), std::move(commit));
}

}  // namespace trimtab
