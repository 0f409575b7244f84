// Which ref of its repository a stack follows.
#pragma once

#include <string>
#include <string_view>

#include "common/result.hpp"

namespace trimtab {

inline constexpr std::string_view heads_prefix = "refs/heads/";
inline constexpr std::string_view tags_prefix = "refs/tags/";

// The branch that a stack follows, or the pattern of tags of which it follows the highest version.
struct WantedRef {
  bool is_tag = false;
  std::string name;  // branch or pattern, without refs/heads/ or refs/tags/

  [[nodiscard]] bool matches_tag(const std::string& tag) const;
  // Returns the common prefix of all matching refs: refs/heads/production, refs/tags/v for v*.
  [[nodiscard]] std::string prefix() const;
};

// Parses a branch name (production, refs/heads/production) or a tag pattern, which contains * or ?
// or begins with refs/tags/. invalid if Git would reject it as a name.
Result<WantedRef> parse_ref(std::string_view text);

}  // namespace trimtab
