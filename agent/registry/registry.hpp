// The seam to image registries: which digest does a tag have now?
#pragma once

#include <optional>
#include <string>

#include "agent/model/login.hpp"
#include "agent/model/manifest.hpp"
#include "agent/model/reference.hpp"
#include "common/async.hpp"

namespace trimtab {

class Registry {
 public:
  virtual ~Registry() = default;

  // The digest of the reference's tag, by HEAD; nothing is pulled and no quota used. Errors:
  // not_found (no such tag or repository), denied (a login is needed or wrong), untrusted
  // (certificate), unavailable (cannot be reached, 429, 5xx), timed_out, invalid.
  virtual Task<Result<std::string>> digest_of(ImageReference reference) = 0;

  // What the image of this digest is made of, for this host; costs a pull of the registry's quota,
  // as far as that has one. Errors as above; invalid also where it is for other platforms only.
  virtual Task<Result<ImageManifest>> manifest_of(ImageReference reference, Platform host) = 0;

  // The login to this registry ("docker.io", "ghcr.io", …) as it is now: of trimtab.yaml, of
  // Docker's config.json, or made by AWS; none: anonymous.
  virtual Task<Result<std::optional<RegistryLogin>>> login_for(std::string registry) = 0;

  // The registry refused the login that it was given: the next login_for makes a new one, where
  // it can be made.
  virtual void forget_login(const std::string& registry) = 0;
};

}  // namespace trimtab
