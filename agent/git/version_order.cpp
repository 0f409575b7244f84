#include "agent/git/version_order.hpp"

#include <compare>

#include "common/number.hpp"

namespace trimtab {

namespace {

// Removes the leading digits and returns them without leading zeros; as text, since they may not
// fit an integer.
std::string_view take_number(std::string_view& text) {
  std::size_t length = 0;
  while (length < text.size() && is_digit(text[length])) ++length;
  std::string_view number = text.substr(0, length);
  text.remove_prefix(length);
  while (number.size() > 1 && number.front() == '0') number.remove_prefix(1);
  return number;
}

std::strong_ordering compare(std::string_view a, std::string_view b) {
  while (!a.empty() && !b.empty()) {
    if (is_digit(a.front()) && is_digit(b.front())) {
      const std::string_view left = take_number(a);
      const std::string_view right = take_number(b);
      if (const auto order = left.size() <=> right.size(); order != 0) return order;
      if (const auto order = left <=> right; order != 0) return order;
      continue;
    }
    if (a.front() != b.front()) {
      // v2.0-rc1 compared with v2.0.1
      if (a.front() == '-') return std::strong_ordering::less;
      if (b.front() == '-') return std::strong_ordering::greater;
      return a.front() <=> b.front();
    }
    a.remove_prefix(1);
    b.remove_prefix(1);
  }
  if (a.empty() && b.empty()) return std::strong_ordering::equal;
  const bool prerelease = (a.empty() ? b : a).front() == '-';
  return a.empty() == prerelease ? std::strong_ordering::greater : std::strong_ordering::less;
}

}  // namespace

bool is_older_version(std::string_view a, std::string_view b) {
  const auto order = compare(a, b);
  // v1.01 and v1.1 are the same version; any order will do as long as it is stable.
  return order == 0 ? a < b : order < 0;
}

}  // namespace trimtab
