// The only source of randomness for jitter and request ids, so that a test can replace it.
#pragma once

#include <cstdint>

namespace trimtab {

// 64 bits that nobody can tell beforehand.
std::uint64_t random_bits();

}  // namespace trimtab
