#include "agent/reconcile/host_memory.hpp"

#include <charconv>

#include "common/files.hpp"
#include "common/text.hpp"

namespace trimtab {

std::optional<std::uint64_t> available_memory() {
  constexpr std::string_view key = "MemAvailable:";
  const Result<std::string> text = read_file("/proc/meminfo");
  if (!text) return std::nullopt;
  for (const std::string& line : split(*text, '\n')) {
    if (!line.starts_with(key)) continue;
    const std::string_view value = trim(std::string_view(line).substr(key.size()));
    std::uint64_t kibibytes = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), kibibytes);
    if (error != std::errc() || end == value.data()) return std::nullopt;
    return kibibytes * 1024;
  }
  return std::nullopt;
}

}  // namespace trimtab
