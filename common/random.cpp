#include "common/random.hpp"

#include <random>

namespace trimtab {

std::uint64_t random_bits() {
  std::random_device device;
  return (std::uint64_t{device()} << 32U) | device();
}

}  // namespace trimtab
