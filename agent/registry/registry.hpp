// The interface to image registries.
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

  // Resolves the reference's tag to a digest with a HEAD request; pulls nothing and uses no quota.
  // Errors: not_found (no such tag or repository), denied (a login is required or wrong), untrusted
  // (certificate), unavailable (unreachable, 429, 5xx), timed_out, invalid.
  virtual Task<Result<std::string>> digest_of(ImageReference reference) = 0;

  // Returns the digest of the image for this platform: of the entry, if the reference's digest is
  // that of an index of several platforms, and otherwise that digest itself. Asks only if digest_of
  // has not seen what the digest is, which counts as a pull if the registry has a quota. Errors as
  // above; invalid also if the index has no such platform.
  virtual Task<Result<std::string>> image_digest(ImageReference reference, Platform wanted) = 0;

  // Returns the parts of the image of this digest for this platform. Counts as a pull if the
  // registry has a quota. Errors as above; invalid also if the image is only for other platforms.
  virtual Task<Result<ImageManifest>> manifest_of(ImageReference reference, Platform wanted) = 0;

  // Returns the current login for this registry ("docker.io", "ghcr.io", …): from trimtab.yaml,
  // Docker's config.json or AWS; none: anonymous.
  virtual Task<Result<std::optional<RegistryLogin>>> login_for(std::string registry) = 0;

  // Call this after the registry refused the login: the next login_for creates a new one if it can.
  virtual void forget_login(const std::string& registry) = 0;
};

}  // namespace trimtab
