#include <fmt/core.h>

#include "agent/plan/preflight/preflight.hpp"

namespace trimtab::preflight {

PreflightFinding not_as_it_is(const std::string& path, StoredForm form) {
  PreflightFinding finding;
  finding.subject = path;
  if (form == StoredForm::lfs_pointer) {
    finding.name = "lfs-pointer";
    finding.message =
        fmt::format("{} in the commit is a pointer of Git LFS, not the file itself", path);
    finding.hint = "commit the file itself (`git lfs untrack`), or put it into the image";
    return finding;
  }
  finding.name = "encrypted-file";
  finding.message = fmt::format("{} is encrypted by {}, and would be used as it is", path,
                                form == StoredForm::sops ? "SOPS" : "git-crypt");
  finding.hint =
      "decrypt it on this server into a file that Git does not track, and name that one in the "
      "compose file";
  return finding;
}

Findings stored_form(const Input& input) {
  Findings findings;
  for (const auto& [path, form] : input.stored_forms) {
    findings.push_back(not_as_it_is(path, form));
  }
  return findings;
}

}  // namespace trimtab::preflight
