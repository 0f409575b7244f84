// The renderings of the releases that are kept.
#pragma once

#include <string>

#include "agent/plan/diff.hpp"
#include "agent/record/store.hpp"

namespace trimtab {

class Renderings {
 public:
  // `store` outlives this.
  explicit Renderings(const Store& store) : store_(store) {}

  // Reads the release's file; the rendering that was read last is cached. Errors: those of
  // read_rendering().
  Result<Rendering> of(int release) const;
  // The same without a copy: valid until another is read. Null where that fails.
  [[nodiscard]] const Rendering* find(int release) const;

  // What plans start from. Empty for a release that cannot be read.
  [[nodiscard]] Base base_of_plans() const;

 private:
  Result<void> read(int release) const;

  const Store& store_;
  mutable std::string cached_key_;  // content key of the one that was read last
  mutable Rendering cached_;
};

// Returns the release that the next one is rolled back to if it fails: the last one that was good.
// Null if there is none.
const ReleaseRecord* release_to_go_back_to(const Store& store);

}  // namespace trimtab
