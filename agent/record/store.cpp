#include "agent/record/store.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>

#include "agent/record/leftovers.hpp"
#include "agent/record/release_json.hpp"
#include "agent/record/schema_1.hpp"
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
  for (const fs::path& folder : {store.directory_, store.directory_ / "releases",
                                 store.directory_ / "deployments", store.saved()}) {
    if (auto made = make_private_directory(folder); !made) return made.error();
  }
  remove_temporary_files(store.directory_);
  if (auto loaded = store.load_releases(); !loaded) return loaded.error();
  if (auto loaded = store.load_intent(); !loaded) return loaded.error();
  if (auto loaded = store.load_deployments(); !loaded) return loaded.error();
  store.take_over_schema_1();
  store.find_in_flight();
  store.load_current();
  if (auto loaded = store.load_rejected(); !loaded) return loaded.error();
  store.load_running();
  return store;
}

void Store::quarantine(const fs::path& path, const std::string& why) {
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
    load_release(number, fs::is_directory(entry.symlink_status(ec)));
  }
  if (ec) return os_error("read", folder, ec.value());
  return {};
}

void Store::load_release(int number, bool is_directory_entry) {
  remove_temporary_files(release_directory(number));
  const fs::path file = release_directory(number) / "release.json";
  const Result<Json> json = read_json(file);
  if (!json && json.error().code == Errc::not_found) {
    // A release whose first write was cut off has no file yet: it never began.
    if (is_directory_entry) unfinished_.insert(number);
    return;
  }
  if (!json) return quarantine(file, json.error().message);
  const Result<Release> release = release_from_json(*json);
  if (!release && is_newer(*json)) {
    problems_.push_back(file.string() + " cannot be read (" + release.error().message + ")");
    return;
  }
  if (!release) return quarantine(file, release.error().message);
  if (release->number != number) {
    return quarantine(file, "it is of release " + std::to_string(release->number));
  }
  if (schema_1::is_of_it(*json)) {
    Result<Deployment> deployment = schema_1::deployment_in(*json);
    if (!deployment) return quarantine(file, deployment.error().message);
    of_schema_1_[number] = std::move(*deployment);
  }
  releases_[number] = record_of(*release, {});
}

Result<void> Store::load_deployments() {
  const fs::path folder = directory_ / "deployments";
  remove_temporary_files(folder);
  std::error_code ec;
  for (fs::directory_iterator next(folder, ec), end; !ec && next != end; next.increment(ec)) {
    const fs::path file = next->path();
    const int id = file.extension() == ".json" ? number_of(file.stem().string()) : 0;
    if (id == 0) continue;
    last_deployment_ = std::max(last_deployment_, id);
    const Result<Json> json = read_json(file);
    Result<Deployment> deployment =
        json ? deployment_from_json(*json) : Result<Deployment>(json.error());
    if (deployment && deployment->id == id) {
      deployments_[id] = std::move(*deployment);
    } else if (json && is_newer(*json)) {
      // It may be in flight, and another version's to go on with.
      hold(file.string() + " cannot be read (" + deployment.error().message + ")");
    } else {
      quarantine(file, deployment ? "it is of deployment " + std::to_string(deployment->id)
                                  : deployment.error().message);
    }
  }
  if (ec) return os_error("read", folder, ec.value());
  return {};
}

// May be cut off and begun again at any point: a release's file is of schema 1 until its deployment
// is written.
void Store::take_over_schema_1() {
  const fs::path journal = directory_ / "journal";
  const Result<std::string> lines = read_file(journal);
  Result<void> written;
  const auto keep = [&](const Deployment& deployment) {
    remember(deployment);
    if (written) written = write_json(deployment_file(deployment.id), to_json(deployment));
  };
  const bool is_begun = std::any_of(deployments_.begin(), deployments_.end(),
                                    [](const auto& known) { return !known.second.ended_at; });
  std::optional<Deployment> in_flight;
  if (lines && !is_begun) in_flight = schema_1::last_of_journal(*lines);
  for (const auto& [number, deployment] : of_schema_1_) {
    if (!deployments_.contains(deployment.id)) keep(deployment);
  }
  if (in_flight && releases_.contains(in_flight->release)) {
    const auto found = of_schema_1_.find(in_flight->release);
    keep(schema_1::in_flight(std::move(*in_flight),
                             found == of_schema_1_.end() ? nullptr : &found->second,
                             next_deployment()));
  } else if (lines && !is_begun) {
    quarantine(journal, in_flight ? "its release is not there" : "no line of it can be read");
  }
  for (const auto& [number, deployment] : of_schema_1_) {
    if (written) {
      written =
          write_json(release_directory(number) / "release.json", to_json(releases_.at(number)));
    }
  }
  std::error_code ec;
  if (lines && written) fs::remove(journal, ec);
  if (!written) problems_.push_back(written.error().text());
  of_schema_1_.clear();
}

// Where a suspended one could not be ended before another took its place, the newer one counts.
void Store::find_in_flight() {
  for (auto& [id, deployment] : deployments_) {
    if (deployment.ended_at) continue;
    if (in_flight_) {
      Deployment& older = deployments_.at(in_flight_->id);
      older.outcome = Outcome::failed;
      older.ended_at = deployment.started_at;
    }
    in_flight_ = deployment;
  }
  if (in_flight_ && !releases_.contains(in_flight_->release)) {
    quarantine(deployment_file(in_flight_->id), "its release is not there");
    deployments_.erase(in_flight_->id);
    in_flight_.reset();
  }
  if (in_flight_ && in_flight_->fallback != 0 && !releases_.contains(in_flight_->fallback)) {
    problems_.push_back("release " + std::to_string(in_flight_->fallback) + ", to which release " +
                        std::to_string(in_flight_->release) + " would go back, cannot be read");
    in_flight_->fallback = 0;
  }
  for (auto& [number, release] : releases_) release = record_of(release, deployments_);
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
    const bool by_host = release.failure && release.failure->cause == FailureCause::host;
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
  if (running.error().code != Errc::not_found) quarantine(file, running.error().message);
  running_ = running_by_deployments(deployments_);
  const int newest = deployments_.empty() ? 0 : deployments_.rbegin()->first;
  if (newest == last_deployment_) return;
  // What one that cannot be read has done is not known, now and after the next start.
  for (auto& [name, service] : running_.services) service.is_touched = true;
  if (const auto written = set_running(running_); !written) {
    problems_.push_back(written.error().text());
  }
}

fs::path Store::release_directory(int number) const {
  return directory_ / "releases" / std::to_string(number);
}

fs::path Store::deployment_file(int id) const {
  return directory_ / "deployments" / (std::to_string(id) + ".json");
}

fs::path Store::compose_file(int number) const {
  return release_directory(number) / "compose.yaml";
}

const ReleaseRecord* Store::find(int number) const {
  const auto found = releases_.find(number);
  return found == releases_.end() ? nullptr : &found->second;
}

const ReleaseRecord* Store::current() const {
  return find(current_);
}

int Store::next_number() const {
  return highest_ + 1;
}

const ReleaseRecord* Store::last_good_before(const ReleaseRecord& than) const {
  return way_back_from(than, releases_, rejected_);
}

Result<void> Store::save(const Release& release) {
  const fs::path folder = release_directory(release.number);
  if (auto made = make_private_directory(folder); !made) return made;
  if (auto written = write_json(folder / "release.json", to_json(release)); !written) {
    return written;
  }
  highest_ = std::max(highest_, release.number);
  releases_[release.number] = record_of(release, deployments_);
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

Result<std::vector<int>> Store::prune(int keep) {
  std::set<int> kept{current_};
  if (in_flight_) kept.insert({in_flight_->release, in_flight_->fallback, in_flight_->checkout});
  for (const RunningSet* running : {&running_, in_flight_ ? &in_flight_->from : &running_}) {
    kept.insert(running->release);
    for (const auto& [name, service] : running->services) kept.insert(service.release);
  }
  if (const ReleaseRecord* now = current()) {
    if (const ReleaseRecord* good = last_good_before(*now)) kept.insert(good->number);
  }
  std::set<std::string> contents;
  int distinct = 0;
  int repeated = 0;
  std::vector<int> gone;
  for (auto entry = releases_.rbegin(); entry != releases_.rend(); ++entry) {
    const ReleaseRecord& release = entry->second;
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
  if (auto pruned = prune_deployments(); !pruned) return pruned.error();
  const auto unfinished = remove_unfinished();
  if (!unfinished) return unfinished.error();
  gone.insert(gone.end(), unfinished->begin(), unfinished->end());
  if (auto forgotten = forget_old_rejections(); !forgotten) return forgotten.error();
  return gone;
}

Result<void> Store::prune_deployments() {
  for (const int id : outlived_deployments(deployments_, releases_)) {
    // Of a release whose record cannot be read, it is for people or for a newer version.
    const int release = deployments_.at(id).release;
    std::error_code ec;
    if (!releases_.contains(release) && fs::exists(release_directory(release), ec)) continue;
    fs::remove(deployment_file(id), ec);
    if (ec) return os_error("remove", deployment_file(id), ec.value());
    deployments_.erase(id);
  }
  return {};
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

Result<void> Store::clear_rejection(const std::string& key) {
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

Result<void> Store::save(const Deployment& deployment) {
  const auto written = write_json(deployment_file(deployment.id), to_json(deployment));
  if (!written) return written;
  remember(deployment);
  if (!deployment.ended_at) {
    in_flight_ = deployment;
  } else if (in_flight_ && in_flight_->id == deployment.id) {
    in_flight_.reset();
  }
  for (const int number : {deployment.release, deployment.ran.release, deployment.checkout}) {
    const auto found = releases_.find(number);
    if (found != releases_.end()) found->second = record_of(found->second, deployments_);
  }
  return {};
}

void Store::remember(const Deployment& deployment) {
  last_deployment_ = std::max(last_deployment_, deployment.id);
  deployments_[deployment.id] = deployment;
}

}  // namespace trimtab
