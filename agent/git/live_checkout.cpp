// More than 400 lines, because the survey of a live directory and the switch that acts on it are
// one algorithm over one index file.
#include "agent/git/live_checkout.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "agent/git/git_errors.hpp"
#include "agent/git/live_clone.hpp"
#include "common/confined_directory.hpp"
#include "common/disk_thread.hpp"
#include "common/files.hpp"
#include "common/text.hpp"

namespace trimtab {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t named_paths = 5;

bool is_directory_entry(const fs::path& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

bool is_regular_entry(const TreeEntry& entry) {
  return entry.mode.starts_with("100");
}

// Returns everything below `directory` that is not a directory, relative to `top`. Does not follow
// links.
std::vector<std::string> files_below(const fs::path& top, const fs::path& directory) {
  std::vector<std::string> found;
  std::error_code ec;
  for (fs::recursive_directory_iterator it(directory, ec), end; !ec && it != end;
       it.increment(ec)) {
    if (!is_directory_entry(it->path()))
      found.push_back(it->path().lexically_relative(top).string());
  }
  return found;
}

// Returns the untracked entries that stand in the way of a new file at `path`.
template <class Known>
std::vector<std::string> in_the_way(const fs::path& top, const std::string& path,
                                    const Known& is_tracked) {
  for (auto slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const std::string parent = path.substr(0, slash);
    if (!is_there(top / parent)) return {};
    if (is_directory_entry(top / parent)) continue;
    if (is_tracked(parent)) return {};
    return {parent};
  }
  if (!is_directory_entry(top / path)) return {};
  auto untracked = files_below(top, top / path);
  std::erase_if(untracked, is_tracked);
  return untracked;
}

// Whether anything untracked stands where the new commit has a file.
template <class Entries>
bool anything_in_the_way(const fs::path& top, const Entries& before, const Entries& after) {
  const auto is_tracked = [&before](const std::string& path) { return before.contains(path); };
  return std::any_of(after.begin(), after.end(), [&](const auto& file) {
    const std::string& path = file.first;
    const bool is_new = is_there(top / path) && !is_tracked(path);
    return is_new || !in_the_way(top, path, is_tracked).empty();
  });
}

std::map<std::string, TreeEntry> by_path(const std::vector<TreeEntry>& entries) {
  std::map<std::string, TreeEntry> paths;
  for (const TreeEntry& entry : entries) paths[entry.path] = entry;
  return paths;
}

Error collision_error(const fs::path& directory, const std::vector<std::string>& paths) {
  std::vector<std::string> named(
      paths.begin(),
      paths.begin() + static_cast<std::ptrdiff_t>(std::min(paths.size(), named_paths)));
  std::string list = printable(join(named, ", "));
  if (paths.size() > named.size()) {
    list += fmt::format(" and {} more", paths.size() - named.size());
  }
  return Error{
      Errc::conflict,
      fmt::format("in {}, untracked files are in the way of different ones in the commit: {}",
                  directory.string(), list),
      "move them away, or remove them from the repository"};
}

}  // namespace

LiveCheckout::LiveCheckout(fs::path repository, fs::path state, CommitTrees& trees)
    : repository_(std::move(repository)), state_(std::move(state)), trees_(trees) {}

GitCall LiveCheckout::call(const fs::path& directory, const fs::path& index,
                           std::vector<std::string> arguments) const {
  GitCall made;
  made.arguments = std::move(arguments);
  made.environment = git_environment();
  made.environment["GIT_DIR"] = repository_.string();
  made.environment["GIT_WORK_TREE"] = directory.string();
  made.environment["GIT_INDEX_FILE"] = index.string();
  // The checked-out commit may be one that only the owner's clone has.
  const fs::path objects = directory / ".git/objects";
  if (is_directory_entry(objects)) {
    made.environment["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = objects.string();
  }
  made.directory = directory.string();
  made.timeout = std::chrono::minutes(10);
  return made;
}

// Files that were rewritten with the same content do not count: git diff compares content and
// refreshes the index.
Task<Result<LiveCheckout::Status>> LiveCheckout::differences(fs::path directory, fs::path index) {
  auto diff = call(directory, index,
                   {"diff", "-z", "--name-status", "--no-renames", "--no-ext-diff", "--no-textconv",
                    "--ignore-submodules=all"});
  auto listed = co_await git_output("compare " + directory.string(), std::move(diff));
  if (!listed) co_return listed.error();
  Status status;
  const auto parts = fields(*listed, '\0');
  for (std::size_t i = 0; i + 1 < parts.size(); i += 2) status[parts[i + 1]] = parts[i].front();
  co_return status;
}

Task<Result<LiveCheckout::Status>> LiveCheckout::compare(fs::path directory, fs::path index,
                                                         std::string commit) {
  if (commit.empty()) {
    // Of nothing, nothing differs.
    std::error_code ec;
    fs::remove(index, ec);
    if (ec) co_return os_error("remove", index, ec.value());
    co_return Status();
  }
  const std::string what = "read commit " + commit;
  const std::vector<std::string> arguments = {"read-tree", "--reset", commit};
  auto read = call(directory, index, arguments);
  auto done = co_await git_output(what, std::move(read));
  if (!done) {
    // A crash may have torn the index. It is only a cache, so it is rebuilt.
    std::error_code ignored;
    fs::remove(index, ignored);
    auto again = call(directory, index, arguments);
    done = co_await git_output(what, std::move(again));
  }
  if (!done) co_return done.error();
  co_return co_await differences(std::move(directory), std::move(index));
}

Task<Result<std::optional<LiveCheckout::Entries>>> LiveCheckout::entries_of(fs::path directory,
                                                                            std::string commit) {
  if (commit.empty()) co_return std::nullopt;
  if (trees_.find(commit) == nullptr) {
    auto list = call(directory, index(), {"ls-tree", "-r", "-z", "--full-tree", commit});
    auto listed = co_await run_git(std::move(list));
    if (!listed) co_return listed.error().context("cannot read commit " + commit);
    if (!listed->ok()) {
      auto ask = call(directory, index(), {"cat-file", "-e", commit + "^{tree}"});
      const auto is_here = co_await run_git(std::move(ask));
      if (!is_here) co_return is_here.error();
      if (!is_here->ok()) co_return std::nullopt;
      co_return explain_local_failure("read commit " + commit, listed->err);
    }
    auto parsed = parse_tree(listed->out);
    if (!parsed) co_return parsed.error();
    trees_.keep(commit, *parsed);
    co_return by_path(*parsed);
  }
  co_return by_path(*trees_.find(commit));
}

Task<Result<void>> LiveCheckout::put_into_index(fs::path directory,
                                                std::vector<TreeEntry> entries) {
  if (entries.empty()) co_return Result<void>();
  auto update = call(directory, index(), {"update-index", "-z", "--index-info"});
  for (const TreeEntry& entry : entries) {
    update.input += entry.mode + " " + entry.blob + "\t" + entry.path;
    update.input += '\0';
  }
  auto updated = co_await git_output("note what is in " + directory.string(), std::move(update));
  if (!updated) co_return updated.error();
  co_return Result<void>();
}

std::vector<std::string> LiveCheckout::collisions_among(const fs::path& directory,
                                                        const Survey& found) {
  const auto is_tracked = [&found](const std::string& path) { return found.before.contains(path); };
  std::set<std::string> collisions;
  for (const auto& [path, kind] : found.pending) {
    if (kind != 'D' && !is_tracked(path)) collisions.insert(path);
    if (kind != 'D') continue;
    for (std::string& blocker : in_the_way(directory, path, is_tracked)) {
      collisions.insert(std::move(blocker));
    }
  }
  return {collisions.begin(), collisions.end()};
}

// A tracked file counts as unedited if its content is that of one of these commits: the one
// deployed last, the one that the owner checked out, one of an unfinished switch, or the wanted
// one. Any other content is a local edit.
Task<Result<LiveCheckout::Survey>> LiveCheckout::survey(fs::path directory, std::string from,
                                                        std::string to) {
  std::error_code ignored;
  for (const fs::path& index_file : {index(), scratch()}) {
    fs::remove(index_file.string() + ".lock", ignored);  // left by a killed git
  }

  const std::string head = co_await clone_head(directory);
  std::string base = from;
  auto base_entries = co_await entries_of(directory, base);
  if (base_entries && !*base_entries) {
    base = head;
    base_entries = co_await entries_of(directory, base);
  }
  if (!base_entries) co_return base_entries.error();
  if (!*base_entries) base.clear();

  Survey found;
  auto base_status = co_await compare(directory, index(), base);
  if (!base_status) co_return base_status.error();
  found.before = std::move(*base_entries).value_or(Entries());

  const std::set<std::string> begun = unfinished();
  std::vector<std::string> others(begun.begin(), begun.end());
  if (!head.empty() && head != base) others.push_back(head);
  // The directory is at the wanted commit already, so that every difference is a local edit.
  found.stays = others.empty() && to == base;
  if (found.stays) {
    found.after = found.before;
    found.pending = *base_status;
  } else {
    others.push_back(to);
  }
  bool knows_more = false;
  for (const std::string& other : others) {
    auto entries = co_await entries_of(directory, other);
    if (!entries) co_return entries.error();
    if (!*entries && other != to) continue;
    if (!*entries) co_return Error{Errc::failed, "cannot read commit " + to, {}};
    const auto copy = [this] {
      std::error_code ec;
      fs::remove(scratch(), ec);
      return fs::copy_file(index(), scratch(), ec);
    };
    co_await on_disk_thread(copy);
    auto status = co_await compare(directory, scratch(), other);
    if (!status) co_return status.error();

    std::vector<TreeEntry> ours;
    for (const auto& [path, entry] : **entries) {
      const auto differs = status->find(path);
      const bool same = differs == status->end();
      // Partly written when the switch was interrupted; no other file stood there when it began.
      const bool torn =
          !same && differs->second != 'D' && begun.contains(other) && !found.before.contains(path);
      const auto known_as = found.before.find(path);
      const bool news = known_as == found.before.end() || known_as->second.blob != entry.blob ||
                        known_as->second.mode != entry.mode;
      if ((same || torn) && news) ours.push_back(entry);
    }
    for (const TreeEntry& entry : ours) found.before[entry.path] = entry;
    knows_more = knows_more || !ours.empty();
    auto noted = co_await put_into_index(directory, std::move(ours));
    if (!noted) co_return noted.error();
    if (other == to) {
      found.after = std::move(**entries);
      found.pending = std::move(*status);
    }
  }

  found.edits = std::move(*base_status);
  if (knows_more) {
    auto edits = co_await differences(directory, index());
    if (!edits) co_return edits.error();
    found.edits = std::move(*edits);
  }

  const auto collect = [&found, &directory] { return collisions_among(directory, found); };
  found.collisions = co_await on_disk_thread(collect);
  co_return found;
}

Task<Result<std::vector<std::string>>> LiveCheckout::collisions(fs::path directory,
                                                                std::string from,
                                                                std::string commit) {
  if (!is_directory_entry(directory) || from == commit) co_return std::vector<std::string>();
  const auto before = co_await entries_of(directory, from);
  if (!before) co_return before.error();
  const auto after = co_await entries_of(directory, commit);
  if (!after) co_return after.error();
  if (*after) {
    const auto look = [&] {
      return anything_in_the_way(directory, before->value_or(Entries()), **after);
    };
    const bool is_in_the_way = co_await on_disk_thread(look);
    if (!is_in_the_way) co_return std::vector<std::string>();
  }
  auto found = co_await survey(std::move(directory), std::move(from), std::move(commit));
  if (!found) co_return found.error();
  co_return std::move(found->collisions);
}

Task<Result<std::vector<std::string>>> LiveCheckout::edits(fs::path directory, std::string from,
                                                           std::string commit) {
  std::vector<std::string> edited;
  if (!is_directory_entry(directory)) co_return edited;
  const auto found = co_await survey(std::move(directory), std::move(from), std::move(commit));
  if (!found) co_return found.error();
  for (const auto& [path, kind] : found->edits) {
    if (kind != 'D' && found->pending.contains(path)) edited.push_back(path);
  }
  co_return edited;
}

Task<Result<fs::path>> LiveCheckout::save_edits(fs::path directory, std::string to,
                                                fs::path saved) {
  if (auto made = make_private_directory(saved); !made) co_return made.error();
  std::string time = format_time(wall_now());
  std::erase_if(time, [](char c) { return c == '-' || c == ':'; });
  const fs::path patch = saved / (fmt::format("{}-{}.patch", time, to.substr(0, 7)));
  const fs::path temporary = saved / ".patch.tmp";

  auto diff = call(directory, index(),
                   {"diff-files", "-p", "--binary", "--full-index", "--no-renames", "--no-ext-diff",
                    "--no-textconv", "--ignore-submodules=all", "--diff-filter=MT",
                    "--output=" + temporary.string()});
  auto written =
      co_await git_output("save the local edits of " + directory.string(), std::move(diff));
  if (!written) co_return written.error();

  const auto put = [&]() -> Result<void> {
    const UniqueFd fd(::open(temporary.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    if (!fd.valid() || ::fchmod(fd.get(), 0600) != 0 || ::fsync(fd.get()) != 0 ||
        ::rename(temporary.c_str(), patch.c_str()) != 0) {
      return os_error("write", patch, errno);
    }
    return sync_directory(saved);
  };
  const Result<void> done = co_await on_disk_thread(put);
  if (!done) co_return done.error();
  co_return patch;
}

// Git itself would follow a link with which the directory's owner replaces a directory meanwhile.
// So Git checks the files out into a private directory, and each is written into place without
// following links.
Task<Result<void>> LiveCheckout::write(fs::path directory, std::string to,
                                       CheckoutChanges changes) {
  auto open = ConfinedDirectory::open(directory);
  if (!open) co_return open.error();
  const fs::path source = state_ / "files";
  const auto make_directory = [&source] { return make_scratch_directory(source); };
  auto made = co_await on_disk_thread(make_directory);
  if (!made) co_return made;
  auto extract = call(directory, index(), {"checkout-index", "-z", "--stdin"});
  extract.environment["GIT_WORK_TREE"] = source.string();
  extract.directory = source.string();
  for (const TreeEntry& entry : changes.written) {
    extract.input += entry.path;
    extract.input += '\0';
  }
  auto extracted = co_await git_output(fmt::format("check out {} for {}", to, directory.string()),
                                       std::move(extract));
  if (!extracted) co_return extracted.error();
  const auto put = [&] {
    Result<void> written = write_checkout(source, *open, changes);
    if (written) written = open->sync();
    const Result<void> removed = remove_tree(source);
    return written ? removed : written;
  };
  auto written = co_await on_disk_thread(put);
  if (!written) co_return written;

  auto refresh_status = call(directory, index(), {"update-index", "-q", "--refresh"});
  auto settled = co_await git_output("read " + directory.string(), std::move(refresh_status));
  if (!settled) co_return settled.error();
  co_return Result<void>();
}

std::set<std::string> LiveCheckout::unfinished() const {
  std::set<std::string> commits;
  const auto content = read_file(marker());
  if (!content) return commits;
  for (const std::string& line : split(*content, '\n')) {
    if (is_object_id(line)) commits.insert(line);
  }
  return commits;
}

Task<Result<void>> LiveCheckout::finish() {
  const auto remove = [this]() -> Result<void> {
    std::error_code ec;
    fs::remove(marker(), ec);
    if (ec) return os_error("remove", marker(), ec.value());
    return sync_directory(state_);
  };
  co_return co_await on_disk_thread(remove);
}

Task<Result<SwitchReport>> LiveCheckout::checkout_live(fs::path directory, std::string from,
                                                       std::string to,
                                                       std::vector<std::string> in_place,
                                                       fs::path saved) {
  if (auto made = ConfinedDirectory::make(directory); !made) co_return made.error();

  auto found = co_await survey(directory, from, to);
  if (!found) co_return found.error();
  if (!found->collisions.empty()) co_return collision_error(directory, found->collisions);

  SwitchReport report;
  CheckoutChanges changes;
  for (const auto& [path, entry] : found->before) {
    const auto edit = found->edits.find(path);
    const bool there = edit == found->edits.end() || edit->second != 'D';
    if (!found->after.contains(path) && there) changes.removed.push_back(path);
  }
  report.changed = changes.removed;
  for (const auto& [path, kind] : found->pending) {
    report.changed.push_back(path);
    const auto entry = found->after.find(path);
    if (entry == found->after.end()) continue;
    changes.written.push_back(entry->second);
    const bool mounted = std::find(in_place.begin(), in_place.end(), path) != in_place.end();
    if (mounted && kind == 'M' && is_regular_entry(entry->second)) changes.in_place.insert(path);
  }
  std::sort(report.changed.begin(), report.changed.end());
  for (const auto& [path, kind] : found->edits) {
    if (kind != 'D') report.local_edits.push_back(path);
  }

  if (!report.local_edits.empty()) {
    auto patch = co_await save_edits(directory, to, saved);
    if (!patch) co_return patch.error();
    report.saved_patch = std::move(*patch);
  }

  if (found->stays && found->edits.empty()) co_return report;

  std::set<std::string> begun = unfinished();
  begun.insert(to);
  const std::vector<std::string> lines(begun.begin(), begun.end());
  const auto note = [&] { return write_file_durably(marker(), join(lines, "\n") + "\n"); };
  const Result<void> noted = co_await on_disk_thread(note);
  if (!noted) co_return noted.error();

  if (!found->stays) {
    std::error_code ec;
    fs::rename(scratch(), index(), ec);
    if (ec) co_return os_error("write", index(), ec.value());
  }
  auto written = co_await write(directory, to, std::move(changes));
  if (!written) co_return written.error();
  co_return report;
}

Result<std::vector<TreeEntry>> parse_tree(const std::string& output) {
  std::vector<TreeEntry> entries;
  for (const std::string& line : fields(output, '\0')) {
    // <mode> SP <type> SP <object> TAB <path>
    const auto tab = line.find('\t');
    const auto words = split(std::string_view(line).substr(0, tab), ' ');
    if (tab == std::string::npos || words.size() != 3 || !is_object_id(words[2])) {
      return Error{Errc::failed, "unexpected output of git ls-tree", {}};
    }
    entries.push_back({words[0], words[2], line.substr(tab + 1)});
  }
  return entries;
}

}  // namespace trimtab
