// Image references, according to the grammar of the OCI distribution project.
#pragma once

#include <string>
#include <string_view>

#include "common/result.hpp"

namespace trimtab {

// [registry/]repository[:tag][@digest], normalized: "nginx" becomes docker.io, library/nginx,
// latest.
struct ImageReference {
  std::string registry;    // "docker.io", "ghcr.io", "127.0.0.1:5000"
  std::string repository;  // "library/nginx"
  std::string tag;         // "latest" if neither tag nor digest is given; "" with a digest alone
  std::string digest;      // "sha256:<64 hex>" or empty

  // Returns the short form, which people and RepoDigests use: "nginx" for docker.io/library/nginx.
  [[nodiscard]] std::string familiar_name() const;
  // Returns familiar_name():tag, without the digest.
  [[nodiscard]] std::string tagged() const;
  // Returns familiar_name()@digest.
  [[nodiscard]] std::string pinned(std::string_view to_digest) const;

  friend bool operator==(const ImageReference&, const ImageReference&) = default;
};

// Errc::invalid, with the reason, if the text is not a reference.
Result<ImageReference> parse_reference(std::string_view text);

// Whether the tag is expected to move because it contains no digit (latest, main, stable).
bool is_moving_tag(std::string_view tag);

// Whether the text is "sha256:" followed by 64 lower-case hex digits.
bool is_digest(std::string_view text);

// Returns the first 12 hex digits of a digest or id, for display.
std::string short_digest(std::string_view digest);

}  // namespace trimtab
