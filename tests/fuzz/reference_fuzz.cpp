// What is a reference stays the same one in its familiar form.
#include "agent/model/reference.hpp"

#include "tests/fuzz/fuzz.hpp"

namespace trimtab::fuzz {

void run(std::string_view input) {
  const auto reference = parse_reference(input);
  if (!reference) return;
  const bool has_digest = !reference->digest.empty();
  const auto again =
      parse_reference(has_digest ? reference->pinned(reference->digest) : reference->tagged());
  require(again.has_value());
  require(again->registry == reference->registry && again->repository == reference->repository);
  require(again->digest == reference->digest);
  require(has_digest || again->tag == reference->tag);
}

}  // namespace trimtab::fuzz
