// Parses env files as Compose does, as far as messages to the user need it. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trimtab {

struct EnvEntry {
  int line = 0;        // line on which the entry begins, from 1
  std::string name;    // "" if the line is not KEY=value
  std::string value;   // as written but without quotes; the whole line if there is no name
  char quote = '\0';   // quote around the value; '\0': none
  bool closed = true;  // false: the closing quote is missing
};

// Never fails: a line that Compose would reject becomes an entry too.
std::vector<EnvEntry> read_env_file(std::string_view text);

// Returns `text` with its variables substituted as Compose does; nothing if a required variable is
// not set or the text cannot be parsed.
std::optional<std::string> interpolate(std::string_view text,
                                       const std::map<std::string, std::string>& variables);

// Why Compose cannot parse an env file, such as "line 3: a quote is opened and not closed". Never
// contains a value.
struct EnvFileProblem {
  std::string what;
  std::string hint;
};
std::optional<EnvFileProblem> problem_in_env_file(std::string_view text);

// Whether the text contains $NAME or ${NAME….
bool uses_variable(std::string_view text, const std::string& name);

// Returns the entry whose value references the variable with `$`: Compose 2 substitutes it unless
// the value is in single quotes.
std::optional<EnvEntry> entry_that_uses(std::string_view text, const std::string& variable);

}  // namespace trimtab
