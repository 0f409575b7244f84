#include "agent/model/wanted_ref.hpp"

#include <fmt/core.h>
#include <fnmatch.h>

#include <algorithm>

#include "common/text.hpp"

namespace trimtab {
namespace {

constexpr std::size_t max_ref = 255;

bool is_control_or_space(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte <= 0x20 || byte == 0x7F;
}

// Checks a branch or tag name against git-check-ref-format(1); `pattern` allows its wildcards.
bool is_ref_name(std::string_view name, bool pattern) {
  if (name.empty() || name.size() > max_ref || name.front() == '-' || name == "@" ||
      name == "HEAD" || name.ends_with('.') ||
      std::any_of(name.begin(), name.end(), is_control_or_space) ||
      name.find("..") != std::string_view::npos || name.find("@{") != std::string_view::npos ||
      // Git accepts the characters in the second row, but no real branch has them.
      name.find_first_of(pattern ? "~^:[\\" : "~^:[\\*?") != std::string_view::npos ||
      name.find_first_of(";|&$`'\"<>") != std::string_view::npos) {
    return false;
  }
  for (const std::string& part : split(name, '/')) {
    if (part.empty() || part.front() == '.' || part.ends_with(".lock")) return false;
  }
  return true;
}

}  // namespace

bool WantedRef::matches_tag(const std::string& tag) const {
  return ::fnmatch(name.c_str(), tag.c_str(), FNM_NOESCAPE) == 0;
}

std::string WantedRef::prefix() const {
  if (!is_tag) return std::string(heads_prefix) + name;
  return std::string(tags_prefix) + name.substr(0, name.find_first_of("*?"));
}

Result<WantedRef> parse_ref(std::string_view text) {
  WantedRef wanted;
  std::string_view name = text;
  if (name.starts_with(tags_prefix)) {
    wanted.is_tag = true;
    name.remove_prefix(tags_prefix.size());
  } else if (name.starts_with(heads_prefix)) {
    name.remove_prefix(heads_prefix.size());
  } else {
    wanted.is_tag = name.find_first_of("*?") != std::string_view::npos;
  }
  if (!is_ref_name(name, wanted.is_tag) || name.starts_with("refs/")) {
    return Error{
        Errc::invalid,
        fmt::format("git.ref: \"{}\" is neither the name of a branch nor a pattern of tags",
                    printable(text.substr(0, max_ref))),
        "write for example production, or v*"};
  }
  wanted.name = name;
  return wanted;
}

}  // namespace trimtab
