// What is kept of one stack, in its folder below the state directory. Every write is on the disk
// when the call returns.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/model/deployment.hpp"
#include "agent/model/release_record.hpp"
#include "agent/record/kept_file.hpp"
#include "common/result.hpp"

namespace trimtab {

// What operators said, which survives a restart.
struct Intent {
  bool paused = false;
  std::string paused_why;
  WallTime paused_at;
  // A commit that an operator deployed something else in place of: not deployed until the ref moves
  // on or an operator asks. Empty: none.
  std::string held_commit;
  // The unit that was enabled and started once; what became of it since is an operator's wish.
  std::string unit;
  // Not kept: the file could not be read, so that `unit` and `held_commit` are not known either.
  bool is_unknown = false;
};

class Store {
 public:
  // Reads what `directory` (…/NAME) has; makes it where it is not there. Files that are truncated
  // or foreign are set aside with the suffix .broken and named in problems(), never fatal. Where it
  // cannot be told what operators said or which content was rejected, the stack is paused, with the
  // reason, until one resumes it; the file stays as it is until then. State of schema 1 is written
  // anew as it is, nothing of it is lost. An error where the directory cannot be made or read.
  static Result<Store> open(std::filesystem::path directory);

  [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }
  [[nodiscard]] std::filesystem::path repository() const { return directory_ / "repo.git"; }
  [[nodiscard]] std::filesystem::path staging() const { return directory_ / "staging"; }
  [[nodiscard]] std::filesystem::path saved() const { return directory_ / "saved"; }
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

  // Writes release.json. Of a release that is there, the form of its rendering alone may be new.
  Result<void> save(const Release& release);
  Result<void> save_rendering(int number, const std::string& compose_yaml);
  Result<std::string> rendering(int number) const;
  // What the unit that boots the stack reads of the release, beside compose.yaml.
  Result<void> save_boot_file(int number, const std::string& text);
  Result<void> save_boot_rendering(int number, const std::string& compose_yaml);
  // Whether both are there, and no older than compose.yaml.
  [[nodiscard]] bool has_boot_files(int number) const;
  // A copy of an untracked file that the rendering read, to render the release again. `path`: as in
  // Release::inputs, also outside the checkout.
  Result<void> save_input(int number, const std::string& path, std::string_view bytes);
  // Where that copy lies.
  [[nodiscard]] std::filesystem::path input_file(int number, const std::string& path) const;

  Result<void> set_current(int number);

  // Removes releases beyond `keep` distinct contents besides the current one, what it would go back
  // to, and what runs, and beyond `keep` that repeat one of those, and rejected keys that no kept
  // release has, and deployments that say nothing of one, and what was left of releases whose
  // writing or removal was cut off; gives the numbers that are gone.
  Result<std::vector<int>> prune(int keep);

  [[nodiscard]] const std::set<std::string>& rejected() const { return rejected_; }
  Result<void> reject(const std::string& key);
  Result<void> clear_rejection(const std::string& key);
  // An operator goes on although it was not known for certain what was rejected: what is known of
  // it is written.
  Result<void> accept_rejected();

  [[nodiscard]] const Intent& intent() const { return intent_; }
  Result<void> set_intent(Intent intent);

  // What runs, as far as it was verified. Where what was noted is lost, it is taken from the
  // deployments. Also where writing fails the new one counts until the next start.
  [[nodiscard]] const RunningSet& running() const { return running_; }
  Result<void> set_running(RunningSet running);

  [[nodiscard]] const Deployments& deployments() const { return deployments_; }
  [[nodiscard]] int next_deployment() const { return last_deployment_ + 1; }
  // The deployment in flight: the one that has not ended.
  [[nodiscard]] const std::optional<Deployment>& in_flight() const { return in_flight_; }
  // Writes the deployment as far as it has come: its phase before the phase's effects, and its end.
  // It has an id, and no other is in flight.
  Result<void> save(const Deployment& deployment);

 private:
  explicit Store(std::filesystem::path directory)
      : directory_(std::move(directory)),
        rejected_file_(directory_ / "rejected.json"),
        intent_file_(directory_ / "intent.json") {}
  Result<void> forget_old_rejections();
  Result<std::vector<int>> remove_unfinished();
  Result<void> prune_deployments();
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
  [[nodiscard]] std::filesystem::path deployment_file(int id) const;
  [[nodiscard]] std::set<std::string> rejected_by_releases() const;
  Result<void> write_rejected(std::set<std::string> keys);
  Result<void> write_kept(KeptFile& file, Json json);
  void hold(const std::string& why);
  void quarantine(const std::filesystem::path& path, const std::string& why);

  std::filesystem::path directory_;
  std::vector<std::string> problems_;
  Releases releases_;
  Deployments deployments_;
  int last_deployment_ = 0;
  std::map<int, Deployment> of_schema_1_;  // what releases' files of it tell, by release
  int current_ = 0;
  int highest_ = 0;
  std::set<int> unfinished_;  // folders of releases without a record, found at the start
  KeptFile rejected_file_;
  KeptFile intent_file_;
  std::set<std::string> rejected_;
  Intent intent_;
  RunningSet running_;
  std::optional<Deployment> in_flight_;
};

}  // namespace trimtab
