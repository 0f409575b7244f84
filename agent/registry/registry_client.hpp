// Registries over HTTPS, as the OCI distribution specification has it.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "agent/registry/docker_config.hpp"
#include "agent/registry/registry.hpp"
#include "agent/registry/www_authenticate.hpp"
#include "common/http.hpp"

namespace trimtab {

// Asks over one kept-alive connection a registry, one question at a time, 30 s at most for each.
// Registries on this host's loopback may speak plain HTTP, as the Engine allows them to.
class RegistryClient final : public Registry {
 public:
  // `docker_config`: Docker's config.json, which need not exist. `certificates`: the folder whose
  // HOST[:PORT]/ca.crt is trusted for that registry besides the system's store, as the Engine does
  // with /etc/docker/certs.d.
  RegistryClient(std::filesystem::path docker_config, std::filesystem::path certificates);
  ~RegistryClient() override;

  Task<Result<std::string>> digest_of(ImageReference reference) override;
  Result<std::optional<RegistryLogin>> login_for(const std::string& registry) override;

  // Closes the connections, and the timers that would do so later and keep the loop running until
  // then. Call it when no question is in flight.
  void close();

 private:
  struct Server;
  class Turn;
  using ServerPtr = std::shared_ptr<Server>;
  using Login = std::optional<RegistryLogin>;

  // The Authorization header of a request. `fresh`: it was just made from the login, so that a
  // refusal is the last word; else it is none, or one from the cache under `token_key`.
  struct Authorization {
    std::string header;
    bool fresh = false;
    std::string token_key;
  };
  struct Answer {
    http::Response response;
    std::string authorization;  // the header that it answers to
  };
  struct CachedToken {
    std::string text;
    SteadyClock::time_point use_until;
  };

  Result<ServerPtr> server_for(const std::string& registry, const asio::any_io_executor& executor);
  Task<Result<std::string>> ask_in_turn(ServerPtr server, ImageReference reference);
  Task<Result<std::string>> ask_digest(ServerPtr server, ImageReference reference, Login login);
  // One question for the manifest, with the logins and tokens that it takes.
  Task<Result<Answer>> ask(ServerPtr server, std::string method, ImageReference reference,
                           Login login);
  Task<Result<Authorization>> authorize(ServerPtr server, ImageReference reference, Login login);
  Task<Result<Authorization>> get_token(ServerPtr server, ImageReference reference,
                                        Challenge challenge, Login login);
  // One request, redirects followed.
  Task<Result<http::Response>> exchange(ServerPtr server, http::Request request);
  Task<Result<http::Response>> exchange_here(ServerPtr server, http::Request request);
  Task<Result<http::Response>> send(ServerPtr server, http::Request request);
  // The PEM file that is trusted for the registry; "" if there is none.
  [[nodiscard]] std::string ca_file(const std::string& registry) const;

  DockerConfigFile docker_config_;
  std::filesystem::path certificates_;
  std::map<std::string, ServerPtr> servers_;   // by registry
  std::map<std::string, CachedToken> tokens_;  // by realm, service, scope and login
};

}  // namespace trimtab
