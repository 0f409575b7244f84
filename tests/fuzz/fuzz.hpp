// What the targets share: the input as text, and a check that stays in every build.
#pragma once

#include <cstdlib>
#include <string_view>

namespace trimtab::fuzz {

// Each target's own: takes one input.
void run(std::string_view input);

// Ends the program where a property does not hold; libFuzzer then keeps the input.
inline void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace trimtab::fuzz
