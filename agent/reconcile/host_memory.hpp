#pragma once

#include <cstdint>
#include <optional>

namespace trimtab {

// Bytes that programs could still take without swapping; unset where the kernel does not say.
std::optional<std::uint64_t> available_memory();

}  // namespace trimtab
