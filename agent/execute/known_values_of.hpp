// The secret values of a release, which are hidden in everything that is reported about it.
#pragma once

#include <string_view>

#include "agent/model/outcome.hpp"
#include "agent/record/store.hpp"
#include "common/known_values.hpp"

namespace trimtab {

// Adds the values of an env file, except those of COMPOSE_…, which configure Compose and are not
// secret.
void add_env_file(KnownValues& values, std::string_view text);

// Returns the values in the env files with which the releases were rendered, and in their secret
// files. A release that does not exist, or a file that cannot be read, adds nothing.
KnownValues known_values_of(const Store& store, const std::vector<int>& releases);

// Hides them in the reason, the hint and the services' last log lines.
void hide_values(const KnownValues& values, Failure& failure);

}  // namespace trimtab
