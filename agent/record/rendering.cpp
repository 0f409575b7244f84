#include "agent/record/rendering.hpp"

#include <fmt/core.h>

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
  return is_same ? std::string() : "it was changed after it was written";
}

Result<Rendering> read_rendering(const Store& store, int number) {
  const Release* const release = store.find(number);
  if (release == nullptr) {
    return Error{Errc::not_found, fmt::format("release {} is not there", number), {}};
  }
  const Result<std::string> text = store.rendering(number);
  if (!text) return text.error();
  ParsedRenderings& parsed = store.parsed_renderings();
  const Rendering* const known = parsed.find(number, release->content_key, *text);
  if (known != nullptr) return *known;
  const std::string file = store.compose_file(number).string();
  Result<Json> model = parse_yaml(*text);
  // What was written here is no longer what it was: the disk's fault, or somebody's.
  if (!model)
    return Error{Errc::failed, fmt::format("{} is damaged: {}", file, model.error().message), {}};
  Rendering rendering;
  rendering.model = std::move(*model);
  const std::string flaw = flaw_of(rendering, *release);
  if (!flaw.empty()) return Error{Errc::failed, fmt::format("{} is damaged: {}", file, flaw), {}};
  parsed.keep(number, release->content_key, *text, rendering);
  return rendering;
}

Task<Result<Rendering>> mend_rendering(Store& store, int number) {
  Result<Rendering> rendering = read_rendering(store, number);
  const Release* const release = store.find(number);
  if (rendering || release == nullptr || release->content_key.empty()) co_return rendering;
  for (const auto& [other, known] : store.releases()) {
    if (known.content_key != release->content_key || !read_rendering(store, other)) continue;
    const Result<std::string> text = store.rendering(other);
    if (!text) continue;
    const Result<void> saved = co_await store.save_rendering(number, *text);
    if (!saved) co_return saved.error();
    co_return read_rendering(store, number);
  }
  co_return rendering;
}

bool is_lost(const Store& store, int number, const Error& error) {
  if (is_transient(error.code)) return false;
  const Result<Rendering> kept = read_rendering(store, number);
  return !kept && (kept.error().code == Errc::failed || kept.error().code == Errc::not_found);
}

}  // namespace trimtab
