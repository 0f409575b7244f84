#include "agent/model/variable_contents.hpp"

#include "common/text.hpp"

namespace trimtab {
namespace {

constexpr const char* value_key = "x-trimtab-value";

}  // namespace

std::vector<VariableContent> variable_contents(const Json& model) {
  std::vector<VariableContent> contents;
  for (const char* const section : {"configs", "secrets"}) {
    for (const auto& item : json_object(model, section).items()) {
      std::string variable = json_string(item.value(), "environment");
      if (!variable.empty()) contents.push_back({section, item.key(), std::move(variable)});
    }
  }
  return contents;
}

bool is_read_by_programs(const std::string& variable) {
  for (const char* const prefix : {"COMPOSE_", "DOCKER_", "LD_", "TRIMTAB_"}) {
    if (variable.starts_with(prefix)) return true;
  }
  return variable == "HOME" || variable == "PATH" || variable == "PWD";
}

void keep_value(Json& model, const VariableContent& content, const std::string& value) {
  // Compose substitutes variables in everything that it reads.
  model[content.section][content.name][value_key] = replace_all(value, "$", "$$");
}

std::map<std::string, std::string> kept_values(const Json& model) {
  std::map<std::string, std::string> values;
  for (const VariableContent& content : variable_contents(model)) {
    const Json& definition = json_object(json_object(model, content.section), content.name);
    if (!definition.contains(value_key)) continue;
    values[content.variable] = replace_all(json_string(definition, value_key), "$$", "$");
  }
  return values;
}

}  // namespace trimtab
