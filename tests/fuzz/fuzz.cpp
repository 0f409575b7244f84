// Where libFuzzer enters.
#include "tests/fuzz/fuzz.hpp"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  trimtab::fuzz::run(std::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
