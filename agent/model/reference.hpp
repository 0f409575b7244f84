// Image references after the grammar of the OCI distribution project.
#pragma once

#include <string>
#include <string_view>

#include "common/result.hpp"

namespace trimtab {

// [registry/]repository[:tag][@digest], in full form: "nginx" is docker.io, library/nginx, latest.
struct ImageReference {
  std::string registry;    // "docker.io", "ghcr.io", "127.0.0.1:5000"
  std::string repository;  // "library/nginx"
  std::string tag;         // "latest" where neither tag nor digest is given; "" beside a digest
  std::string digest;      // "sha256:<64 hex>" or empty

  // "nginx" for docker.io/library/nginx: the short form that people and RepoDigests use.
  [[nodiscard]] std::string familiar_name() const;
  // familiar_name():tag, without the digest.
  [[nodiscard]] std::string tagged() const;
  // familiar_name()@digest.
  [[nodiscard]] std::string pinned(std::string_view to_digest) const;

  friend bool operator==(const ImageReference&, const ImageReference&) = default;
};

// Errc::invalid with the reason where the text is no reference.
Result<ImageReference> parse_reference(std::string_view text);

// Whether a tag is one that moves: no digit in it (latest, main, stable).
bool is_moving_tag(std::string_view tag);

// "sha256:" and 64 lower-case hex digits.
bool is_digest(std::string_view text);

// The first 12 hex digits of a digest or id, for people.
std::string short_digest(std::string_view digest);

}  // namespace trimtab
