// How a service takes new files and new addresses without being restarted: `x-trimtab: {reload:
// {check: […], signal: …}}` of the compose file.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/json.hpp"

namespace trimtab {

struct Reload {
  std::vector<std::string> check;  // argv, run in the container beforehand; empty: none
  // argv, run in the container; where it fails, or is empty, the signal is sent to its first
  // process.
  std::vector<std::string> command;
  std::string signal;  // as the Engine takes it, without "SIG": HUP, USR1
  bool files = true;   // it is enough where a mounted file changed
};

// Whether Docker knows a signal of that name, with "SIG" in front or without.
bool is_signal_name(std::string_view name);

// What the service's `x-trimtab` says. Without it nginx, known by the last part of its image's name
// or by a command that begins with nginx, is checked with `nginx -t` and told by `nginx -s reload`,
// since a shell may be the first process; not for files if it makes its configuration from
// templates when it starts. None for any other service.
std::optional<Reload> reload_of(const Json& service);

}  // namespace trimtab
