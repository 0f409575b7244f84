// The frames of Git's wire protocol: gitprotocol-common(5), and gitprotocol-v2(5) for the special
// ones. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace trimtab {

struct PktLine {
  enum class Kind { data, flush, delimiter, response_end };
  Kind kind = Kind::data;
  std::string_view text;  // of data, without a newline at its end; lives as long as the input

  friend bool operator==(const PktLine&, const PktLine&) = default;
};

// All the frames of a message; invalid where it is torn or no such thing.
Result<std::vector<PktLine>> parse_pkt_lines(std::string_view bytes);

// An answer that is not in Git's format, and why.
Error malformed_answer(const std::string& why);

// A data frame of `text` and a newline. The text is at most some 65 thousand bytes.
std::string pkt_line(std::string_view text);

constexpr std::string_view flush_pkt = "0000";
constexpr std::string_view delimiter_pkt = "0001";

}  // namespace trimtab
