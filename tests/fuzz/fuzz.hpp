// What the targets share: the input as text, and a check that stays in every build.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace trimtab::fuzz {

void run(std::string_view input);

// Ends the program where a property does not hold; libFuzzer then keeps the input.
inline void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace trimtab::fuzz

extern "C" inline int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  trimtab::fuzz::run(std::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
