// Secrets and configs whose content is the value of a variable. Compose reads it from its own
// environment when it makes a container, whereas every other variable is filled in by then; so the
// rendering keeps these values.
// Source: https://docs.docker.com/reference/compose-file/secrets/ and …/configs/
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/json.hpp"

namespace trimtab {

struct VariableContent {
  std::string section;  // secrets or configs
  std::string name;
  std::string variable;
};

std::vector<VariableContent> variable_contents(const Json& model);

// Returns whether programs that trimtab runs read the variable themselves, so that no content may
// come from it.
bool is_read_by_programs(const std::string& variable);

// Adds the value to the definition, under a key that Compose ignores. A change of it is a change of
// the definition.
void keep_value(Json& model, const VariableContent& content, const std::string& value);

// Returns what has to be in the environment of Compose, by variable.
std::map<std::string, std::string> kept_values(const Json& model);

}  // namespace trimtab
