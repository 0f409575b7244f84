#include "agent/reconcile/image_pulls.hpp"

#include <fmt/core.h>

#include <set>

#include "agent/model/reference.hpp"

namespace trimtab {

namespace {

Task<std::set<std::string>> layers_here(Docker& docker, const Release* release) {
  std::set<std::string> layers;
  if (release == nullptr) co_return layers;
  const std::map<std::string, ImagePin> images = release->images;
  for (const auto& [service, pin] : images) {
    const Result<Image> image = co_await docker.image(pin.pinned);
    if (image) layers.insert(image->layers.begin(), image->layers.end());
  }
  co_return layers;
}

ImagePull sizes_of(const ImageManifest& manifest, const std::set<std::string>& here) {
  ImagePull pull;
  pull.total_bytes = pull.missing_bytes = 0;
  for (const ImageLayer& layer : manifest.layers) {
    *pull.total_bytes += layer.bytes;
    if (!here.contains(layer.diff_id)) *pull.missing_bytes += layer.bytes;
  }
  return pull;
}

}  // namespace

Task<PullForecast> forecast_pulls(Docker& docker, Registry& registry, Platform host,
                                  const Release& next, const Release* current) {
  PullForecast forecast;
  const std::map<std::string, ImagePin> images = next.images;
  std::optional<std::set<std::string>> here;
  std::set<std::string> seen;
  for (const auto& [service, pin] : images) {
    if (pin.local || !seen.insert(pin.pinned).second) continue;
    const Result<Image> image = co_await docker.image(pin.pinned);
    if (image || image.error().code != Errc::not_found) continue;
    if (!here) here = co_await layers_here(docker, current);
    ImagePull pull;
    const Result<ImageReference> reference = parse_reference(pin.pinned);
    if (reference && !host.architecture.empty()) {
      const Platform wanted = pin.platform.empty() ? host : parse_platform(pin.platform, host);
      const auto manifest = co_await registry.manifest_of(*reference, wanted);
      if (manifest) pull = sizes_of(*manifest, *here);
      if (!manifest && manifest.error().code == Errc::invalid) {
        PreflightFinding finding;
        finding.name = "image-platform";
        finding.message =
            fmt::format("the image {} of {}: {}", pin.reference, service, manifest.error().message);
        finding.hint = manifest.error().hint;
        forecast.findings.push_back(std::move(finding));
      }
    }
    pull.reference = pin.reference;
    pull.pinned = pin.pinned;
    forecast.pulls.push_back(std::move(pull));
  }
  co_return forecast;
}

}  // namespace trimtab
