#include "agent/docker/pull_progress.hpp"

#include <algorithm>

#include "common/json.hpp"

namespace trimtab {

namespace {

// No image has more than 127 layers; bounded so that a stream with endless new ids cannot exhaust
// memory.
constexpr std::size_t max_layers = 1000;

}  // namespace

std::optional<PullProgress> PullTracker::take(std::string_view line) {
  const auto json = parse_json(line);
  if (!json || !json->is_object()) return std::nullopt;
  // Every Engine sets `errorDetail`; old ones set only `error`.
  std::string failure = json_string(json_object(*json, "errorDetail"), "message");
  if (failure.empty()) failure = json_string(*json, "error");
  if (!failure.empty()) {
    failure_ = std::move(failure);
    return std::nullopt;
  }
  const std::string id = json_string(*json, "id");
  PullProgress progress;
  progress.status = json_string(*json, "status");
  if (progress.status == "Downloading" && (layers_.contains(id) || layers_.size() < max_layers)) {
    const Json& detail = json_object(*json, "progressDetail");
    const std::int64_t current = json_int(detail, "current");
    const std::int64_t total = json_int(detail, "total");
    if (total <= 0 || current < 0) return std::nullopt;  // the registry did not tell the size
    Layer& layer = layers_[id];
    layer.total = static_cast<std::uint64_t>(total);
    layer.current = std::min(static_cast<std::uint64_t>(current), layer.total);
  } else if (progress.status == "Download complete" || progress.status == "Pull complete") {
    const auto layer = layers_.find(id);
    if (layer != layers_.end()) layer->second.current = layer->second.total;
  } else if (progress.status != "Extracting") {
    return std::nullopt;
  }
  for (const auto& [name, layer] : layers_) {
    progress.current += layer.current;
    progress.total += layer.total;
  }
  return progress;
}

}  // namespace trimtab
