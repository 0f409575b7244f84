// What keeps a stack in order besides deploying: its boot files, certificates, the rendering and
// the commits of its releases, and what outlived its retention.
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

// More than 15 members: each thing that is kept in order has a check, and when it is due next.
class Upkeep {
 public:
  // All outlive this.
  Upkeep(CandidateDeps deps, const Renderings& renderings, Reporter& reporter)
      : deps_(deps), renderings_(renderings), reporter_(reporter) {}

  // What the unit boots is not what it should be where an earlier trimtab has left it, where the
  // release was rendered again, and where a foreign container came or went.
  Task<void> keep_boot_files(std::vector<Container> foreign);
  // They are looked at anew at the next occasion, as after a deployment.
  void forget_boot_files() { boots_without_.reset(); }
  // A deployment has ended, which may have been cut off before its images had their tags.
  void check_images() { images_tagged_ = false; }
  // The services that the stack's unit does not start, since they are taken; unset: not known yet.
  [[nodiscard]] const std::optional<std::set<std::string>>& boots_without() const {
    return boots_without_;
  }

  // Once a minute: which there are, and self-signed ones in place of those that are missing.
  void check_certificates();
  [[nodiscard]] const std::vector<ServerCertificateFile>& certificates() const {
    return certificates_;
  }

  // Every few seconds: whether files that services are to be reloaded for were renewed.
  bool find_renewed_files();
  Task<void> reload_renewed(std::vector<Container> containers);

  // Whether the current release cannot be read, and it is time to have it rendered again. `tip`:
  // the commit that is asked for, with which another try may end otherwise.
  [[nodiscard]] bool is_rendering_to_mend(const std::string& tip);
  Task<void> mend_rendering(WorkspaceLock& workspace, std::string tip);
  // Why the current release cannot be read; "": it can.
  [[nodiscard]] const std::string& unmended() const { return unmended_; }

  // After a repair of the repository: has it keep the releases' commits again, and returns what is
  // told of it.
  Task<std::vector<std::string>> keep_commits_anew(WorkspaceLock& workspace);
  // Whatever outlived its retention goes.
  Task<void> prune_releases(WorkspaceLock& workspace, bool docker_answers);

 private:
  [[nodiscard]] std::string what_mends(int release, const std::string& tip) const;

  CandidateDeps deps_;
  const Renderings& renderings_;
  Reporter& reporter_;
  std::optional<std::set<std::string>> boots_without_;
  std::vector<ServerCertificateFile> certificates_;
  SteadyClock::time_point certificates_until_{};  // then they are looked at again
  RenewedFiles renewed_files_;
  std::set<std::string> renewed_;            // services whose files were, and that are to be told
  SteadyClock::time_point renewed_until_{};  // then they are looked at again
  std::string unmended_;
  MendTries mend_tries_;
  bool images_tagged_ = false;  // those of the releases, as far as they are on the host
  bool images_pruned_ = false;  // none is left of releases that are kept no more
};

}  // namespace trimtab
