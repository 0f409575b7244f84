// Chance: what is spread or named by it is decided from here alone, so that a test that replaces
// this function decides it.
#pragma once

#include <cstdint>

namespace trimtab {

// 64 bits that nobody can tell beforehand.
std::uint64_t random_bits();

}  // namespace trimtab
