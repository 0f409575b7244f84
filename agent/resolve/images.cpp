#include "agent/resolve/images.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "agent/model/reference.hpp"
#include "common/hash.hpp"

namespace trimtab {
namespace {

constexpr std::string_view encoded_prefix = "name-";

// Returns the name as a component of a repository name. Names that Compose allows but a registry
// does not (with capitals, or with separators at the end or several in a row) are encoded so that
// no two collide.
std::string path_component(const std::string& name) {
  const Result<ImageReference> parsed = parse_reference("trimtab.local/" + name + ":kept");
  if (parsed && !name.starts_with(encoded_prefix)) return name;
  return std::string(encoded_prefix) + hex_encode(name);
}

}  // namespace

Result<std::vector<ImageNeed>> image_needs(const Json& model, const std::string& project,
                                           bool underscore_names,
                                           const std::optional<std::vector<std::string>>& watch,
                                           const std::map<std::string, ImagePin>& current,
                                           const Platform& host) {
  std::vector<ImageNeed> needs;
  for (const auto& item : json_object(model, "services").items()) {
    ImageNeed need;
    need.service = item.key();
    need.text = json_string(item.value(), "image");
    if (need.text.empty()) {
      need.how = ImageNeed::How::built;
      need.text = project + (underscore_names ? "_" : "-") + need.service;
      needs.push_back(std::move(need));
      continue;
    }
    const Result<ImageReference> reference = parse_reference(need.text);
    if (!reference) return reference.error().context("service " + need.service);
    need.reference = *reference;
    need.platform = json_string(item.value(), "platform");
    if (!need.platform.empty() && parse_platform(need.platform, host) == host) {
      need.platform.clear();
    }
    const auto pin = current.find(need.service);
    if (pin != current.end() && pin->second.reference == need.text &&
        pin->second.platform == need.platform) {
      need.current = pin->second;
    }
    if (!need.reference.digest.empty()) {
      need.how = ImageNeed::How::pinned;
      needs.push_back(std::move(need));
      continue;
    }
    need.watched = watch ? std::find(watch->begin(), watch->end(), need.service) != watch->end()
                         : is_moving_tag(need.reference.tag);
    // A new patch release of postgres:16 must not restart a database unexpectedly.
    if (!need.watched && need.current) need.how = ImageNeed::How::keep;
    needs.push_back(std::move(need));
  }
  return needs;
}

void pin_images(Json& model, const std::map<std::string, ImagePin>& pins) {
  if (!model.contains("services")) return;
  for (auto& item : model["services"].items()) {
    const auto pin = pins.find(item.key());
    if (pin == pins.end()) continue;
    item.value()["image"] = pin->second.pinned;
    item.value().erase("build");
    item.value().erase("pull_policy");
  }
}

std::string kept_tag_prefix(const std::string& stack) {
  return fmt::format("trimtab.local/{}/", path_component(stack));
}

RetentionTag retention_tag(const std::string& stack, const std::string& service,
                           const ImagePin& pin) {
  const auto at = pin.pinned.find("sha256:");
  return {kept_tag_prefix(stack) + path_component(service),
          at == std::string::npos ? "kept" : short_digest(pin.pinned.substr(at))};
}

std::vector<std::string> stale_tags(const std::vector<std::string>& tags, const std::string& stack,
                                    const Releases& releases) {
  std::set<std::string> wanted;
  for (const auto& [number, release] : releases) {
    for (const auto& [service, pin] : release.images) {
      wanted.insert(retention_tag(stack, service, pin).text());
    }
  }
  std::vector<std::string> stale;
  for (const std::string& tag : tags) {
    if (!wanted.contains(tag)) stale.push_back(tag);
  }
  return stale;
}

}  // namespace trimtab
