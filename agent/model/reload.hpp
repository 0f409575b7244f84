// How a service picks up new files and addresses without a restart: `x-trimtab: {reload: {check:
// […], signal: …}}` in the Compose file.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/json.hpp"

namespace trimtab {

struct Reload {
  std::vector<std::string> check;  // argv, run in the container first; empty: no check
  // argv, run in the container. If it is empty or fails, the signal is sent to the first process.
  std::vector<std::string> command;
  std::string signal;  // without "SIG", as the Engine accepts it: HUP, USR1
  bool files = true;   // a reload suffices when a mounted file has changed
};

// Whether Docker knows the signal, with or without the prefix "SIG".
bool is_signal_name(std::string_view name);

// Returns the service's `x-trimtab` reload settings. By default nginx, recognised by the last
// component of its image's name or by a command that begins with nginx, is checked with `nginx -t`
// and reloaded with `nginx -s reload`, because the first process may be a shell; but not for files
// if it generates its configuration from templates at start. Nothing for any other service.
std::optional<Reload> reload_of(const Json& service);

}  // namespace trimtab
