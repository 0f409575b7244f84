#include "agent/model/release.hpp"

namespace trimtab {

std::string ImagePin::tag_digest() const {
  if (!index.empty() || local) return index;
  const auto at = pinned.find('@');
  return at == std::string::npos ? std::string() : pinned.substr(at + 1);
}

const Json& Rendering::service(const std::string& name) const {
  return json_object(json_object(model, "services"), name);
}

std::vector<std::string> Rendering::service_names() const {
  std::vector<std::string> names;
  for (const auto& item : json_object(model, "services").items()) names.push_back(item.key());
  return names;
}

}  // namespace trimtab
