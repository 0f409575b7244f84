#include "agent/record/store.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>

#include "agent/record/leftovers.hpp"
#include "agent/record/release_json.hpp"
#include "agent/record/way_back.hpp"
#include "common/files.hpp"
#include "common/hash.hpp"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

// A number that a file name is, or 0.
int number_of(const std::string& name) {
  int number = 0;
  const auto [stop, ec] = std::from_chars(name.data(), name.data() + name.size(), number);
  return ec == std::errc() && stop == name.data() + name.size() && number > 0 ? number : 0;
}

// A record that could not be read, for people.
constexpr const char* record_aside = "release.json.broken";

// The hash that a key of rejected.json begins with: that of a content, or of inputs.
std::string hash_in(const std::string& key) {
  constexpr std::size_t sha256_digits = 64;
  return key.substr(0, sha256_digits);
}

Result<Json> read_json(const fs::path& path) {
  Result<std::string> text = read_file(path);
  if (!text) return text.error();
  return parse_json(*text);
}

Result<void> write_json(const fs::path& path, const Json& json) {
  return write_file_durably(path, dump_json(json, 2) + "\n");
}

}  // namespace

Result<Store> Store::open(fs::path directory) {
  Store store(std::move(directory));
  for (const fs::path& folder : {store.directory_, store.directory_ / "releases", store.saved()}) {
    if (auto made = make_private_directory(folder); !made) return made.error();
  }
  remove_temporary_files(store.directory_);
  if (auto loaded = store.load_releases(); !loaded) return loaded.error();
  if (auto loaded = store.load_intent(); !loaded) return loaded.error();
  store.load_current();
  if (auto loaded = store.load_rejected(); !loaded) return loaded.error();
  store.load_journal();
  store.load_running();
  return store;
}

void Store::set_aside(const fs::path& path, const std::string& why) {
  const fs::path aside = path.string() + ".broken";
  std::error_code ec;
  fs::rename(path, aside, ec);
  problems_.push_back(path.string() + " cannot be read (" + why + "); it was set aside as " +
                      aside.filename().string());
}

Result<void> Store::load_releases() {
  const fs::path folder = directory_ / "releases";
  std::error_code ec;
  // Not all of them would be another history: a stack is rather not kept than that.
  for (fs::directory_iterator next(folder, ec), end; !ec && next != end; next.increment(ec)) {
    const fs::directory_entry& entry = *next;
    const int number = number_of(entry.path().filename().string());
    if (number == 0) continue;
    highest_ = std::max(highest_, number);
    remove_temporary_files(entry.path());
    const fs::path file = entry.path() / "release.json";
    const Result<Json> json = read_json(file);
    if (!json) {
      // A release whose first write was cut off has no file yet: it never began.
      const bool is_folder = fs::is_directory(entry.symlink_status(ec));
      if (json.error().code == Errc::not_found && is_folder) unfinished_.insert(number);
      if (json.error().code != Errc::not_found) set_aside(file, json.error().message);
      continue;
    }
    Result<Release> release = release_from_json(*json);
    if (!release && is_newer(*json)) {
      problems_.push_back(file.string() + " cannot be read (" + release.error().message + ")");
      continue;
    }
    if (!release) {
      set_aside(file, release.error().message);
      continue;
    }
    if (release->number != number) {
      set_aside(file, "it is of release " + std::to_string(release->number));
      continue;
    }
    releases_[number] = std::move(*release);
  }
  if (ec) return os_error("read", folder, ec.value());
  return {};
}

void Store::load_current() {
  std::error_code ec;
  const fs::path target = fs::read_symlink(directory_ / "current", ec);
  if (ec) return;
  const int number = number_of(target.filename().string());
  if (releases_.contains(number)) {
    current_ = number;
    return;
  }
  const std::string problem = "the link " + (directory_ / "current").string() +
                              " names a release that cannot be read: " + target.string();
  // A newer version can tell what runs, if this one leaves it alone.
  const Result<Json> json = read_json(release_directory(number) / "release.json");
  if (json && is_newer(*json)) {
    hold(problem);
  } else {
    problems_.push_back(problem);
  }
}

// In doubt nothing is deployed until a person has looked.
void Store::hold(const std::string& why) {
  problems_.push_back(why);
  if (intent_.paused) return;
  intent_.paused = true;
  intent_.paused_why = why;
  intent_.paused_at = wall_now();
}

Result<void> Store::load_rejected() {
  const Result<std::optional<Json>> json = rejected_file_.read();
  if (!json) return json.error();
  if (!rejected_file_.repair().empty()) problems_.push_back(rejected_file_.repair());
  if (*json) {
    for (const Json& key : json_array(**json, "keys")) {
      if (key.is_string()) rejected_.insert(key.get<std::string>());
    }
  }
  if (!rejected_file_.is_doubtful()) return {};
  rejected_ = rejected_by_releases();
  hold("which commits failed before is not known for certain: " + rejected_file_.doubt());
  return {};
}

// As far as the records of the releases tell.
std::set<std::string> Store::rejected_by_releases() const {
  std::set<std::string> keys;
  for (const auto& [number, release] : releases_) {
    const std::string& key = release.content_key.empty() ? release.inputs_key : release.content_key;
    const bool by_host = release.failure && release.failure->cls == FailureClass::world;
    if (release.outcome == Outcome::good) keys.erase(key);
    const bool failed = release.outcome == Outcome::rejected ||
                        release.outcome == Outcome::rolled_back ||
                        release.outcome == Outcome::failed;
    if (failed && !by_host && !key.empty()) keys.insert(key);
  }
  return keys;
}

Result<void> Store::load_intent() {
  const Result<std::optional<Json>> json = intent_file_.read();
  if (!json) return json.error();
  if (!intent_file_.repair().empty()) problems_.push_back(intent_file_.repair());
  if (intent_file_.is_doubtful()) {
    intent_.is_unknown = true;
    hold("what operators asked for is not known: " + intent_file_.doubt());
  }
  if (!*json) return {};
  intent_.paused = json_bool(**json, "paused");
  intent_.paused_why = json_string(**json, "paused_why");
  intent_.paused_at = parse_time(json_string(**json, "paused_at")).value_or(WallTime());
  intent_.held_commit = json_string(**json, "held_commit");
  intent_.unit = json_string(**json, "unit");
  return {};
}

void Store::load_journal() {
  const fs::path file = directory_ / "journal";
  const Result<std::string> text = read_file(file);
  if (!text) {
    if (text.error().code != Errc::not_found) set_aside(file, text.error().message);
    return;
  }
  bool torn = false;
  for (const std::string& line : split(*text, '\n')) {
    if (line.empty()) continue;
    const Result<Json> json = parse_json(line);
    Result<Attempt> attempt = json ? attempt_from_json(*json) : Result<Attempt>(json.error());
    torn = !attempt;
    if (!torn) attempt_ = std::move(*attempt);
  }
  torn = torn || (!text->empty() && !text->ends_with('\n'));
  if (attempt_ && !releases_.contains(attempt_->release)) {
    set_aside(file, "its release is not there");
    attempt_.reset();
  } else if (!attempt_ && torn) {
    set_aside(file, "no line of it can be read");
  } else if (attempt_ && torn) {
    // The next line must not be glued to half a line.
    const std::string line = dump_json(to_json(*attempt_)) + "\n";
    if (const auto written = write_file_durably(file, line); !written) {
      problems_.push_back(written.error().text());
    }
  }
  if (attempt_ && attempt_->fallback != 0 && !releases_.contains(attempt_->fallback)) {
    problems_.push_back("release " + std::to_string(attempt_->fallback) + ", to which release " +
                        std::to_string(attempt_->release) + " would go back, cannot be read");
    attempt_->fallback = 0;
  }
}

void Store::load_running() {
  const fs::path file = directory_ / "running.json";
  const Result<Json> json = read_json(file);
  Result<RunningSet> running = json ? running_set_from_json(*json) : json.error();
  if (running) {
    running_ = std::move(*running);
    // What runs by a release whose record was lost is not known.
    std::erase_if(running_.services, [this](const auto& service) {
      return service.second.release != 0 && !releases_.contains(service.second.release);
    });
    if (!releases_.contains(running_.release)) running_.release = 0;
    return;
  }
  if (running.error().code != Errc::not_found) set_aside(file, running.error().message);
  running_ = running_by_records();
  if (attempt_ && attempt_->from == RunningSet()) attempt_->from = running_;
}

// What an attempt in flight, or one that failed, may have changed is not known to run.
RunningSet Store::running_by_records() const {
  const Release* const now = current();
  const Release* good = now;
  if (now != nullptr && now->outcome != Outcome::good) good = last_good_before(*now);
  if (attempt_) {
    const Release* const forward = find(attempt_->release);
    const bool on_probation = forward->outcome == Outcome::good;
    good = on_probation ? forward : find(attempt_->fallback);
  }
  if (good == nullptr) return {};
  RunningSet running = running_set_of(*good);
  if (attempt_) touch(running, attempt_->plan);
  if (now != nullptr && now != good) touch(running, now->plan);
  return running;
}

fs::path Store::release_directory(int number) const {
  return directory_ / "releases" / std::to_string(number);
}

fs::path Store::compose_file(int number) const {
  return release_directory(number) / "compose.yaml";
}

const Release* Store::find(int number) const {
  const auto found = releases_.find(number);
  return found == releases_.end() ? nullptr : &found->second;
}

const Release* Store::current() const {
  return find(current_);
}

int Store::next_number() const {
  return highest_ + 1;
}

const Release* Store::last_good_before(const Release& than) const {
  return way_back_from(than, releases_, rejected_);
}

Result<void> Store::save(const Release& release) {
  const fs::path folder = release_directory(release.number);
  if (auto made = make_private_directory(folder); !made) return made;
  if (auto written = write_json(folder / "release.json", to_json(release)); !written) {
    return written;
  }
  highest_ = std::max(highest_, release.number);
  releases_[release.number] = release;
  return {};
}

Result<void> Store::save_rendering(int number, const std::string& compose_yaml) {
  if (auto made = make_private_directory(release_directory(number)); !made) return made;
  // What a damaged disk has put in its place must not keep the release from being used.
  std::error_code ec;
  if (fs::is_directory(fs::symlink_status(compose_file(number), ec))) {
    if (auto removed = remove_tree(compose_file(number)); !removed) return removed;
  }
  return write_file_durably(compose_file(number), compose_yaml);
}

Result<void> Store::save_boot_file(int number, const std::string& text) {
  return write_file_durably(release_directory(number) / "boot.env", text);
}

Result<void> Store::save_boot_rendering(int number, const std::string& compose_yaml) {
  return write_file_durably(release_directory(number) / "boot.yaml", compose_yaml);
}

bool Store::has_boot_files(int number) const {
  const fs::path folder = release_directory(number);
  std::error_code ec;
  const auto rendered = fs::last_write_time(compose_file(number), ec);
  if (ec) return false;
  for (const char* name : {"boot.yaml", "boot.env"}) {
    const auto written = fs::last_write_time(folder / name, ec);
    if (ec || written < rendered) return false;
  }
  return true;
}

Result<std::string> Store::rendering(int number) const {
  return read_file(compose_file(number));
}

fs::path Store::input_file(int number, const std::string& path) const {
  const fs::path normal = fs::path(path).lexically_normal();
  const bool is_inside = normal.is_relative() && *normal.begin() != "..";
  return release_directory(number) /
         (is_inside ? "inputs" / normal : fs::path("outside") / sha256_hex(path));
}

Result<void> Store::save_input(int number, const std::string& path, std::string_view bytes) {
  const fs::path file = input_file(number, path);
  if (auto made = make_private_directory(file.parent_path()); !made) return made;
  return write_file_durably(file, bytes);
}

Result<void> Store::set_current(int number) {
  const fs::path target = fs::path("releases") / std::to_string(number);
  if (auto moved = replace_symlink(directory_ / "current", target); !moved) return moved;
  current_ = number;
  return {};
}

Result<std::vector<int>> Store::retire(int keep) {
  std::set<int> kept{current_};
  if (attempt_) kept.insert({attempt_->release, attempt_->fallback, attempt_->checkout});
  for (const RunningSet* running : {&running_, attempt_ ? &attempt_->from : &running_}) {
    kept.insert(running->release);
    for (const auto& [name, service] : running->services) kept.insert(service.release);
  }
  if (const Release* now = current()) {
    if (const Release* good = last_good_before(*now)) kept.insert(good->number);
  }
  std::set<std::string> contents;
  int distinct = 0;
  int repeated = 0;
  std::vector<int> gone;
  for (auto entry = releases_.rbegin(); entry != releases_.rend(); ++entry) {
    const Release& release = entry->second;
    const std::string& content =
        release.content_key.empty() ? release.inputs_key : release.content_key;
    if (!kept.contains(release.number)) {
      // A release that only moved the checkout must not push out one that can be gone back to.
      int& count = contents.contains(content) ? repeated : distinct;
      if (count >= keep) {
        gone.push_back(release.number);
        continue;
      }
      ++count;
    }
    contents.insert(content);
  }
  for (const int number : gone) {
    if (auto removed = remove_tree(release_directory(number)); !removed) return removed.error();
    releases_.erase(number);
  }
  const auto unfinished = remove_unfinished();
  if (!unfinished) return unfinished.error();
  gone.insert(gone.end(), unfinished->begin(), unfinished->end());
  if (auto forgotten = forget_old_rejections(); !forgotten) return forgotten.error();
  return gone;
}

// What a kill has left of releases that were being written, or removed. Not of one that `current`
// names: that has lost its record, and the stack's unit may boot from the rest.
Result<std::vector<int>> Store::remove_unfinished() {
  std::error_code ec;
  const fs::path target = fs::read_symlink(directory_ / "current", ec);
  unfinished_.erase(number_of(target.filename().string()));
  std::vector<int> gone;
  for (const int number : std::exchange(unfinished_, {})) {
    const fs::path folder = release_directory(number);
    if (releases_.contains(number) || fs::exists(folder / record_aside, ec)) continue;
    if (auto removed = remove_tree(folder); !removed) return removed.error();
    gone.push_back(number);
  }
  return gone;
}

// Keys live as long as a release that they came from, or the file would grow indefinitely.
Result<void> Store::forget_old_rejections() {
  // What could not be read may have been the one.
  if (!problems_.empty() || rejected_file_.is_doubtful()) return {};
  std::set<std::string> known;
  for (const auto& [number, release] : releases_) {
    known.insert({hash_in(release.content_key), hash_in(release.inputs_key)});
  }
  std::set<std::string> kept;
  std::copy_if(rejected_.begin(), rejected_.end(), std::inserter(kept, kept.end()),
               [&](const std::string& key) { return known.contains(hash_in(key)); });
  if (kept.size() == rejected_.size()) return {};
  return write_rejected(std::move(kept));
}

Result<void> Store::reject(const std::string& key) {
  if (key.empty() || rejected_.contains(key)) return {};
  std::set<std::string> keys = rejected_;
  keys.insert(key);
  return write_rejected(std::move(keys));
}

Result<void> Store::pardon(const std::string& key) {
  if (!rejected_.contains(key)) return {};
  std::set<std::string> keys = rejected_;
  keys.erase(key);
  return write_rejected(std::move(keys));
}

Result<void> Store::accept_rejected() {
  if (!rejected_file_.is_doubtful()) return {};
  return write_rejected(rejected_);
}

Result<void> Store::write_rejected(std::set<std::string> keys) {
  // Once it is written anew, nothing else tells of the doubt after a restart.
  if (rejected_file_.is_doubtful() && intent_.paused && !intent_.is_unknown) {
    if (auto held = set_intent(intent_); !held) return held;
  }
  Json json;
  json["keys"] = keys;
  if (auto written = write_kept(rejected_file_, std::move(json)); !written) return written;
  rejected_ = std::move(keys);
  return {};
}

Result<void> Store::set_intent(Intent intent) {
  Json json;
  json["paused"] = intent.paused;
  json["paused_why"] = intent.paused_why;
  json["paused_at"] = format_time(intent.paused_at);
  json["held_commit"] = intent.held_commit;
  json["unit"] = intent.unit;
  if (auto written = write_kept(intent_file_, std::move(json)); !written) return written;
  intent_ = std::move(intent);
  return {};
}

Result<void> Store::set_running(RunningSet running) {
  running_ = std::move(running);
  return write_json(directory_ / "running.json", to_json(running_));
}

Result<void> Store::write_kept(KeptFile& file, Json json) {
  const std::string doubt = file.doubt();
  if (auto written = file.write(std::move(json)); !written) return written;
  if (doubt.empty()) return {};
  std::erase_if(problems_, [&](const std::string& problem) { return problem.ends_with(doubt); });
  return {};
}

Result<void> Store::journal(const Attempt& attempt) {
  if (auto written = append_durably(directory_ / "journal", dump_json(to_json(attempt)) + "\n");
      !written) {
    return written;
  }
  attempt_ = attempt;
  return {};
}

Result<void> Store::close_journal() {
  std::error_code ec;
  fs::remove(directory_ / "journal", ec);
  if (ec) return os_error("remove", directory_ / "journal", ec.value());
  attempt_.reset();
  return sync_directory(directory_);
}

}  // namespace trimtab
