#include "agent/registry/docker_config.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace trimtab::fuzz {

void run(std::string_view input) {
  const auto config = parse_json(input);
  if (!config) return;
  for (const char* registry : {"docker.io", "ghcr.io"}) {
    const auto login = find_login(*config, registry);
    if (login && login->has_value()) require(!(*login)->username.empty());
    if (!login) require(login.error().code == Errc::invalid && !login.error().message.empty());
  }
}

}  // namespace trimtab::fuzz
