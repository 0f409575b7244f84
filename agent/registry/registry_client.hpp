// Registry over HTTPS, according to the OCI distribution specification.
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
  std::filesystem::path docker_config;  // Docker's config.json, may be missing
  // The directory whose HOST[:PORT]/ca.crt is trusted for that registry in addition to the system's
  // certificates, like the Engine's /etc/docker/certs.d.
  std::filesystem::path certificates;
  std::vector<RegistrySettings> registries;
  http::Proxies proxies;
};

// Keeps one connection per registry alive and sends one request at a time on it, with a timeout of
// 30 s each. Registries on this host's loopback may use plain HTTP, as with the Engine.
//
// More than 15 members: requests, authentication and backoff share the one connection per registry.
class RegistryClient final : public Registry {
 public:
  explicit RegistryClient(RegistryClientOptions options);
  ~RegistryClient() override;

  // Replaces logins and proxies, from the next request on.
  void use(std::vector<RegistrySettings> registries, http::Proxies proxies);

  Task<Result<std::string>> digest_of(ImageReference reference) override;
  Task<Result<ImageManifest>> manifest_of(ImageReference reference, Platform host) override;
  Task<Result<std::optional<RegistryLogin>>> login_for(std::string registry) override;
  void forget_login(const std::string& registry) override;

  // Closes the connections and cancels their idle timers, which would keep the event loop running.
  // Call it when no request is in flight.
  void close();

 private:
  struct Server;
  class Use;
  using ServerPtr = std::shared_ptr<Server>;
  using Login = std::optional<RegistryLogin>;

  // The Authorization header of a request. If `fresh`, it was just created from the login, so that
  // a refusal is final. Otherwise it is empty or comes from the cache under `token_key`.
  struct Authorization {
    std::string header;
    bool fresh = false;
    std::string token_key;
  };
  struct Answer {
    http::Response response;
    std::string authorization;  // header that the request was sent with
  };
  struct CachedToken {
    std::string text;
    SteadyClock::time_point use_until;
  };

  Result<ServerPtr> server_for(const std::string& registry, const asio::any_io_executor& executor);
  static Task<Result<std::shared_ptr<AsyncMutex::Guard>>> acquire_slot(ServerPtr server);
  Task<Result<std::string>> ask_with_login(ServerPtr server, ImageReference reference);
  Task<Result<std::string>> ask_digest(ServerPtr server, ImageReference reference, Login login);
  Task<Result<ImageManifest>> ask_manifest(ServerPtr server, ImageReference reference,
                                           Platform host);
  // Returns the body of `target` after verifying that it has the digest.
  Task<Result<std::string>> get(ServerPtr server, ImageReference reference, std::string target,
                                std::string digest, Login login);
  // Sends one request about the image, authenticating as necessary.
  Task<Result<Answer>> ask(ServerPtr server, http::Request request, ImageReference reference,
                           Login login);
  Task<Result<Answer>> ask_with(ServerPtr server, http::Request request, ImageReference reference,
                                Login login);
  Task<Result<Authorization>> authorize(ServerPtr server, ImageReference reference, Login login);
  Task<Result<Authorization>> get_token(ServerPtr server, ImageReference reference,
                                        Challenge challenge, Login login);
  // Sends one request and follows redirects.
  Task<Result<http::Response>> exchange(ServerPtr server, http::Request request);
  Task<Result<http::Response>> exchange_here(ServerPtr server, http::Request request);
  Task<Result<http::Response>> send(ServerPtr server, http::Request request);
  // PEM file trusted for the registry; "" if there is none.
  [[nodiscard]] std::string ca_file(const std::string& registry) const;

  Logins logins_;
  std::filesystem::path certificates_;
  http::Proxies proxies_;
  std::map<std::string, ServerPtr> servers_;   // by registry
  std::map<std::string, CachedToken> tokens_;  // by realm, service, scope and login
};

}  // namespace trimtab
