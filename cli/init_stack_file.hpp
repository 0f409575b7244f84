// The file of a new stack: what is proposed for it, and its text. Plain functions.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/config/settings.hpp"

namespace trimtab::cli {

inline constexpr const char* example_env_file = ".env.example";

// A stack's name out of a repository's address: "shop" of git@github.com:acme/Shop.git. Empty where
// nothing of it can be one.
std::string propose_name(std::string_view url);

// The paths that are named like compose files, those in the fewest folders first.
std::vector<std::string> compose_files_of(const std::vector<std::string>& paths);

// Which of the compose files a server runs: that for production, with the one it adds to in front
// where it does not stand alone; else the one that Compose would take; else the first. `texts` are
// theirs, as far as they are known.
std::vector<std::string> propose_compose(const std::vector<std::string>& compose_files,
                                         const std::map<std::string, std::string>& texts);

// Whether Compose would take this file and no other if none were named.
bool is_usual_compose(const std::vector<std::string>& chosen,
                      const std::vector<std::string>& compose_files);

// The keys of an .env file, in its order.
std::vector<std::string> env_keys(std::string_view text);

// The text of stacks.d/NAME.yaml: what differs from the defaults, and hints. `known_hosts` is left
// out where it is the usual one.
std::string stack_file_text(const StackSettings& stack);

}  // namespace trimtab::cli
