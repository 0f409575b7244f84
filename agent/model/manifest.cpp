#include "agent/model/manifest.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "agent/model/reference.hpp"
#include "common/json.hpp"
#include "common/text.hpp"

namespace trimtab {

namespace {

// The Engine accepts at most 127.
constexpr std::size_t max_layers = 1000;
constexpr std::size_t max_platforms = 1000;

Platform platform_of(const Json& json) {
  return {json_string(json, "os"), json_string(json, "architecture"), json_string(json, "variant")};
}

std::string architecture_of(const std::string& machine) {
  if (machine == "x86_64" || machine == "x86-64") return "amd64";
  if (machine == "aarch64") return "arm64";
  if (machine == "i386" || machine == "i686") return "386";
  return machine;
}

// Of 64-bit Arm there is one that need not be said.
std::string variant_of(const Platform& platform) {
  return platform.architecture == "arm64" && platform.variant.empty() ? "v8" : platform.variant;
}

Error malformed(const std::string& what) {
  return Error{Errc::invalid, "the registry returned a malformed manifest: " + what,
               "push the image again"};
}

std::uint64_t size_of(const Json& json) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(json_int(json, "size"), 0));
}

}  // namespace

std::string Platform::text() const {
  return variant.empty() ? os + "/" + architecture
                         : fmt::format("{}/{}/{}", os, architecture, variant);
}

Platform platform_of_host(const std::string& os, const std::string& machine) {
  if (machine.starts_with("armv")) return {os, "arm"};
  return {os, architecture_of(machine)};
}

Platform parse_platform(const std::string& text, const Platform& host) {
  static const std::set<std::string> systems{"linux",  "windows", "darwin",  "freebsd",
                                             "netbsd", "openbsd", "solaris", "plan9"};
  const std::vector<std::string> parts = split(lower_case(text), '/');
  const bool has_system = parts.size() > 1 || systems.contains(parts.front());
  if (has_system && parts.size() == 1) return {parts.front(), host.architecture};
  Platform platform{has_system ? parts[0] : host.os, parts[has_system ? 1 : 0]};
  if (parts.size() > 2) platform.variant = parts[2];
  if (platform.architecture == "armhf") return {platform.os, "arm", "v7"};
  if (platform.architecture == "armel") return {platform.os, "arm", "v6"};
  platform.architecture = architecture_of(platform.architecture);
  return platform;
}

bool runs_on(const Platform& image, const Platform& wanted) {
  if (image.os != wanted.os) return false;
  if (image.architecture == wanted.architecture) {
    return wanted.variant.empty() || variant_of(image) == variant_of(wanted);
  }
  return (wanted.architecture == "amd64" && image.architecture == "386") ||
         (wanted.architecture == "arm64" && image.architecture == "arm");
}

bool is_index(std::string_view body) {
  const auto parsed = parse_json(body);
  return parsed && parsed->is_object() && parsed->contains("manifests");
}

Result<ManifestIndex> parse_index(std::string_view body) {
  const auto parsed = parse_json(body);
  if (!parsed || !parsed->is_object()) return malformed("no JSON object");
  ManifestIndex index;
  for (const Json& item : json_array(*parsed, "manifests")) {
    ManifestIndex::Entry entry{json_string(item, "digest"),
                               platform_of(json_object(item, "platform"))};
    if (!is_digest(entry.digest)) return malformed("an entry without a digest");
    // Attestations added by buildx are not images.
    if (entry.platform.os == "unknown" || entry.platform.architecture == "unknown") continue;
    if (index.entries.size() == max_platforms) return malformed("too many entries");
    index.entries.push_back(std::move(entry));
  }
  return index;
}

Result<ManifestDocument> parse_manifest(std::string_view body) {
  const auto parsed = parse_json(body);
  if (!parsed || !parsed->is_object()) return malformed("no JSON object");
  ManifestDocument manifest;
  manifest.config = json_string(json_object(*parsed, "config"), "digest");
  if (!is_digest(manifest.config)) return malformed("it has no configuration");
  for (const Json& layer : json_array(*parsed, "layers")) {
    if (manifest.layer_bytes.size() == max_layers) return malformed("too many layers");
    manifest.layer_bytes.push_back(size_of(layer));
  }
  return manifest;
}

Result<ImageManifest> parse_image_config(std::string_view body, const ManifestDocument& manifest) {
  const auto parsed = parse_json(body);
  if (!parsed || !parsed->is_object()) return malformed("its configuration is no JSON object");
  ImageManifest image;
  image.platform = platform_of(*parsed);
  const Json& ids = json_array(json_object(*parsed, "rootfs"), "diff_ids");
  for (std::size_t i = 0; i < manifest.layer_bytes.size(); ++i) {
    const bool known = i < ids.size() && ids[i].is_string();
    image.layers.push_back(
        {known ? ids[i].get<std::string>() : std::string(), manifest.layer_bytes[i]});
  }
  return image;
}

Result<std::string> digest_for(const ManifestIndex& index, const Platform& wanted) {
  const auto own = std::find_if(index.entries.begin(), index.entries.end(),
                                [&](const ManifestIndex::Entry& entry) {
                                  return entry.platform.architecture == wanted.architecture &&
                                         runs_on(entry.platform, wanted);
                                });
  if (own != index.entries.end()) return own->digest;
  const auto usable = std::find_if(index.entries.begin(), index.entries.end(),
                                   [&](const auto& e) { return runs_on(e.platform, wanted); });
  if (usable != index.entries.end()) return usable->digest;
  std::set<std::string> platforms;
  for (const auto& entry : index.entries) platforms.insert(printable(entry.platform.text()));
  const std::vector<std::string> names(platforms.begin(), platforms.end());
  return wrong_platform(names.empty() ? "no platform" : join(names, ", "), wanted);
}

Error wrong_platform(const std::string& available, const Platform& wanted) {
  return Error{Errc::invalid, fmt::format("it is for {}, not for {}", available, wanted.text()),
               fmt::format("build it for {} too (docker buildx build --platform)", wanted.text())};
}

}  // namespace trimtab
