// What an image in a registry is made of, and for which machines.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace trimtab {

// In Go's names, as images have them: linux, amd64.
struct Platform {
  std::string os;
  std::string architecture;

  [[nodiscard]] std::string text() const { return os + "/" + architecture; }
  friend bool operator==(const Platform&, const Platform&) = default;
};

// What the Engine calls x86_64, images call amd64.
Platform platform_of_host(const std::string& os, const std::string& machine);

// Whether the host runs images of this platform without emulation, as the Engine sees it.
bool runs_on(const Platform& image, const Platform& host);

struct ImageLayer {
  std::string diff_id;      // the digest of its content, as the Engine knows it once it is here
  std::uint64_t bytes = 0;  // compressed, as it is transferred

  friend bool operator==(const ImageLayer&, const ImageLayer&) = default;
};

struct ImageManifest {
  Platform platform;
  std::vector<ImageLayer> layers;  // from the base up
};

// The documents of the OCI image specification and their older Docker forms. Errors: invalid.

// A list of one image's platforms.
struct ManifestIndex {
  struct Entry {
    std::string digest;
    Platform platform;
  };
  std::vector<Entry> entries;
};

// One image: the digest of its configuration, and its layers' sizes without their diff ids.
struct ManifestDocument {
  std::string config;
  std::vector<std::uint64_t> layer_bytes;
};

bool is_index(std::string_view body);
Result<ManifestIndex> parse_index(std::string_view body);
Result<ManifestDocument> parse_manifest(std::string_view body);
// The configuration that the manifest names.
Result<ImageManifest> parse_image_config(std::string_view body, const ManifestDocument& manifest);

// The entry for this host: its own architecture rather than one that it also runs. Invalid where
// there is none; the text names those that there are.
Result<std::string> digest_for(const ManifestIndex& index, const Platform& host);

// An image of a release that is not on this host yet.
struct ImagePull {
  std::string reference;  // as the compose file writes it
  std::string pinned;
  // Compressed: of all layers, and of those that no image of the present release has. Both unset
  // where the registry did not tell.
  std::optional<std::uint64_t> total_bytes;
  std::optional<std::uint64_t> missing_bytes;
};

}  // namespace trimtab
