// What a store reads at the start, and what it makes of what it cannot read.
#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "agent/record/leftovers.hpp"
#include "agent/record/release_json.hpp"
#include "agent/record/schema_1.hpp"
#include "agent/record/store.hpp"
#include "agent/record/store_files.hpp"
#include "common/files.hpp"

namespace trimtab {

namespace fs = std::filesystem;

Result<Store> Store::open(asio::any_io_executor executor, fs::path directory) {
  Store store(std::move(executor), std::move(directory));
  for (const fs::path& needed :
       {store.directory_, store.directory_ / "releases", store.directory_ / "deployments"}) {
    if (auto made = make_private_directory(needed); !made) return made.error();
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
  problems_.push_back(fmt::format("{} cannot be read ({}); it was quarantined as {}", path.string(),
                                  why, aside.filename().string()));
}

Result<void> Store::load_releases() {
  const fs::path directory = directory_ / "releases";
  std::error_code ec;
  // A part of them would be another history; without all of them the stack is not kept.
  for (fs::directory_iterator next(directory, ec), end; !ec && next != end; next.increment(ec)) {
    const fs::directory_entry& entry = *next;
    const int number = number_of(entry.path().filename().string());
    if (number == 0) continue;
    highest_ = std::max(highest_, number);
    load_release(number, fs::is_directory(entry.symlink_status(ec)));
  }
  if (ec) return os_error("read", directory, ec.value());
  return {};
}

void Store::load_release(int number, bool is_directory_entry) {
  remove_temporary_files(release_directory(number));
  const fs::path file = release_directory(number) / "release.json";
  const Result<Json> json = read_json(file);
  if (!json && json.error().code == Errc::not_found) {
    // A release whose first write was cut off has no record: it never began.
    if (is_directory_entry) unfinished_.insert(number);
    return;
  }
  if (!json) return quarantine(file, json.error().message);
  const Result<Release> release = release_from_json(*json);
  if (!release && is_newer(*json)) {
    problems_.push_back(
        fmt::format("{} cannot be read ({})", file.string(), release.error().message));
    return;
  }
  if (!release) return quarantine(file, release.error().message);
  if (release->number != number) {
    return quarantine(file, fmt::format("it is of release {}", release->number));
  }
  if (schema_1::is_of_it(*json)) {
    Result<Deployment> deployment = schema_1::deployment_in(*json);
    if (!deployment) return quarantine(file, deployment.error().message);
    of_schema_1_[number] = std::move(*deployment);
  }
  releases_[number] = record_of(*release, {});
}

Result<void> Store::load_deployments() {
  const fs::path directory = directory_ / "deployments";
  remove_temporary_files(directory);
  std::error_code ec;
  for (fs::directory_iterator next(directory, ec), end; !ec && next != end; next.increment(ec)) {
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
      hold(fmt::format("{} cannot be read ({})", file.string(), deployment.error().message));
    } else {
      quarantine(file, deployment ? fmt::format("it is of deployment {}", deployment->id)
                                  : deployment.error().message);
    }
  }
  if (ec) return os_error("read", directory, ec.value());
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
    quarantine(journal, in_flight ? "its release does not exist" : "none of its lines can be read");
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

// If a suspended deployment could not be ended before another took its place, the newer one counts.
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
    quarantine(deployment_file(in_flight_->id), "its release does not exist");
    deployments_.erase(in_flight_->id);
    in_flight_.reset();
  }
  if (in_flight_ && in_flight_->fallback != 0 && !releases_.contains(in_flight_->fallback)) {
    problems_.push_back(
        fmt::format("release {}, to which release {} would roll back, cannot be read",
                    in_flight_->fallback, in_flight_->release));
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
  const std::string problem = fmt::format("the link {} names a release that cannot be read: {}",
                                          (directory_ / "current").string(), target.string());
  // A newer version can tell what runs, if this one leaves it alone.
  const Result<Json> json = read_json(release_directory(number) / "release.json");
  if (json && is_newer(*json)) {
    hold(problem);
  } else {
    problems_.push_back(problem);
  }
}

// When in doubt, nothing is deployed until a person has looked.
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
  hold("the list of commits that failed before may be incomplete: " + rejected_file_.doubt());
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
    hold("the operators' requests are not known: " + intent_file_.doubt());
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
    // Of a release whose record was lost, it is not known what runs.
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
  // It is not known what an unreadable deployment has done, now and after the next start.
  for (auto& [name, service] : running_.services) service.is_touched = true;
  if (const auto written = write_json(file, to_json(running_)); !written) {
    problems_.push_back(written.error().text());
  }
}

}  // namespace trimtab
