// The daemon's chance: decided by the life's seed.
#pragma once

#include <cstdint>

namespace trimtab::simulation {

void seed_chance(std::uint64_t seed);

}  // namespace trimtab::simulation
