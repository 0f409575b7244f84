#include "agent/record/rendering.hpp"

#include "agent/compose/compose_yaml.hpp"
#include "agent/resolve/keys.hpp"

namespace trimtab {

std::string flaw_of(const Rendering& rendering, const Release& release) {
  if (rendering.service_names().empty()) return "it has no services";
  for (const auto& [service, pin] : release.images) {
    if (rendering.service(service).empty()) return "it lacks the service " + service;
  }
  const bool is_same = release.content_key.empty() ||
                       content_key(rendering.model, release.mounted_files) == release.content_key;
  return is_same ? std::string() : "it is not as it was written";
}

Result<Rendering> read_rendering(const Store& store, int number) {
  const Release* const release = store.find(number);
  if (release == nullptr) {
    return Error{Errc::not_found, "release " + std::to_string(number) + " is not there", {}};
  }
  const Result<std::string> text = store.rendering(number);
  if (!text) return text.error();
  const std::string file = store.compose_file(number).string();
  Result<Json> model = parse_yaml(*text);
  // What was written here is no longer what it was: the disk's fault, or somebody's.
  if (!model) return Error{Errc::failed, file + " is damaged: " + model.error().message, {}};
  Rendering rendering;
  rendering.model = std::move(*model);
  const std::string flaw = flaw_of(rendering, *release);
  if (!flaw.empty()) return Error{Errc::failed, file + " is damaged: " + flaw, {}};
  return rendering;
}

}  // namespace trimtab
