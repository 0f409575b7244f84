// Builds a candidate from a staged checkout; implemented in candidate.cpp, candidate_inputs.cpp and
// candidate_images.cpp.
#pragma once

#include <algorithm>

#include "agent/compose/env_file.hpp"
#include "agent/reconcile/candidate.hpp"
#include "agent/reconcile/compose_inputs.hpp"
#include "agent/reconcile/inputs.hpp"
#include "agent/reconcile/staging.hpp"

namespace trimtab {

// Returns the finding for which a commit is rejected.
PreflightFinding reject(std::string name, std::string message, std::string hint);

// Returns null if the commit has no such file.
const TreeEntry* find_entry(const std::vector<TreeEntry>& tree, const std::string& path);

// More than 15 members: the steps of one evaluation, which share what was read so far.
class CandidateBuilder {
 public:
  CandidateBuilder(CandidateDeps deps, WorkspaceLock& workspace, RefTip tip, Facts* facts)
      : deps_(deps),
        workspace_(workspace),
        tip_(std::move(tip)),
        facts_(facts),
        checkout_(workspace.checkout()) {}

  Task<CandidateResult> run();

 private:
  Task<bool> stage();
  Task<bool> check_running_services();
  Task<bool> render();
  [[nodiscard]] Error without_values(Error error) const;
  [[nodiscard]] PreflightFinding rejected_by_compose(const Error& error) const;
  bool keep_values_of_contents();
  void note_unset_variables(std::vector<std::string> names);
  void note_evaluated();
  void finish();

  // candidate_inputs.cpp
  bool find_compose_files();
  bool take_files_of_env_file();
  bool read_variables();
  bool read_raw_files();
  bool note_raw_file(const Json& raw, const std::string& file, const std::string& base,
                     const Variables& variables);
  bool note_further_file(const FurtherFile& further, Variables variables);
  bool refuse_remote_includes(const Json& raw, const std::string& file, const Variables& variables);
  bool choose_project(const Json& raw);
  bool note_inputs();
  bool check_stored_form(const std::string& path, std::string_view text);
  Task<bool> check_env_file();
  bool take_copies();
  Task<bool> link_live_files();

  // candidate_images.cpp
  Task<bool> pin();
  Task<bool> pin_one(ImageNeed need);
  Task<bool> pin_digest(ImageNeed need, std::string digest);
  Task<Result<std::string>> ask_digest(ImageNeed need);
  Task<std::optional<ImagePin>> pin_of_running(ImageNeed need);

  // The paths of an input in the checkout, where it is read, and in the live directory.
  std::filesystem::path staged(const std::string& path) const {
    return input_path(checkout_, path);
  }
  std::filesystem::path live(const std::string& path) const {
    return input_path(workspace_.live(), path);
  }
  // Returns a path that ${PWD} has made absolute relative to the checkout, and others unchanged.
  std::string in_checkout(const std::string& path) const {
    if (path == checkout_) return {};
    const std::string directory = checkout_.string() + "/";
    return path.starts_with(directory) ? path.substr(directory.size()) : path;
  }
  bool provide(const std::string& path);
  bool copy_of_live(const std::string& path);
  Variables with_variables_of(Variables variables, const std::string& env_file) const;
  [[nodiscard]] Result<std::string> text_of(const std::string& path) const;

  bool refuse(PreflightFinding finding) {
    result_.rejected = std::move(finding);
    return false;
  }
  bool blame_host(Error error) {
    result_.world = std::move(error);
    return false;
  }
  // The commit names the env file and the compose files: a link in their paths could lead to any
  // file of the host.
  bool is_link(const std::string& path) const {
    for (std::size_t end = path.find('/');; end = path.find('/', end + 1)) {
      const TreeEntry* const entry = find_entry(candidate_.tree, path.substr(0, end));
      if (entry != nullptr && entry->mode == "120000") return true;
      if (end == std::string::npos) return false;
    }
  }

  CandidateDeps deps_;
  WorkspaceLock& workspace_;
  RefTip tip_;
  Facts* facts_;
  CandidateResult result_;
  Candidate candidate_;
  std::filesystem::path checkout_;
  Variables variables_;        // that Compose substitutes
  std::string named_project_;  // by the env file
  std::vector<std::string> files_;
  std::set<std::string> env_files_;
  std::set<std::string> further_;                 // compose files that others refer to
  std::map<std::string, std::string> env_texts_;  // of the env files that exist
  // The files that Compose may read, as they are in the live directory.
  std::map<std::string, Result<std::string>> live_files_;
  std::string compose_text_;  // of all compose files
  std::map<std::string, ImagePin> pins_;
};

}  // namespace trimtab
