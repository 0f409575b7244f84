#include "agent/execute/known_values_of.hpp"

#include "agent/compose/compose_yaml.hpp"
#include "agent/compose/env_file.hpp"
#include "agent/model/variable_contents.hpp"
#include "agent/record/rendering.hpp"
#include "common/files.hpp"

namespace trimtab {
namespace {

constexpr std::size_t max_secret_size = 64 * 1024;

void add_rendering(KnownValues& values, const Rendering& rendering) {
  for (const std::string& name : rendering.service_names()) {
    const Json& service = rendering.service(name);
    values.add_public(name);
    values.add_public(json_string(service, "image"));
    values.add_public(json_string(service, "container_name"));
  }
  for (const auto& item : json_object(rendering.model, "secrets").items()) {
    const std::string file = json_string(item.value(), "file");
    const Result<std::string> bytes =
        file.empty() ? std::string() : read_file(file, max_secret_size);
    if (bytes) values.add(*bytes);
  }
  for (const auto& [variable, value] : kept_values(rendering.model)) values.add(value);
}

}  // namespace

void add_env_file(KnownValues& values, std::string_view text) {
  for (const EnvEntry& entry : read_env_file(text)) {
    if (!entry.name.starts_with("COMPOSE_")) values.add(entry.value);
  }
}

KnownValues known_values_of(const Store& store, const std::vector<int>& releases) {
  KnownValues values;
  for (const int number : releases) {
    const ReleaseRecord* const release = store.find(number);
    if (release == nullptr) continue;
    values.add_public(release->project);
    for (const auto& [path, hash] : release->inputs) {
      const auto bytes = read_file(store.input_file(number, path));
      const bool is_compose_file = path.ends_with(".yaml") || path.ends_with(".yml");
      if (bytes && !is_compose_file) add_env_file(values, *bytes);
    }
    if (const Result<Rendering> rendering = read_rendering(store, number)) {
      add_rendering(values, *rendering);
      continue;
    }
    // A damaged one has values that must not be shown, too.
    const Result<std::string> text = store.rendering(number);
    if (!text) continue;
    Result<Json> model = parse_yaml(*text);
    if (model) add_rendering(values, Rendering{std::move(*model)});
  }
  return values;
}

void hide_values(const KnownValues& values, Failure& failure) {
  failure.reason = values.hide_in_error(failure.reason);
  failure.hint = values.hide_in_error(failure.hint);
  for (ServiceFailure& service : failure.services) {
    service.reason = values.hide_in_error(service.reason);
    for (std::string& line : service.log) line = values.hide_in(line);
  }
}

}  // namespace trimtab
