#include <fmt/core.h>

#include "agent/plan/preflight/preflight.hpp"
#include "common/text.hpp"

namespace trimtab::preflight {
namespace {

// A layer is stored compressed until it is unpacked to about three times its size.
constexpr std::uint64_t disk_per_byte = 4;
// Left for everything else on the host that keeps writing meanwhile.
constexpr std::uint64_t reserve = 100'000'000;

}  // namespace

Findings disk_space(const Input& input) {
  std::uint64_t missing = 0;
  for (const ImagePull& pull : input.pulls) missing += pull.missing_bytes.value_or(0);
  if (missing == 0 || !input.free_bytes) return {};
  const std::uint64_t needed = missing * disk_per_byte + reserve;
  if (*input.free_bytes >= needed) return {};
  PreflightFinding finding;
  finding.name = "disk-space";
  finding.cause = FailureCause::host;
  finding.message = fmt::format(
      "the images need {} ({} bytes) in {}, where {} ({} bytes) are free: {} to transfer, and room "
      "to unpack them",
      human_size(needed), needed, input.image_directory, human_size(*input.free_bytes),
      *input.free_bytes, human_size(missing));
  finding.hint = "`docker system df` shows what takes the room; `docker image prune` frees some";
  return {finding};
}

}  // namespace trimtab::preflight
