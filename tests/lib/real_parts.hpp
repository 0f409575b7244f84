// The real parts that tests/lib/parts run has started.
#pragma once

#include <cstdlib>
#include <stdexcept>
#include <string>

#include "common/http_client.hpp"
#include "tests/lib/loop.hpp"

namespace trimtab::test {

// Where one of them is. Throws where its variable is not set.
inline std::string setting(const std::string& name) {
  const char* const value = std::getenv(name.c_str());
  if (value == nullptr) throw std::runtime_error(name + " is not set");
  return value;
}

// What the registry says that the tag is. Throws where it does not answer.
inline std::string digest_of(const std::string& repository, const std::string& tag) {
  const std::string registry = setting("TRIMTAB_TEST_REGISTRY");
  http::Endpoint endpoint;
  endpoint.host = registry.substr(0, registry.find(':'));
  endpoint.port = static_cast<std::uint16_t>(std::stoi(registry.substr(registry.find(':') + 1)));
  http::Request request;
  request.method = "HEAD";
  request.target = "/v2/" + repository + "/manifests/" + tag;
  request.headers.emplace_back("Accept", "application/vnd.docker.distribution.manifest.v2+json");
  asio::io_context loop(1);
  http::Connection connection(endpoint);
  auto answer = await(loop, connection.exchange(request, http::Limits{}));
  if (!answer) throw std::runtime_error(answer.error().text());
  return std::string(answer->header("Docker-Content-Digest"));
}

}  // namespace trimtab::test
