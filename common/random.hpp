// The only source of randomness for jitter and request ids, so that tests can replace it.
#pragma once

#include <cstdint>

namespace trimtab {

// Returns 64 unpredictable bits.
std::uint64_t random_bits();

}  // namespace trimtab
