// The values of a release that nobody is to read in what is told of it.
#pragma once

#include <string_view>

#include "agent/model/outcome.hpp"
#include "agent/record/store.hpp"
#include "common/known_values.hpp"

namespace trimtab {

// The values of an env file. Those of COMPOSE_… steer Compose and are no secret.
void add_env_file(KnownValues& values, std::string_view text);

// Of the env files that the releases were rendered with, and of their files with secrets. A
// release that does not exist, or a file that cannot be read, adds nothing.
KnownValues known_values_of(const Store& store, const std::vector<int>& releases);

// Takes them out of the reason, the hint and the services' last words.
void hide_values(const KnownValues& values, Failure& failure);

}  // namespace trimtab
