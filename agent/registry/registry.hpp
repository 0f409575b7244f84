// The seam to image registries: which digest does a tag have now?
#pragma once

#include <optional>
#include <string>

#include "agent/model/login.hpp"
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

  // The login that Docker's config.json has for this registry ("docker.io", "ghcr.io", …), read
  // anew if the file changed; none: anonymous.
  virtual Result<std::optional<RegistryLogin>> login_for(const std::string& registry) = 0;
};

}  // namespace trimtab
