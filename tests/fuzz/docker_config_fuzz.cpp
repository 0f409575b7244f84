#include "agent/registry/docker_config.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace trimtab::fuzz {

void run(std::string_view input) {
  const auto config = parse_json(input);
  if (!config) return;
  for (const char* registry : {"docker.io", "ghcr.io"}) {
    const auto stored = find_login(*config, registry);
    if (stored && stored->login)
      require(!stored->login->username.empty() || !stored->login->identity_token.empty());
    if (!stored) require(stored.error().code == Errc::invalid && !stored.error().message.empty());
  }
}

}  // namespace trimtab::fuzz
