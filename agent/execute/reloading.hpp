// Has a running service read its files again, and look up its addresses again.
#pragma once

#include <string>
#include <vector>

#include "agent/docker/docker.hpp"
#include "agent/model/release.hpp"
#include "agent/model/reload.hpp"

namespace trimtab {

// The containers that pass requests on to `service`: they run, their service depends on it and can
// be reloaded. With how that is done.
struct Proxy {
  Container container;
  Reload reload;
};
std::vector<Proxy> proxies_of(const Rendering& rendering, const std::vector<Container>& containers,
                              const std::string& service);

// Runs the check in the container, then sends the signal. invalid, with the check's own last words,
// where it says no: then nothing was sent.
Task<Result<void>> reload_container(Docker& docker, Container container, Reload reload);

// Of an error that a check ended with: "nginx -t: exited with 1: …".
Error check_error(const std::string& service, const Reload& reload, int exit_code,
                  const std::string& output);

}  // namespace trimtab
