#include "agent/registry/registry_servers.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "agent/registry/rate_limit.hpp"
#include "agent/registry/registry_errors.hpp"
#include "common/resolver.hpp"
#include "common/text.hpp"
#include "common/url.hpp"

namespace trimtab {

namespace {

using boost::system::error_code;

constexpr std::chrono::seconds request_time{30};
// Longer than the default interval between two requests, so that polling keeps its connection.
constexpr std::chrono::seconds idle_time{90};
constexpr std::size_t max_manifest = 4 * 1024 * 1024;  // limit recommended by the specification
constexpr int max_redirects = 3;
constexpr std::size_t max_single_images = 1000;
// After a 429 without Retry-After.
constexpr std::chrono::seconds default_timeout{10};
constexpr std::chrono::minutes mirror_pause{5};
constexpr auto npos = std::string::npos;

// As certs.d of the Engine: each *.crt is a CA, and a *.cert with its *.key is the client's; of
// several the first. Source: docs.docker.com, "Verify repository client with certificates".
http::TlsTrust trust_in_directory(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> files;
  std::error_code ec;
  for (std::filesystem::directory_iterator entry(directory, ec), end; !ec && entry != end;
       entry.increment(ec)) {
    files.push_back(entry->path());
  }
  std::sort(files.begin(), files.end());
  http::TlsTrust trust;
  for (const std::filesystem::path& file : files) {
    if (file.extension() == ".crt") trust.ca_files.push_back(file.string());
    if (file.extension() != ".cert" || !trust.certificate.empty()) continue;
    trust.certificate = file.string();
    trust.key = std::filesystem::path(file).replace_extension(".key").string();
  }
  return trust;
}

// The Engine hides user and password of its proxies, without which they are of no use.
http::Proxies proxies_of(const RegistryRoutes& routes) {
  const auto usable = [](const std::string& proxy) {
    return proxy.find("xxxxx:xxxxx@") == npos ? proxy : std::string();
  };
  http::Proxies proxies;
  proxies.http = usable(routes.http_proxy);
  proxies.https = usable(routes.https_proxy);
  for (const std::string& entry : split(routes.no_proxy, ',')) {
    if (const auto word = trim(entry); !word.empty()) proxies.except.emplace_back(word);
  }
  return proxies;
}

// As logins and certificates are filed: without the port that its scheme has anyway.
std::string name_of_server(const http::Url& url) {
  const bool has_usual_port = url.port == (url.tls ? 443 : 80);
  return has_usual_port ? url.host : fmt::format("{}:{}", url.host, url.port);
}

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 307 || status == 308;
}

}  // namespace

ConnectionUse::~ConnectionUse() {
  if (!server_->connection) return;
  server_->idle.expires_after(idle_time);
  server_->idle.async_wait([weak = std::weak_ptr<RegistryServer>(server_)](const error_code& ec) {
    const auto server = weak.lock();
    // A handler that is already queued runs even if the timer is set again.
    if (ec || !server || server->turn.taken() || server->idle.expiry() > SteadyClock::now()) return;
    server->connection.reset();
  });
}

http::Limits registry_limits() {
  http::Limits limits;
  limits.body_bytes = max_manifest;
  limits.timeout = request_time;
  return limits;
}

RegistryServers::RegistryServers(std::filesystem::path certificates, http::Proxies proxies)
    : certificates_(std::move(certificates)), proxies_(std::move(proxies)) {}

void RegistryServers::use_proxies(http::Proxies proxies) {
  if (proxies_ == proxies) return;
  proxies_ = std::move(proxies);
  for (const auto& [registry, server] : servers_)
    if (!server->turn.taken()) server->connection.reset();
}

void RegistryServers::follow(RegistryRoutes routes) {
  if (routes_ == routes) return;
  routes_ = std::move(routes);
  engine_proxies_ = proxies_of(routes_);
  // Each is judged anew; one that is in use keeps its own until its answer has come.
  servers_.clear();
}

const http::Proxies& RegistryServers::proxies() const {
  return proxies_ == http::Proxies{} ? engine_proxies_ : proxies_;
}

void RegistryServers::close() {
  for (const auto& [registry, server] : servers_) {
    server->connection.reset();
    server->idle.cancel();
  }
}

http::TlsTrust RegistryServers::trust_in(const RegistryServer& server) const {
  http::TlsTrust trust = trust_in_directory(certificates_of(server.registry));
  trust.takes_any = server.is_insecure;
  return trust;
}

Result<RegistryServerPtr> RegistryServers::server_of(const std::string& registry,
                                                     const asio::any_io_executor& executor) {
  if (const auto known = servers_.find(registry); known != servers_.end()) return known->second;
  const std::string host = registry == "docker.io" ? "registry-1.docker.io" : registry;
  const auto url = http::parse_url("https://" + host);
  if (!url) return url.error().context(registry);
  auto server = std::make_shared<RegistryServer>(executor);
  server->registry = registry;
  server->endpoint.host = url->host;
  server->endpoint.port = url->port;
  server->endpoint.tls = true;
  servers_.emplace(registry, server);
  return server;
}

Result<RegistryServerPtr> RegistryServers::mirror_at(const std::string& address,
                                                     const asio::any_io_executor& executor) {
  if (const auto known = servers_.find(address); known != servers_.end()) return known->second;
  const auto url = http::parse_url(address);
  if (!url) return url.error().context("the mirror " + address);
  auto server = std::make_shared<RegistryServer>(executor);
  server->registry = name_of_server(*url);
  server->endpoint.host = url->host;
  server->endpoint.port = url->port;
  server->endpoint.tls = url->tls;
  server->scheme_known = !url->tls;
  servers_.emplace(address, server);
  return server;
}

std::vector<RegistryServerPtr> RegistryServers::mirrors_of(const std::string& registry,
                                                           const asio::any_io_executor& executor) {
  std::vector<RegistryServerPtr> mirrors;
  if (registry != "docker.io") return mirrors;
  for (const std::string& address : routes_.mirrors) {
    const auto mirror = mirror_at(address, executor);
    if (mirror && SteadyClock::now() >= (*mirror)->skipped_until) mirrors.push_back(*mirror);
  }
  return mirrors;
}

void RegistryServers::skip_for_now(RegistryServer& mirror) {
  mirror.skipped_until = SteadyClock::now() + mirror_pause;
}

void RegistryServers::note_single_image(RegistryServer& server, std::string digest) {
  if (server.single_images.size() >= max_single_images) server.single_images.clear();
  server.single_images.insert(std::move(digest));
}

bool RegistryServers::is_single_image(const std::string& digest) const {
  return std::any_of(servers_.begin(), servers_.end(), [&](const auto& known) {
    return known.second->single_images.contains(digest);
  });
}

std::filesystem::path RegistryServers::certificates_of(const std::string& registry) const {
  return certificates_ / registry;
}

Task<void> RegistryServers::learn_security(RegistryServerPtr server) {
  const http::Endpoint& endpoint = server->endpoint;
  server->security_known = true;
  server->is_insecure = routes_.is_insecure(endpoint.host, endpoint.port);
  server->may_be_plain = server->is_insecure || http::is_loopback_host(endpoint.host);
  if (server->may_be_plain || routes_.insecure_networks.empty()) co_return;
  const auto addresses = co_await resolve(endpoint.host, endpoint.port);
  // Without an address connecting fails, too; the next request looks it up again.
  server->security_known = addresses.has_value();
  if (!addresses) co_return;
  server->is_insecure = std::any_of(addresses->begin(), addresses->end(), [this](const auto& one) {
    return routes_.is_insecure_address(one.address().to_string());
  });
  server->may_be_plain = server->is_insecure;
}

Task<Result<http::Response>> RegistryServers::exchange(RegistryServerPtr server,
                                                       http::Request request) {
  auto response = co_await exchange_here(server, request);
  http::Url here{server->endpoint.tls, server->endpoint.host, server->endpoint.port,
                 request.target};
  for (int i = 0; i < max_redirects && response && is_redirect(response->status); ++i) {
    const auto there = http::resolve_reference(here, response->header("Location"));
    if (!there) break;
    const bool same_server =
        there->tls == here.tls && there->host == here.host && there->port == here.port;
    if (!there->tls && !same_server) break;
    // The login is for this registry and must not be sent to the host that it redirects to.
    if (!same_server) {
      std::erase_if(request.headers,
                    [](const auto& header) { return header.first == "Authorization"; });
    }
    here = *there;
    request.target = here.target;
    http::TlsTrust trust = server->endpoint.trust;
    trust.takes_any = trust.takes_any && same_server;
    const auto endpoint = http::endpoint_for(here, proxies(), std::move(trust));
    if (!endpoint) co_return endpoint.error();
    http::Connection connection(*endpoint);
    response = co_await connection.exchange(request, registry_limits());
  }
  co_return response;
}

Task<Result<http::Response>> RegistryServers::exchange_here(RegistryServerPtr server,
                                                            http::Request request) {
  if (!server->security_known) co_await learn_security(server);
  const bool guessing = server->may_be_plain && !server->scheme_known;
  if (guessing) server->endpoint.tls = true;
  auto response = co_await send(server, request);
  // An untrusted certificate must not lead to a fallback to plain HTTP.
  if (guessing && !response && response.error().code != Errc::untrusted) {
    server->endpoint.tls = false;
    response = co_await send(server, std::move(request));
  }
  if (server->may_be_plain) server->scheme_known = response.has_value();
  co_return response;
}

Task<Result<http::Response>> RegistryServers::send(RegistryServerPtr server,
                                                   http::Request request) {
  if (const auto now = SteadyClock::now(); now < server->backoff_until) {
    const auto quiet = server->backoff_until - now;
    Error error = server->quiet_because;
    error.retry_after = std::chrono::ceil<std::chrono::seconds>(quiet);
    co_return error;
  }
  const bool is_pull = request.method == "GET" && request.target.find("/manifests/") != npos;
  if (const auto now = SteadyClock::now(); is_pull && now < server->no_pulls_until) {
    const auto pause = std::chrono::ceil<std::chrono::seconds>(server->no_pulls_until - now);
    co_return Error{Errc::unavailable, server->registry + " allows no more pulls from this host",
                    "a login allows more; retried in " + human_duration(pause), pause};
  }
  if (!server->connection) {
    server->endpoint.trust = trust_in(*server);
    auto proxy = http::proxy_for(proxies(), server->endpoint.tls, server->endpoint.host);
    if (!proxy) co_return proxy.error();
    server->endpoint.proxy = std::move(*proxy);
    server->connection.emplace(server->endpoint);
  }
  auto response = co_await server->connection->exchange(std::move(request), registry_limits());
  // The next request opens a new connection, since the CA file or the scheme may have changed.
  if (!response) server->connection.reset();
  const bool quiet_wanted =
      response && (response->status == 429 || !response->header("Retry-After").empty());
  if (quiet_wanted && response->status >= 400) {
    server->quiet_because = busy(server->registry, *response);
    const auto asked_for = server->quiet_because.retry_after;
    const auto timeout = asked_for.count() == 0 ? default_timeout : asked_for;
    server->backoff_until = SteadyClock::now() + timeout;
  }
  if (response) {
    const auto pause = pause_of_pulls(response->headers, wall_now());
    if (pause.count() > 0) server->no_pulls_until = SteadyClock::now() + pause;
  }
  co_return response;
}

}  // namespace trimtab
