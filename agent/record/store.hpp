// The persistent state of one stack, in its directory below the state directory.
//
// Writes are carried out by the disk thread, one after another, and are on the disk once they have
// been awaited; only then do the accessors show them, if not said otherwise. A write that was begun
// is carried out although its task is cancelled.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/model/deployment.hpp"
#include "agent/model/release_record.hpp"
#include "agent/record/kept_file.hpp"
#include "agent/record/parsed_renderings.hpp"
#include "common/async_mutex.hpp"
#include "common/result.hpp"

namespace trimtab {

// What operators said. Survives a restart.
struct Intent {
  bool paused = false;
  std::string paused_why;
  WallTime paused_at;
  // A commit in place of which an operator deployed something else: not deployed until the ref
  // moves on or an operator asks for it. Empty: none.
  std::string held_commit;
  // The unit that was enabled and started once; its state since then is an operator's wish.
  std::string unit;
  // Not kept: the file could not be read, so that `unit` and `held_commit` are not known either.
  bool is_unknown = false;
};

// What retention has removed, also if it could not remove everything.
struct Pruned {
  std::vector<int> gone;  // numbers of releases
  Result<void> result;
};

// More than 15 members: one accessor and one write per kind of record; all writes take turns.
class Store {
 public:
  // Reads `directory` (…/NAME), and makes it if it does not exist. Blocks: for the disk thread.
  // Files that are truncated or foreign are set aside with the suffix .broken and named in
  // problems(), never fatal. If what operators said or which content was rejected cannot be read,
  // the stack is paused, with the reason, until an operator resumes it; the file stays as it is
  // until then. State of schema 1 is written anew, nothing of it is lost. Fails if the directory
  // cannot be made or read. `executor`: of the loop on which the store is used from then on.
  static Result<Store> open(asio::any_io_executor executor, std::filesystem::path directory);

  [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }
  [[nodiscard]] std::filesystem::path release_directory(int number) const;
  [[nodiscard]] std::filesystem::path compose_file(int number) const;
  [[nodiscard]] const std::vector<std::string>& problems() const { return problems_; }

  [[nodiscard]] const Releases& releases() const { return releases_; }
  [[nodiscard]] const ReleaseRecord* find(int number) const;
  // The release that the `current` link names; null before the first.
  [[nodiscard]] const ReleaseRecord* current() const;
  [[nodiscard]] int next_number() const;

  // As way_back_from() says.
  [[nodiscard]] const ReleaseRecord* last_good_before(const ReleaseRecord& than) const;

  // Writes release.json. Of a release that exists, only the form of its rendering may be new.
  Task<Result<void>> save(Release release);
  Task<Result<void>> save_rendering(int number, std::string compose_yaml);
  // Reads the file, which is small and mostly cached.
  [[nodiscard]] Result<std::string> rendering(int number) const;
  // Used by read_rendering() alone; not persistent.
  [[nodiscard]] ParsedRenderings& parsed_renderings() const { return parsed_; }
  // Writes what the unit that boots the stack reads of the release, beside compose.yaml. Files that
  // this store has written and that say the same are left alone.
  Task<Result<void>> save_boot_files(int number, std::string boot_yaml, std::string boot_env);
  // Whether both exist and are no older than compose.yaml.
  [[nodiscard]] bool has_boot_files(int number) const;
  // Writes copies of the untracked files that the rendering read, to render the release again.
  // Paths are those of Release::inputs, also outside the checkout.
  Task<Result<void>> save_inputs(int number, std::map<std::string, std::string> bytes_by_path);
  // Where such a copy lies.
  [[nodiscard]] std::filesystem::path input_file(int number, const std::string& path) const;

  Task<Result<void>> set_current(int number);

  // Removes releases beyond `keep` distinct contents besides the current one, the one that it would
  // go back to and those that run, and beyond `keep` that repeat one of those; rejected keys that
  // no kept release has; deployments that say nothing of a kept release; and what was left of
  // releases whose writing or removal was cut off.
  Task<Pruned> prune(int keep);

  [[nodiscard]] const std::set<std::string>& rejected() const { return rejected_; }
  Task<Result<void>> reject(std::string key);
  Task<Result<void>> clear_rejection(std::string key);
  // For an operator who goes on although it is not known for certain what was rejected: writes what
  // is known.
  Task<Result<void>> accept_rejected();

  [[nodiscard]] const Intent& intent() const { return intent_; }
  // `change` is given what was said last, once no other change is under way.
  Task<Result<void>> change_intent(std::function<void(Intent&)> change);

  // What runs, as far as it was verified. If the file is lost, it is taken from the deployments.
  [[nodiscard]] const RunningSet& running() const { return running_; }
  // The new one counts at once and, if it cannot be written, until the next start. Writes it unless
  // it is known to be on the disk.
  Task<Result<void>> set_running(RunningSet running);

  [[nodiscard]] const Deployments& deployments() const { return deployments_; }
  [[nodiscard]] int next_deployment() const { return last_deployment_ + 1; }
  // The deployment in flight: the one that has not ended.
  [[nodiscard]] const std::optional<Deployment>& in_flight() const { return in_flight_; }
  // Writes the deployment as far as it has come: its phase before the phase's effects, and its end.
  // It must have an id, and no other may be in flight.
  Task<Result<void>> save(Deployment deployment);

 private:
  Store(asio::any_io_executor executor, std::filesystem::path directory)
      : directory_(std::move(directory)),
        rejected_file_(directory_ / "rejected.json"),
        intent_file_(directory_ / "intent.json"),
        writer_lock_(std::move(executor)) {}
  // Reading at the start (store_load.cpp).
  Result<void> load_releases();
  void load_release(int number, bool is_directory_entry);
  Result<void> load_deployments();
  void take_over_schema_1();
  void remember(const Deployment& deployment);
  void find_in_flight();
  void load_current();
  Result<void> load_rejected();
  Result<void> load_intent();
  void load_running();
  [[nodiscard]] std::set<std::string> rejected_by_releases() const;
  void hold(const std::string& why);
  void quarantine(const std::filesystem::path& path, const std::string& why);
  // Retention (store_prune.cpp), under the writer's lock.
  [[nodiscard]] std::vector<int> superfluous_releases(int keep) const;
  Task<Result<void>> forget_old_rejections();
  Task<Result<void>> remove_unfinished(std::vector<int>* gone);
  Task<Result<void>> prune_all(int keep, std::vector<int>* gone);
  Task<Result<void>> prune_deployments();
  // Under the writer's lock.
  Task<Result<void>> write_rejected(std::set<std::string> keys);
  Task<Result<void>> write_intent(Intent intent);
  Task<Result<void>> write_kept(KeptFile* file, Json json);
  [[nodiscard]] std::filesystem::path deployment_file(int id) const;

  std::filesystem::path directory_;
  std::vector<std::string> problems_;
  Releases releases_;
  Deployments deployments_;
  int last_deployment_ = 0;
  std::map<int, Deployment> of_schema_1_;  // told by releases' files of it, by release
  int current_ = 0;
  int highest_ = 0;
  std::set<int> unfinished_;  // directories of releases without a record, found at the start
  KeptFile rejected_file_;
  KeptFile intent_file_;
  std::set<std::string> rejected_;
  Intent intent_;
  RunningSet running_;
  bool is_running_written_ = false;
  std::optional<Deployment> in_flight_;
  mutable ParsedRenderings parsed_;
  std::string written_boot_files_;  // hash of those that were written last
  AsyncMutex writer_lock_;          // one write at a time
};

}  // namespace trimtab
