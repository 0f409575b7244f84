// Registry over HTTPS, according to the OCI distribution specification.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/model/registry_routes.hpp"
#include "agent/registry/logins.hpp"
#include "agent/registry/registry.hpp"
#include "agent/registry/registry_servers.hpp"
#include "agent/registry/www_authenticate.hpp"
#include "common/async_mutex.hpp"
#include "common/http.hpp"
#include "common/tls_trust.hpp"

namespace trimtab {

struct RegistryClientOptions {
  std::filesystem::path docker_config;  // Docker's config.json, may be missing
  // The directory whose HOST[:PORT] has what is trusted for that registry in addition to the
  // system's certificates (*.crt), and what is shown to it (*.cert with *.key): the Engine's
  // /etc/docker/certs.d.
  std::filesystem::path certificates;
  std::vector<RegistrySettings> registries;
  http::Proxies proxies;
};

// Keeps one connection per registry alive and sends one request at a time on it, with a timeout of
// 30 s each. Registries on this host's loopback may use plain HTTP, as with the Engine.
//
// More than 15 members: each step of asking and of authenticating is a coroutine of its own.
class RegistryClient final : public Registry {
 public:
  explicit RegistryClient(RegistryClientOptions options);

  // Replaces logins and proxies, from the next request on.
  void use(std::vector<RegistrySettings> registries, http::Proxies proxies);

  // Follows the Engine's ways from the next request on.
  void follow(RegistryRoutes routes);

  Task<Result<std::string>> digest_of(ImageReference reference) override;
  Task<Result<std::string>> image_digest(ImageReference reference, Platform wanted) override;
  Task<Result<ImageManifest>> manifest_of(ImageReference reference, Platform wanted) override;
  Task<Result<std::optional<RegistryLogin>>> login_for(std::string registry) override;
  void forget_login(const std::string& registry) override;

  // Closes the connections and cancels their idle timers, which would keep the event loop running.
  // Call it when no request is in flight.
  void close();

 private:
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

  // Asks the mirrors of the reference's registry, if it has any, and then itself.
  template <class Answered>
  Task<Result<Answered>> ask_servers(ImageReference reference,
                                     std::function<Task<Result<Answered>>(RegistryServerPtr)> ask);
  static Task<Result<std::shared_ptr<AsyncMutex::Guard>>> acquire_slot(RegistryServerPtr server);
  // Runs the request once the requests before it are done.
  template <class Answered>
  static Task<Result<Answered>> in_turn(RegistryServerPtr server, std::string what,
                                        Task<Result<Answered>> asked);
  Task<Result<std::string>> ask_with_login(RegistryServerPtr server, ImageReference reference);
  Task<Result<std::string>> ask_digest(RegistryServerPtr server, ImageReference reference,
                                       Login login);
  // The image of an index for a platform; with its manifest, if that was there already.
  struct ChosenImage {
    std::string digest;
    std::string manifest;
  };
  Task<Result<ChosenImage>> choose_image(RegistryServerPtr server, ImageReference reference,
                                         Platform wanted, Login login);
  Task<Result<std::string>> ask_image_digest(RegistryServerPtr server, ImageReference reference,
                                             Platform wanted);
  Task<Result<ImageManifest>> ask_manifest(RegistryServerPtr server, ImageReference reference,
                                           Platform wanted);
  // Returns the body of `target` after verifying that it has the digest.
  Task<Result<std::string>> get(RegistryServerPtr server, ImageReference reference,
                                std::string target, std::string digest, Login login);
  // Sends one request about the image, authenticating as necessary.
  Task<Result<Answer>> ask(RegistryServerPtr server, http::Request request,
                           ImageReference reference, Login login);
  Task<Result<Answer>> ask_with(RegistryServerPtr server, http::Request request,
                                ImageReference reference, Login login);
  Task<Result<Authorization>> authorize(RegistryServerPtr server, ImageReference reference,
                                        Login login);
  Task<Result<Authorization>> get_token(RegistryServerPtr server, ImageReference reference,
                                        Challenge challenge, Login login);
  Logins logins_;
  RegistryServers servers_;
  std::map<std::string, CachedToken> tokens_;  // by realm, service, scope and login
};

}  // namespace trimtab
