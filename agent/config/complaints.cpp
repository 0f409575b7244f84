#include "agent/config/complaints.hpp"

#include <algorithm>
#include <string_view>

#include "agent/config/address.hpp"
#include "agent/config/load.hpp"
#include "agent/model/wanted_ref.hpp"
#include "common/text.hpp"

namespace trimtab {
namespace {

constexpr std::string_view lower_and_digits = "abcdefghijklmnopqrstuvwxyz0123456789";
constexpr std::string_view letters_and_digits =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

// Whether the text is a character of `first` followed by characters of `first` and `more`.
bool is_word(std::string_view text, std::string_view first, std::string_view more,
             std::size_t longest) {
  return !text.empty() && text.size() <= longest && first.find(text[0]) != first.npos &&
         std::all_of(text.begin(), text.end(), [&](char c) {
           return first.find(c) != first.npos || more.find(c) != more.npos;
         });
}

}  // namespace

std::string project_complaint(const std::string& text) {
  if (is_stack_name(text)) return {};
  return "expected a name of lower-case letters, digits, - and _, found " + in_quotes(text);
}

std::string profile_complaint(const std::string& text) {
  if (is_word(text, letters_and_digits, "_.-", 63)) return {};
  return "expected the name of a profile of the compose file, found " + in_quotes(text);
}

std::string service_complaint(const std::string& text) {
  if (is_word(text, letters_and_digits, "_.-", 255)) return {};
  return "expected the name of a service of the compose file, found " + in_quotes(text);
}

std::string username_complaint(const std::string& text) {
  // HTTP Basic authentication separates user name and password by a colon.
  if (text.find(':') == text.npos) return {};
  return "a user name cannot contain a colon; put the password into password_file";
}

std::string aws_profile_complaint(const std::string& text) {
  if (text.find_first_of("[]") == text.npos) return {};
  return "expected the name of a profile without brackets, found " + in_quotes(text);
}

std::string host_pattern_complaint(const std::string& text) {
  if (is_word(text, letters_and_digits, "", 1) || text == "*") return {};
  constexpr std::string_view allowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]";
  if (text.find_first_not_of(allowed) == text.npos) return {};
  return "expected a host, .DOMAIN or *, found " + in_quotes(text);
}

std::string group_complaint(const std::string& text) {
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
  if (is_word(text, letters, "0123456789.-", 32)) return {};
  return "expected the name of a group, found " + in_quotes(text);
}

// The characters that systemd.unit(5) allows in the name of a service.
std::string unit_complaint(const std::string& text) {
  constexpr std::string_view allowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:_.\\-";
  const bool is_service = text.ends_with(".service") && text.size() > 8 && text.size() < 256;
  if (text == "docker.service" || text == "trimtabd.service") {
    return text + " is not the stack's own: choose another `unit:`";
  }
  if (is_service && text.find_first_not_of(allowed) == text.npos) return {};
  return "expected the name of a service unit such as shop.service, found " + in_quotes(text);
}

// Compose would read a path with a leading "-" as an option or as standard input.
std::string relative_file_complaint(const std::string& text) {
  if (text.front() == '/') return "expected a path relative to the stack's directory";
  if (text.front() == '-') return "a path must not begin with -";
  if (has_parent_segment(text)) return "\"..\" is not allowed in a path";
  return {};
}

std::string ref_complaint(const std::string& text) {
  if (parse_ref(text)) return {};
  return "expected a branch such as production or a pattern of tags such as v*, found " +
         in_quotes(text);
}

bool is_stack_name(std::string_view text) {
  return is_word(text, lower_and_digits, "_-", 63);
}

}  // namespace trimtab
