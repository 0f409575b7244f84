// A new stack's file: proposes its values and generates its text. Pure.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/config/settings.hpp"

namespace trimtab::cli {

inline constexpr const char* example_env_file = ".env.example";

// Derives a stack name from a repository's address: "shop" from git@github.com:acme/Shop.git. Empty
// if no part of it is a valid name.
std::string propose_name(std::string_view url);

// Returns the paths that look like Compose files, least nested first.
std::vector<std::string> compose_files_of(const std::vector<std::string>& paths);

// Proposes the Compose files that a server should run: the one for production, preceded by the base
// file if it does not stand alone; else Compose's default file; else the first. `texts`: contents,
// as far as known.
std::vector<std::string> propose_compose(const std::vector<std::string>& compose_files,
                                         const std::map<std::string, std::string>& texts);

// Whether Compose would use exactly this file by default.
bool is_usual_compose(const std::vector<std::string>& chosen,
                      const std::vector<std::string>& compose_files);

// Returns the keys of an .env file in file order.
std::vector<std::string> env_keys(std::string_view text);

// Returns the text of stacks.d/NAME.yaml: values that differ from the defaults, and hints. Omits
// `known_hosts` if it is the default.
std::string stack_file_text(const StackSettings& stack);

}  // namespace trimtab::cli
