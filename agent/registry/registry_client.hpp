// Registries over HTTPS, as the OCI distribution specification has it.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/registry/logins.hpp"
#include "agent/registry/registry.hpp"
#include "agent/registry/www_authenticate.hpp"
#include "common/async_mutex.hpp"
#include "common/http.hpp"

namespace trimtab {

struct RegistryClientOptions {
  std::filesystem::path docker_config;  // Docker's config.json, which need not exist
  // The folder whose HOST[:PORT]/ca.crt is trusted for that registry besides the system's store, as
  // the Engine does with /etc/docker/certs.d.
  std::filesystem::path certificates;
  std::vector<RegistrySettings> registries;
  http::Proxies proxies;
};

// Asks over one kept-alive connection a registry, one question at a time, 30 s at most for each.
// Registries on this host's loopback may speak plain HTTP, as the Engine allows them to.
class RegistryClient final : public Registry {
 public:
  explicit RegistryClient(RegistryClientOptions options);
  ~RegistryClient() override;

  // Other logins and proxies, from the next question on.
  void use(std::vector<RegistrySettings> registries, http::Proxies proxies);

  Task<Result<std::string>> digest_of(ImageReference reference) override;
  Task<Result<ImageManifest>> manifest_of(ImageReference reference, Platform host) override;
  Task<Result<std::optional<RegistryLogin>>> login_for(std::string registry) override;
  void forget_login(const std::string& registry) override;

  // Closes the connections, and the timers that would do so later and keep the loop running until
  // then. Call it when no question is in flight.
  void close();

 private:
  struct Server;
  class Use;
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
  static Task<Result<std::shared_ptr<AsyncMutex::Guard>>> take_turn(ServerPtr server);
  Task<Result<std::string>> ask_with_login(ServerPtr server, ImageReference reference);
  Task<Result<std::string>> ask_digest(ServerPtr server, ImageReference reference, Login login);
  Task<Result<ImageManifest>> ask_manifest(ServerPtr server, ImageReference reference,
                                           Platform host);
  // The bytes below `target`, which must be those of the digest.
  Task<Result<std::string>> get(ServerPtr server, ImageReference reference, std::string target,
                                std::string digest, Login login);
  // One question about the image, with the logins and tokens that it takes.
  Task<Result<Answer>> ask(ServerPtr server, http::Request request, ImageReference reference,
                           Login login);
  Task<Result<Answer>> ask_with(ServerPtr server, http::Request request, ImageReference reference,
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

  Logins logins_;
  std::filesystem::path certificates_;
  http::Proxies proxies_;
  std::map<std::string, ServerPtr> servers_;   // by registry
  std::map<std::string, CachedToken> tokens_;  // by realm, service, scope and login
};

}  // namespace trimtab
