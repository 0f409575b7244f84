#include "agent/compose/env_file.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "common/text.hpp"

namespace trimtab {
namespace {

bool is_variable_character(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool is_name(std::string_view text) {
  constexpr std::string_view more = ".-[]";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return is_variable_character(c) || more.find(c) != std::string_view::npos;
  });
}

std::size_t closing_quote(std::string_view text, std::size_t from, char quote) {
  for (std::size_t at = from; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == quote) {
      return at;
    }
  }
  return std::string_view::npos;
}

std::size_t end_of_line(std::string_view text, std::size_t from) {
  return std::min(text.find('\n', from), text.size());
}

// Parses the value at `at` and returns where the next line begins.
std::size_t read_value(std::string_view text, std::size_t at, EnvEntry& entry) {
  while (at < text.size() && (text[at] == ' ' || text[at] == '\t')) ++at;
  if (at < text.size() && (text[at] == '"' || text[at] == '\'')) {
    entry.quote = text[at];
    const std::size_t end = closing_quote(text, at + 1, entry.quote);
    entry.closed = end != std::string_view::npos;
    entry.value = std::string(text.substr(at + 1, entry.closed ? end - at - 1 : text.size()));
    return entry.closed ? end_of_line(text, end) + 1 : text.size();
  }
  const std::size_t end = end_of_line(text, at);
  std::string_view value = text.substr(at, end - at);
  if (const std::size_t comment = value.find(" #"); comment != std::string_view::npos) {
    value = value.substr(0, comment);
  }
  entry.value = std::string(trim(value));
  return end + 1;
}

}  // namespace

bool uses_variable(std::string_view value, const std::string& variable) {
  for (std::size_t at = value.find('$'); at != std::string_view::npos;
       at = value.find('$', at + 1)) {
    std::string_view rest = value.substr(at + 1);
    if (!rest.empty() && rest.front() == '{') rest.remove_prefix(1);
    if (!rest.starts_with(variable)) continue;
    rest.remove_prefix(variable.size());
    if (rest.empty() || !is_variable_character(rest.front())) return true;
  }
  return false;
}

namespace {

// Whether the value contains a `${` that Compose 2 cannot parse as a variable.
bool has_bad_template(std::string_view value) {
  for (std::size_t at = value.find("${"); at != std::string_view::npos;
       at = value.find("${", at + 1)) {
    const std::string_view rest = value.substr(at + 2);
    const auto end = std::find_if_not(rest.begin(), rest.end(), is_variable_character);
    const std::size_t length = static_cast<std::size_t>(end - rest.begin());
    constexpr std::string_view after_name = "}:-?+";
    const bool ends_well = length > 0 && length < rest.size() &&
                           after_name.find(rest[length]) != std::string_view::npos;
    if (!ends_well || rest.find('}') == std::string_view::npos) return true;
  }
  return false;
}

}  // namespace

std::vector<EnvEntry> read_env_file(std::string_view text) {
  std::vector<EnvEntry> entries;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = end_of_line(text, at);
    const std::string_view line = trim(text.substr(at, end - at));
    if (line.empty() || line.front() == '#') {
      at = end + 1;
      continue;
    }
    EnvEntry entry;
    entry.line = 1 + static_cast<int>(std::count(
                         text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
    const std::size_t equals = text.find('=', at);
    std::string_view name = equals < end ? trim(text.substr(at, equals - at)) : std::string_view();
    if (name.starts_with("export ")) name = trim(name.substr(7));
    if (!is_name(name)) {
      entry.value = std::string(line);
      at = end + 1;
    } else {
      entry.name = std::string(name);
      at = read_value(text, equals + 1, entry);
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

namespace {

// Returns the position of the brace that closes the one opened before `text`; npos if there is
// none.
std::size_t closing_brace(std::string_view text) {
  int open = 1;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '{') ++open;
    if (text[at] == '}' && --open == 0) return at;
  }
  return std::string_view::npos;
}

// Returns the value of ${inner}, where `inner` is NAME, NAME:-default and so on.
std::optional<std::string> fill_in(std::string_view inner,
                                   const std::map<std::string, std::string>& variables) {
  const auto end = std::find_if_not(inner.begin(), inner.end(), is_variable_character);
  const std::string name(inner.begin(), end);
  std::string_view rest = inner.substr(name.size());
  const auto found = variables.find(name);
  if (name.empty()) return std::nullopt;
  if (rest.empty()) return found == variables.end() ? std::string() : found->second;
  const bool empty_is_unset = rest.front() == ':';
  if (empty_is_unset) rest.remove_prefix(1);
  if (rest.empty()) return std::nullopt;
  const bool is_set = found != variables.end() && !(empty_is_unset && found->second.empty());
  const char how = rest.front();
  rest.remove_prefix(1);
  if (how == '-') return is_set ? found->second : interpolate(rest, variables);
  if (how == '+') return is_set ? interpolate(rest, variables) : std::string();
  if (how == '?' && is_set) return found->second;
  return std::nullopt;
}

}  // namespace

std::optional<std::string> interpolate(std::string_view text,
                                       const std::map<std::string, std::string>& variables) {
  std::string filled;
  for (std::size_t at = text.find('$'); at != std::string_view::npos; at = text.find('$')) {
    filled += text.substr(0, at);
    text.remove_prefix(at + 1);
    if (text.starts_with('$')) {
      filled += '$';
      text.remove_prefix(1);
      continue;
    }
    std::string_view inner;
    std::size_t length = 0;
    if (text.starts_with('{')) {
      const std::size_t end = closing_brace(text.substr(1));
      if (end == std::string_view::npos) return std::nullopt;
      inner = text.substr(1, end);
      length = end + 2;
    } else {
      const auto end = std::find_if_not(text.begin(), text.end(), is_variable_character);
      length = static_cast<std::size_t>(end - text.begin());
      inner = text.substr(0, length);
    }
    const std::optional<std::string> value = fill_in(inner, variables);
    if (!value) return std::nullopt;
    filled += *value;
    text.remove_prefix(length);
  }
  return filled + std::string(text);
}

std::optional<EnvFileProblem> problem_in_env_file(std::string_view text) {
  for (const EnvEntry& entry : read_env_file(text)) {
    const std::string where = fmt::format("line {}: ", entry.line);
    if (!entry.closed) {
      return EnvFileProblem{
          fmt::format("{}the quote before the value of {} is not closed", where, entry.name),
          fmt::format("close it; put a value that contains quotes in single quotes: {}='…'",
                      entry.name)};
    }
    if (entry.quote != '\'' && has_bad_template(entry.value)) {
      return EnvFileProblem{
          fmt::format("{}the $ in the value of {} begins a variable", where, entry.name),
          fmt::format("write the value in single quotes: {}='…'", entry.name)};
    }
    // A name without a value takes its value from the environment.
    if (entry.name.empty() && !is_name(entry.value)) {
      return EnvFileProblem{where + "it is not KEY=value",
                            "write it as KEY=value, or make it a comment with #"};
    }
  }
  return std::nullopt;
}

std::optional<EnvEntry> entry_that_uses(std::string_view text, const std::string& variable) {
  for (EnvEntry& entry : read_env_file(text)) {
    if (entry.quote != '\'' && uses_variable(entry.value, variable)) return std::move(entry);
  }
  return std::nullopt;
}

}  // namespace trimtab
