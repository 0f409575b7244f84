#include "tests/simulation/chance.hpp"

#include <random>

#include "common/random.hpp"

namespace trimtab {
namespace {

std::mt19937_64 dice;

}  // namespace

std::uint64_t random_bits() {
  return dice();
}

namespace simulation {

void seed_chance(std::uint64_t seed) {
  dice.seed(seed);
}

}  // namespace simulation
}  // namespace trimtab
