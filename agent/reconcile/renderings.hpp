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

  // As the release's file says; the one that was read last is remembered. Errors: those of
  // read_rendering().
  Result<Rendering> of(int release) const;

  // What plans start from. Of a release that cannot be read nothing is known.
  [[nodiscard]] Base base_of_plans() const;

 private:
  const Store& store_;
  mutable std::string cached_key_;  // content key of the one that was read last
  mutable Rendering cached_;
};

// The release that the next one goes back to if it fails: what ran well last. Null: there is none.
const ReleaseRecord* release_to_go_back_to(const Store& store);

}  // namespace trimtab
