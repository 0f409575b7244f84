// The servers that images come from, the registries and their mirrors, and the ways to them.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/model/registry_routes.hpp"
#include "agent/registry/www_authenticate.hpp"
#include "common/async_mutex.hpp"
#include "common/http.hpp"
#include "common/http_client.hpp"
#include "common/tls_trust.hpp"

namespace trimtab {

// State of one server, shared with the handlers of its timers.
struct RegistryServer {
  explicit RegistryServer(const asio::any_io_executor& executor) : turn(executor), idle(executor) {}

  std::string registry;
  http::Endpoint endpoint;
  bool may_be_plain = false;    // without TLS: on the loopback, or insecure
  bool is_insecure = false;     // its certificate is not checked either
  bool security_known = false;  // whether it is
  bool scheme_known = false;  // endpoint.tls is what worked last time, or what a mirror's URL says
  // A mirror that does not answer is left out until then.
  SteadyClock::time_point skipped_until = SteadyClock::time_point::min();
  std::optional<http::Connection> connection;
  bool head_works = false;
  // By repository: the time until which HEAD is not tried because it returned no digest.
  std::map<std::string, SteadyClock::time_point> get_until;
  std::map<std::string, Challenge> challenges;  // last one, by repository
  // For a registry without HEAD: identifies an unchanged manifest, by target.
  struct Validator {
    std::string etag;
    std::string digest;
  };
  std::map<std::string, Validator> validators;
  // Digests of manifests that are no index, as far as they were seen.
  std::set<std::string> single_images;
  // The registry asked for no requests before this time.
  SteadyClock::time_point backoff_until = SteadyClock::time_point::min();
  Error quiet_because;
  // No pull is left before this time; HEAD requests cost none.
  SteadyClock::time_point no_pulls_until = SteadyClock::time_point::min();

  AsyncMutex turn;          // held while the connection is in use
  asio::steady_timer idle;  // closes the connection
};
using RegistryServerPtr = std::shared_ptr<RegistryServer>;

// While alive, the server's connection is in use; its destructor starts the timer that closes an
// idle connection.
class ConnectionUse {
 public:
  explicit ConnectionUse(RegistryServerPtr server) : server_(std::move(server)) {}
  ConnectionUse(const ConnectionUse&) = delete;
  ConnectionUse& operator=(const ConnectionUse&) = delete;
  ~ConnectionUse();

 private:
  RegistryServerPtr server_;
};

// Of one request to a server, and of its answer.
http::Limits registry_limits();

// Goes the ways that the Engine goes: mirrors first, insecure registries, its proxies if there are
// no others. Keeps one connection per server alive, and the silence that a server asks for.
class RegistryServers {
 public:
  // `certificates`: the directory whose HOST[:PORT] has what is trusted for that registry in
  // addition to the system's certificates, and what is shown to it.
  RegistryServers(std::filesystem::path certificates, http::Proxies proxies);

  // Each from the next request on.
  void use_proxies(http::Proxies proxies);
  void follow(RegistryRoutes routes);
  // Closes the connections and cancels their idle timers, which would keep the event loop running.
  // Call it when no request is in flight.
  void close();

  // Fails with Errc::invalid where the registry's name is no host.
  Result<RegistryServerPtr> server_of(const std::string& registry,
                                      const asio::any_io_executor& executor);
  // Those that are to be asked before the registry itself, without those that did not answer
  // lately.
  std::vector<RegistryServerPtr> mirrors_of(const std::string& registry,
                                            const asio::any_io_executor& executor);
  static void skip_for_now(RegistryServer& mirror);

  // Sends one request and follows redirects; one at a time for each server, so hold its `turn`.
  Task<Result<http::Response>> exchange(RegistryServerPtr server, http::Request request);

  // Manifests of one image never change: they need not be asked for twice.
  static void note_single_image(RegistryServer& server, std::string digest);
  [[nodiscard]] bool is_single_image(const std::string& digest) const;

  [[nodiscard]] const http::Proxies& proxies() const;
  [[nodiscard]] std::filesystem::path certificates_of(const std::string& registry) const;

 private:
  Result<RegistryServerPtr> mirror_at(const std::string& address,
                                      const asio::any_io_executor& executor);
  Task<Result<http::Response>> exchange_here(RegistryServerPtr server, http::Request request);
  Task<Result<http::Response>> send(RegistryServerPtr server, http::Request request);
  // Finds out whether the server may be without TLS.
  Task<void> learn_security(RegistryServerPtr server);
  [[nodiscard]] http::TlsTrust trust_in(const RegistryServer& server) const;

  std::filesystem::path certificates_;
  http::Proxies proxies_;
  RegistryRoutes routes_;
  http::Proxies engine_proxies_;
  std::map<std::string, RegistryServerPtr> servers_;  // by registry, or address of a mirror
};

}  // namespace trimtab
