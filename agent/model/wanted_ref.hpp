// The branch or the tags that a stack follows.
#pragma once

#include <string>
#include <string_view>

#include "common/result.hpp"

namespace trimtab {

inline constexpr std::string_view heads_prefix = "refs/heads/";
inline constexpr std::string_view tags_prefix = "refs/tags/";

// What a stack follows: a branch, or the newest of the tags that match a pattern.
struct WantedRef {
  bool is_tag = false;
  std::string name;  // the branch, or the pattern; without refs/heads/ or refs/tags/

  [[nodiscard]] bool matches_tag(const std::string& tag) const;
  // How all the refs that it may mean begin: refs/heads/production, refs/tags/v for v*.
  [[nodiscard]] std::string prefix() const;
};

// A branch name (production, refs/heads/production), or a tag pattern: with * or ? in it, or behind
// refs/tags/. invalid where Git would not take it as a name.
Result<WantedRef> parse_ref(std::string_view text);

}  // namespace trimtab
