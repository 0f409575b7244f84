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
  return {json_string(json, "os"), json_string(json, "architecture")};
}

Error malformed(const std::string& what) {
  return Error{Errc::invalid, "the registry returned a malformed manifest: " + what,
               "push the image again"};
}

std::uint64_t size_of(const Json& json) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(json_int(json, "size"), 0));
}

}  // namespace

Platform platform_of_host(const std::string& os, const std::string& machine) {
  if (machine == "x86_64") return {os, "amd64"};
  if (machine == "aarch64") return {os, "arm64"};
  if (machine.starts_with("armv")) return {os, "arm"};
  if (machine == "i386" || machine == "i686") return {os, "386"};
  return {os, machine};
}

bool runs_on(const Platform& image, const Platform& host) {
  if (image.os != host.os) return false;
  return image.architecture == host.architecture ||
         (host.architecture == "amd64" && image.architecture == "386") ||
         (host.architecture == "arm64" && image.architecture == "arm");
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

Result<std::string> digest_for(const ManifestIndex& index, const Platform& host) {
  const auto own = std::find_if(index.entries.begin(), index.entries.end(),
                                [&](const auto& entry) { return entry.platform == host; });
  if (own != index.entries.end()) return own->digest;
  const auto usable = std::find_if(index.entries.begin(), index.entries.end(),
                                   [&](const auto& e) { return runs_on(e.platform, host); });
  if (usable != index.entries.end()) return usable->digest;
  std::set<std::string> platforms;
  for (const auto& entry : index.entries) platforms.insert(printable(entry.platform.text()));
  const std::vector<std::string> names(platforms.begin(), platforms.end());
  return Error{Errc::invalid,
               fmt::format("it is for {}, and this host is {}",
                           names.empty() ? "no platform" : join(names, ", "), host.text()),
               fmt::format("build it for {} too (docker buildx build --platform)", host.text())};
}

}  // namespace trimtab
