// The layers of an image in a registry, and its platforms.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace trimtab {

// Go's names, as in images: linux, amd64.
struct Platform {
  std::string os;
  std::string architecture;
  std::string variant = {};  // v7 of arm; "": not said

  [[nodiscard]] std::string text() const;
  friend bool operator==(const Platform&, const Platform&) = default;
};

// Converts the Engine's names to those in images: x86_64 becomes amd64.
Platform platform_of_host(const std::string& os, const std::string& machine);

// Reads what `platform:` of a service says: linux/arm/v7, arm64, linux. What it leaves out is the
// host's. Source: containerd's platforms package, which Docker uses.
Platform parse_platform(const std::string& text, const Platform& host);

// Whether images of this platform are for the wanted one, or run on it without emulation, according
// to the Engine's rules.
bool runs_on(const Platform& image, const Platform& wanted);

struct ImageLayer {
  std::string diff_id;      // digest of the uncompressed content; the Engine's id of the layer
  std::uint64_t bytes = 0;  // compressed size, as transferred

  friend bool operator==(const ImageLayer&, const ImageLayer&) = default;
};

struct ImageManifest {
  Platform platform;
  std::vector<ImageLayer> layers;  // base layer first
};

// Documents of the OCI image specification and their older Docker formats. Parsing fails with
// invalid.

// The platforms of an image.
struct ManifestIndex {
  struct Entry {
    std::string digest;
    Platform platform;
  };
  std::vector<Entry> entries;
};

// An image of one platform: the digest of its configuration and the sizes of its layers.
struct ManifestDocument {
  std::string config;
  std::vector<std::uint64_t> layer_bytes;
};

bool is_index(std::string_view body);
Result<ManifestIndex> parse_index(std::string_view body);
Result<ManifestDocument> parse_manifest(std::string_view body);
// Parses the configuration that `manifest` names.
Result<ImageManifest> parse_image_config(std::string_view body, const ManifestDocument& manifest);

// Returns the digest of the entry for this platform; prefers the same architecture to others that
// run on it, too. invalid, naming the available platforms, if there is none.
Result<std::string> digest_for(const ManifestIndex& index, const Platform& wanted);

// The error for an image that is only for `available`.
Error wrong_platform(const std::string& available, const Platform& wanted);

// An image of a release that is not on this host yet.
struct ImagePull {
  std::string reference;  // as in the Compose file
  std::string pinned;
  // Compressed sizes of all layers, and of those that no image of the current release has. Both
  // unset if the registry did not tell.
  std::optional<std::uint64_t> total_bytes;
  std::optional<std::uint64_t> missing_bytes;
};

}  // namespace trimtab
