// Keeps a stack in order besides deploying: its boot files, its certificates, the renderings and
// commits of its releases, and their retention.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/model/server_certificate.hpp"
#include "agent/reconcile/candidate.hpp"
#include "agent/reconcile/mend_tries.hpp"
#include "agent/reconcile/renderings.hpp"
#include "agent/reconcile/renewed_files.hpp"
#include "agent/reconcile/reporter.hpp"

namespace trimtab {

// More than 15 members: each thing that is kept in order has a check, and a time when it is due.
class Upkeep {
 public:
  // All outlive this.
  Upkeep(CandidateDeps deps, const Renderings& renderings, Reporter& reporter)
      : deps_(deps), renderings_(renderings), reporter_(reporter) {}

  // Rewrites what the unit boots if an earlier version of trimtab wrote it, if the release was
  // rendered again, or if a foreign container appeared or went.
  Task<void> keep_boot_files(std::vector<Container> foreign);
  // They are checked again in the next round, as after a deployment.
  void forget_boot_files() { boots_without_.reset(); }
  // A deployment has ended that may have been cut off before its images were tagged.
  void check_images() { images_tagged_ = false; }
  // The services that the stack's unit does not start because foreign containers take their place.
  // Unset while unknown.
  [[nodiscard]] const std::optional<std::set<std::string>>& boots_without() const {
    return boots_without_;
  }

  // Once a minute: reads the certificates, and creates self-signed ones for those that are missing.
  Task<void> check_certificates();
  [[nodiscard]] const std::vector<ServerCertificateFile>& certificates() const {
    return certificates_;
  }

  // Every few seconds: whether files were renewed for which services are to be reloaded.
  bool find_renewed_files();
  Task<void> reload_renewed(std::vector<Container> containers);

  // Whether the current release cannot be read and it is time to render it again. `tip`: the wanted
  // commit, with which another attempt may have another result.
  [[nodiscard]] bool is_rendering_to_mend(const std::string& tip);
  Task<void> mend_rendering(WorkspaceLock& workspace, std::string tip);
  // Why the current release cannot be read; "" if it can.
  [[nodiscard]] const std::string& unmended() const { return unmended_; }

  // After a repair of the repository: protects the releases' commits again. Returns what to report
  // about it.
  Task<std::vector<std::string>> keep_commits_anew(WorkspaceLock& workspace);
  // Removes what outlived its retention.
  Task<void> prune_releases(WorkspaceLock& workspace, bool docker_answers);

 private:
  [[nodiscard]] std::string what_mends(int release, const std::string& tip) const;

  CandidateDeps deps_;
  const Renderings& renderings_;
  Reporter& reporter_;
  std::optional<std::set<std::string>> boots_without_;
  std::vector<ServerCertificateFile> certificates_;
  SteadyClock::time_point certificates_until_{};  // then they are read again
  RenewedFiles renewed_files_;
  std::set<std::string> renewed_;  // services whose files were renewed and that are to be reloaded
  SteadyClock::time_point renewed_until_{};  // then they are checked again
  std::string unmended_;
  MendTries mend_tries_;
  bool images_tagged_ = false;   // those of the releases that are on the host
  bool commits_pruned_ = false;  // none is kept of releases that are gone
  bool images_pruned_ = false;   // none is left of releases that are no longer kept
};

}  // namespace trimtab
