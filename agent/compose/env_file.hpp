// An env file as Compose reads it, as far as people have to be told of it. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trimtab {

struct EnvEntry {
  int line = 0;        // that it begins in, from 1
  std::string name;    // "" if the line is no KEY=value
  std::string value;   // as written, without its quotes; the line itself if there is no name
  char quote = '\0';   // that the value is written in; '\0': none
  bool closed = true;  // false: the quote is opened and not closed
};

// Never fails: what Compose would refuse is an entry, too.
std::vector<EnvEntry> read_env_file(std::string_view text);

// `text` with its variables filled in as Compose does it; nothing if one that must be set is not,
// or if it cannot be read.
std::optional<std::string> interpolate(std::string_view text,
                                       const std::map<std::string, std::string>& variables);

// Why Compose cannot read an env file, such as "line 3: a quote is opened and not closed". It never
// contains a value.
struct EnvFileProblem {
  std::string what;
  std::string hint;
};
std::optional<EnvFileProblem> problem_in_env_file(std::string_view text);

// Whether $NAME or ${NAME… stands in it.
bool uses_variable(std::string_view text, const std::string& name);

// The entry in whose value `$` begins the variable: Compose 2 fills it in unless the value is in
// single quotes.
std::optional<EnvEntry> entry_that_uses(std::string_view text, const std::string& variable);

}  // namespace trimtab
