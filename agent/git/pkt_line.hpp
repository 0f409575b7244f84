// Frames of Git's wire protocol: gitprotocol-common(5), and gitprotocol-v2(5) for the special
// packets. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace trimtab {

struct PktLine {
  enum class Kind { data, flush, delimiter, response_end };
  Kind kind = Kind::data;
  std::string_view text;  // payload without a trailing newline; borrows from the input

  friend bool operator==(const PktLine&, const PktLine&) = default;
};

// Parses all the frames of a message. invalid if it is truncated or malformed.
Result<std::vector<PktLine>> parse_pkt_lines(std::string_view bytes);

// The error for an answer that is not in Git's format. `why` completes it.
Error malformed_answer(const std::string& why);

// Encodes a data frame of `text` and a newline. `text` must be shorter than about 65,000 bytes.
std::string pkt_line(std::string_view text);

constexpr std::string_view flush_pkt = "0000";
constexpr std::string_view delimiter_pkt = "0001";

}  // namespace trimtab
