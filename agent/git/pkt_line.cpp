#include "agent/git/pkt_line.hpp"

#include <fmt/core.h>

#include <charconv>
#include <cstdio>

namespace trimtab {

namespace {

constexpr std::size_t length_digits = 4;
constexpr std::size_t max_line = 65520;  // including the length itself

}  // namespace

Error malformed_answer(const std::string& why) {
  return Error{Errc::invalid, "its answer is not in Git's format: " + why, {}};
}

Result<std::vector<PktLine>> parse_pkt_lines(std::string_view bytes) {
  std::vector<PktLine> lines;
  while (!bytes.empty()) {
    if (bytes.size() < length_digits) return malformed_answer("it ends within a length");
    std::size_t length = 0;
    const char* const digits_end = bytes.data() + length_digits;
    const auto [end, error] = std::from_chars(bytes.data(), digits_end, length, 16);
    if (error != std::errc() || end != digits_end) return malformed_answer("a length is no number");
    if (length < length_digits) {
      if (length > 2) return malformed_answer("a length that means nothing");
      constexpr PktLine::Kind special[] = {PktLine::Kind::flush, PktLine::Kind::delimiter,
                                           PktLine::Kind::response_end};
      lines.push_back({special[length], {}});
      bytes.remove_prefix(length_digits);
      continue;
    }
    if (length > max_line) return malformed_answer("a line is too long");
    if (length > bytes.size()) return malformed_answer("it ends within a line");
    std::string_view text = bytes.substr(length_digits, length - length_digits);
    if (text.ends_with('\n')) text.remove_suffix(1);
    lines.push_back({PktLine::Kind::data, text});
    bytes.remove_prefix(length);
  }
  return lines;
}

std::string pkt_line(std::string_view text) {
  char length[length_digits + 1];
  const auto bytes = static_cast<unsigned>(length_digits + text.size() + 1);
  std::snprintf(length, sizeof length, "%04x", bytes & 0xFFFFU);
  return fmt::format("{}{}\n", length, text);
}

}  // namespace trimtab
