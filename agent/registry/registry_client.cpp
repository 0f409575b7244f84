// More than 400 lines, because requests, authentication and backoff of a registry share the state
// of its one connection.
#include "agent/registry/registry_client.hpp"

#include <fmt/core.h>
#include <strings.h>

#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "agent/registry/rate_limit.hpp"
#include "agent/registry/registry_errors.hpp"
#include "agent/registry/registry_token.hpp"
#include "common/hash.hpp"
#include "common/http_client.hpp"
#include "common/text.hpp"
#include "common/url.hpp"

namespace trimtab {

namespace {

using boost::system::error_code;

constexpr std::chrono::seconds question_time{30};
// Longer than the default interval between two requests, so that polling keeps its connection.
constexpr std::chrono::seconds idle_time{90};
// A GET of a manifest counts as a pull where pulls are limited, so HEAD is tried again after this
// time.
constexpr std::chrono::hours head_retry{1};
constexpr std::size_t max_manifest = 4 * 1024 * 1024;  // limit recommended by the specification
constexpr int max_redirects = 3;
constexpr auto npos = std::string::npos;
constexpr std::size_t max_validators = 1000;
// After a 429 without Retry-After.
constexpr std::chrono::seconds default_timeout{10};

// All media types in one header line: a registry answers for one that is not accepted with another
// manifest or none, and some proxies keep only the first of several lines.
constexpr const char* accepted_manifests =
    "application/vnd.oci.image.index.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json";

http::Request question(const std::string& method, std::string target) {
  http::Request request;
  request.method = method;
  request.target = std::move(target);
  request.headers.emplace_back("Accept", accepted_manifests);
  return request;
}

std::string manifest_target(const ImageReference& reference, const std::string& name) {
  return fmt::format("/v2/{}/manifests/{}", reference.repository, name);
}

std::string tag_or_digest(const ImageReference& reference) {
  return reference.tag.empty() ? reference.digest : reference.tag;
}

http::Limits answer_limits() {
  http::Limits limits;
  limits.body_bytes = max_manifest;
  limits.timeout = question_time;
  return limits;
}

bool is_refusal(int status) {
  return status == 401 || status == 403;
}

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 307 || status == 308;
}

// Picks the challenge to answer. Prefers fetching a token to sending the password with every
// request.
std::optional<Challenge> usable_challenge(const http::Response& response) {
  std::optional<Challenge> basic;
  for (const auto& [name, value] : response.headers) {
    if (::strcasecmp(name.c_str(), "WWW-Authenticate") != 0) continue;
    for (const auto& challenge : parse_challenges(value)) {
      if (challenge.scheme == "bearer" && !challenge.parameter("realm").empty()) return challenge;
      if (challenge.scheme == "basic") basic = challenge;
    }
  }
  return basic;
}

// Whether a 404 comes from the registry itself rather than from a proxy that does not support HEAD:
// a registry's error document is JSON, which the header shows too.
bool is_registry_error(const http::Response& response) {
  return response.header("Content-Type").find("json") != std::string_view::npos;
}

std::string basic_credentials(const RegistryLogin& login) {
  return base64_encode(login.username + ":" + login.password);
}

// Explains a refusal that is due to a login which could not be obtained, and why it could not.
Error refusal_without(const std::string& registry, Error error, const Error& no_login) {
  if (error.code != Errc::denied) return error;
  // If the login is only temporarily unavailable, a retry may succeed.
  if (is_transient(no_login.code)) error.code = no_login.code;
  error.message = fmt::format("{} requires a login: {}", registry, no_login.message);
  error.hint = no_login.hint;
  return error;
}

// Returns the digest of the manifest in the response to a GET.
Result<std::string> digest_of_body(const ImageReference& reference, const http::Response& response,
                                   bool login) {
  if (response.status != 200) return refusal(reference, response, login);
  // Computed here, because the specification prefers that to trusting the response header.
  return "sha256:" + sha256_hex(response.body);
}

}  // namespace

// State of one registry, shared with the handlers of its timers.
struct RegistryClient::Server {
  explicit Server(const asio::any_io_executor& executor) : turn(executor), idle(executor) {}

  std::string registry;
  http::Endpoint endpoint;
  bool loopback = false;
  bool scheme_known = false;  // for loopback: endpoint.tls is what worked last time
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
  // The registry asked for no requests before this time.
  SteadyClock::time_point backoff_until = SteadyClock::time_point::min();
  Error quiet_because;
  // No pull is left before this time; HEAD requests cost none.
  SteadyClock::time_point no_pulls_until = SteadyClock::time_point::min();

  AsyncMutex turn;          // held while the connection is in use
  asio::steady_timer idle;  // closes the connection
};

// While alive, the connection is in use; its destructor starts the timer that closes an idle
// connection.
class RegistryClient::Use {
 public:
  explicit Use(ServerPtr server) : server_(std::move(server)) {}
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;
  ~Use() {
    if (!server_->connection) return;
    server_->idle.expires_after(idle_time);
    server_->idle.async_wait([weak = std::weak_ptr<Server>(server_)](const error_code& ec) {
      const auto server = weak.lock();
      // A handler that is already queued runs even if the timer is set again.
      if (ec || !server || server->turn.taken() || server->idle.expiry() > SteadyClock::now())
        return;
      server->connection.reset();
    });
  }

 private:
  ServerPtr server_;
};

RegistryClient::RegistryClient(RegistryClientOptions options)
    : logins_(LoginSettings{std::move(options.docker_config), std::move(options.registries),
                            options.proxies}),
      certificates_(std::move(options.certificates)),
      proxies_(std::move(options.proxies)) {}

RegistryClient::~RegistryClient() = default;

void RegistryClient::use(std::vector<RegistrySettings> registries, http::Proxies proxies) {
  logins_.use(std::move(registries), proxies);
  if (proxies_ == proxies) return;
  proxies_ = std::move(proxies);
  for (const auto& [registry, server] : servers_)
    if (!server->turn.taken()) server->connection.reset();
}

Task<Result<std::optional<RegistryLogin>>> RegistryClient::login_for(std::string registry) {
  co_return co_await logins_.login_for(std::move(registry));
}

void RegistryClient::forget_login(const std::string& registry) {
  logins_.forget(registry);
}

void RegistryClient::close() {
  for (const auto& [registry, server] : servers_) {
    server->connection.reset();
    server->idle.cancel();
  }
}

std::string RegistryClient::ca_file(const std::string& registry) const {
  const auto path = certificates_ / registry / "ca.crt";
  std::error_code ec;
  return std::filesystem::exists(path, ec) ? path.string() : std::string();
}

Result<RegistryClient::ServerPtr> RegistryClient::server_for(
    const std::string& registry, const asio::any_io_executor& executor) {
  if (const auto known = servers_.find(registry); known != servers_.end()) return known->second;
  const std::string host = registry == "docker.io" ? "registry-1.docker.io" : registry;
  const auto url = http::parse_url("https://" + host);
  if (!url) return url.error().context(registry);
  auto server = std::make_shared<Server>(executor);
  server->registry = registry;
  server->endpoint.host = url->host;
  server->endpoint.port = url->port;
  server->endpoint.tls = true;
  server->loopback = http::is_loopback_host(url->host);
  servers_.emplace(registry, server);
  return server;
}

Task<Result<std::shared_ptr<AsyncMutex::Guard>>> RegistryClient::acquire_slot(ServerPtr server) {
  auto holder = co_await server->turn.lock();
  co_return std::make_shared<AsyncMutex::Guard>(std::move(holder));
}

Task<Result<std::string>> RegistryClient::digest_of(ImageReference reference) {
  const auto executor = co_await asio::this_coro::executor;
  auto server = server_for(reference.registry, executor);
  if (!server) co_return server.error();
  std::string what =
      fmt::format("asking {} for {}", reference.registry, image_in_registry(reference));
  // Waiting for other requests must not use up this request's time, but has its own deadline.
  auto waiting = acquire_slot(*server);
  auto turn = co_await with_deadline(SteadyClock::now() + question_time, what, std::move(waiting));
  if (!turn) co_return turn.error();
  const Use use(*server);
  const auto deadline = SteadyClock::now() + question_time;
  auto asked = ask_with_login(*server, std::move(reference));
  auto answer = co_await with_deadline(deadline, std::move(what), std::move(asked));
  co_return answer;
}

Task<Result<std::string>> RegistryClient::ask_with_login(ServerPtr server,
                                                         ImageReference reference) {
  // A login that could not be obtained only matters if the registry requires one.
  const auto login = co_await login_for(server->registry);
  const Login usable = login ? *login : Login();
  auto digest = co_await ask_digest(server, std::move(reference), usable);
  if (digest) co_return digest;
  Error error =
      login ? digest.error() : refusal_without(server->registry, digest.error(), login.error());
  if (error.code == Errc::untrusted && error.hint.empty()) {
    error.hint = "if it has a CA of its own, put that CA's certificate into " +
                 (certificates_ / server->registry / "ca.crt").string();
  }
  co_return error;
}

Task<Result<std::string>> RegistryClient::ask_digest(ServerPtr server, ImageReference reference,
                                                     Login login) {
  const bool has_login = login.has_value();
  const std::string target = manifest_target(reference, tag_or_digest(reference));
  const auto now = SteadyClock::now();
  if (server->get_until[reference.repository] <= now) {
    auto head = co_await ask(server, question("HEAD", target), reference, login);
    if (!head) co_return head.error();
    const auto& response = head->response;
    const auto digest = response.header("Docker-Content-Digest");
    if (response.status == 200 && is_digest(digest)) {
      server->head_works = true;
      co_return std::string(digest);
    }
    const bool missing =
        response.status == 404 && (server->head_works || is_registry_error(response));
    const bool busy = response.status == 429 || (response.status >= 500 && response.status != 501);
    if (missing || busy) co_return refusal(reference, response, has_login);
    if (is_refusal(response.status)) {
      // The response to a HEAD has no body that explains the refusal, and some servers refuse only
      // HEAD.
      auto request = question("GET", target);
      if (!head->authorization.empty())
        request.headers.emplace_back("Authorization", head->authorization);
      auto manifest = co_await exchange(server, std::move(request));
      if (!manifest) co_return manifest.error();
      auto digest_by_get = digest_of_body(reference, *manifest, has_login);
      if (digest_by_get) server->get_until[reference.repository] = now + head_retry;
      co_return digest_by_get;
    }
  }
  auto request = question("GET", target);
  const auto known = server->validators.find(target);
  const bool validate = known != server->validators.end();
  if (validate) request.headers.emplace_back("If-None-Match", known->second.etag);
  auto get = co_await ask(server, std::move(request), reference, login);
  if (!get) co_return get.error();
  if (validate && get->response.status == 304) co_return known->second.digest;
  auto digest = digest_of_body(reference, get->response, has_login);
  if (!digest) co_return digest;
  server->get_until[reference.repository] =
      std::max(server->get_until[reference.repository], now + head_retry);
  server->validators.erase(target);
  const auto etag = get->response.header("ETag");
  if (!etag.empty() && server->validators.size() < max_validators)
    server->validators[target] = Server::Validator{std::string(etag), *digest};
  co_return digest;
}

Task<Result<ImageManifest>> RegistryClient::manifest_of(ImageReference reference, Platform host) {
  const auto executor = co_await asio::this_coro::executor;
  auto server = server_for(reference.registry, executor);
  if (!server) co_return server.error();
  std::string what =
      fmt::format("asking {} for {}", reference.registry, image_in_registry(reference));
  // Waiting for other requests must not use up this request's time, but has its own deadline.
  auto waiting = acquire_slot(*server);
  auto turn = co_await with_deadline(SteadyClock::now() + question_time, what, std::move(waiting));
  if (!turn) co_return turn.error();
  const Use use(*server);
  const auto deadline = SteadyClock::now() + question_time;
  auto asked = ask_manifest(*server, std::move(reference), std::move(host));
  auto answer = co_await with_deadline(deadline, std::move(what), std::move(asked));
  co_return answer;
}

Task<Result<ImageManifest>> RegistryClient::ask_manifest(ServerPtr server, ImageReference reference,
                                                         Platform host) {
  const auto known = co_await login_for(server->registry);
  const Login login = known ? *known : Login();
  const auto explained = [&](const Error& error) {
    return known ? error : refusal_without(server->registry, error, known.error());
  };

  std::string digest = reference.digest;
  auto body = co_await get(server, reference, manifest_target(reference, digest), digest, login);
  if (body && is_index(*body)) {
    const auto index = parse_index(*body);
    if (!index) co_return index.error();
    auto own = digest_for(*index, host);
    if (!own) co_return own.error();
    digest = std::move(*own);
    body = co_await get(server, reference, manifest_target(reference, digest), digest, login);
  }
  if (!body) co_return explained(body.error());
  const auto manifest = parse_manifest(*body);
  if (!manifest) co_return manifest.error();
  const std::string blob = fmt::format("/v2/{}/blobs/{}", reference.repository, manifest->config);
  const auto config = co_await get(server, reference, blob, manifest->config, login);
  if (!config) co_return config.error();
  auto image = parse_image_config(*config, *manifest);
  if (image && !image->platform.architecture.empty() && !runs_on(image->platform, host)) {
    co_return Error{Errc::invalid,
                    fmt::format("it is for {}, and this host is {}",
                                printable(image->platform.text()), host.text()),
                    fmt::format("build it for {} (docker buildx build --platform)", host.text())};
  }
  co_return image;
}

Task<Result<std::string>> RegistryClient::get(ServerPtr server, ImageReference reference,
                                              std::string target, std::string digest, Login login) {
  auto request = question("GET", std::move(target));
  auto answer = co_await ask(server, std::move(request), reference, login);
  if (!answer) co_return answer.error();
  if (answer->response.status != 200)
    co_return refusal(reference, answer->response, login.has_value());
  if ("sha256:" + sha256_hex(answer->response.body) != digest) {
    co_return Error{
        Errc::failed,
        fmt::format("{} returned content that does not match {}", server->registry, digest),
        "something between this host and the registry changes it"};
  }
  co_return std::move(answer->response.body);
}

Task<Result<RegistryClient::Answer>> RegistryClient::ask(ServerPtr server, http::Request asked,
                                                         ImageReference reference, Login login) {
  auto answer = co_await ask_with(server, asked, reference, login);
  const bool refused =
      answer ? is_refusal(answer->response.status) : answer.error().code == Errc::denied;
  if (!refused || !login) co_return answer;
  // A temporary login may have expired early.
  auto renewed = co_await logins_.login_for(server->registry);
  if (renewed && *renewed == login) {
    logins_.forget(server->registry);
    renewed = co_await logins_.login_for(server->registry);
  }
  if (!renewed || !*renewed || *renewed == login) co_return answer;
  answer = co_await ask_with(server, std::move(asked), std::move(reference), std::move(*renewed));
  co_return answer;
}

Task<Result<RegistryClient::Answer>> RegistryClient::ask_with(ServerPtr server, http::Request asked,
                                                              ImageReference reference,
                                                              Login login) {
  Answer answer;
  // Two attempts: the first refusal may be due to an expired token, or to a token not having been
  // requested yet.
  for (int attempt = 0; attempt < 2; ++attempt) {
    auto authorization = co_await authorize(server, reference, login);
    if (!authorization) co_return authorization.error();
    auto request = asked;
    if (!authorization->header.empty())
      request.headers.emplace_back("Authorization", authorization->header);
    auto response = co_await exchange(server, std::move(request));
    if (!response) co_return response.error();
    answer.response = std::move(*response);
    answer.authorization = authorization->header;

    const bool from_cache = !authorization->fresh && !authorization->header.empty();
    // Amazon's public registry answers 400 to an expired token.
    const bool refused =
        is_refusal(answer.response.status) || (from_cache && answer.response.status == 400);
    if (!refused) break;
    tokens_.erase(authorization->token_key);
    auto challenge = usable_challenge(answer.response);
    if (challenge) server->challenges[reference.repository] = *challenge;
    const bool can_do_more = challenge ? challenge->scheme == "bearer" || login : from_cache;
    if (authorization->fresh || !can_do_more) break;
  }
  co_return answer;
}

Task<Result<RegistryClient::Authorization>> RegistryClient::authorize(ServerPtr server,
                                                                      ImageReference reference,
                                                                      Login login) {
  const auto known = server->challenges.find(reference.repository);
  if (known == server->challenges.end()) co_return Authorization{};
  if (known->second.scheme == "bearer") {
    auto token = co_await get_token(server, std::move(reference), known->second, std::move(login));
    co_return token;
  }
  // An identity token can only be used with a token server.
  if (!login || !login->identity_token.empty()) co_return Authorization{};
  Authorization basic;
  basic.header = "Basic " + basic_credentials(*login);
  basic.fresh = true;
  co_return basic;
}

Task<Result<RegistryClient::Authorization>> RegistryClient::get_token(ServerPtr server,
                                                                      ImageReference reference,
                                                                      Challenge challenge,
                                                                      Login login) {
  const std::string realm = challenge.parameter("realm");
  const bool identity = login && !login->identity_token.empty();
  const std::string credentials = identity ? login->identity_token
                                  : login  ? basic_credentials(*login)
                                           : std::string();
  const std::string username = login ? login->username : std::string();
  const auto url = http::parse_url(realm);
  if (!url) {
    co_return Error{Errc::failed,
                    fmt::format("{} has no usable address for getting a token: {}",
                                server->registry, url.error().message),
                    {}};
  }
  const std::string target = token_target(*url, challenge, reference.repository, username);
  Authorization authorization;
  authorization.token_key = url->host + " " + target + " " + credentials;
  if (const auto cached = tokens_.find(authorization.token_key);
      cached != tokens_.end() && SteadyClock::now() < cached->second.use_until) {
    authorization.header = "Bearer " + cached->second.text;
    co_return authorization;
  }

  const bool stays_on_host = !server->endpoint.tls && http::is_loopback_host(url->host);
  if (!url->tls && !stays_on_host) {
    co_return Error{
        Errc::untrusted,
        fmt::format("{} asks to send the login to {} over plain HTTP, where others can read it",
                    server->registry, url->host),
        "its operator must serve tokens over https"};
  }
  // The realm is trusted like the registry: with the CA in the registry's certificate directory.
  const auto endpoint = http::endpoint_for(*url, proxies_, server->endpoint.ca_file);
  if (!endpoint) co_return endpoint.error();
  http::Request request;
  request.target = target;
  if (identity) {
    request.method = "POST";
    request.target = url->target;
    request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
    request.body = token_form(challenge, reference.repository, login->identity_token);
  } else if (login) {
    request.headers.emplace_back("Authorization", "Basic " + credentials);
  }
  http::Connection connection(*endpoint);
  auto response = co_await connection.exchange(std::move(request), answer_limits());
  if (!response) co_return response.error();
  if (response->status != 200)
    co_return token_refusal(reference, url->host, *response, login.has_value());
  auto token = parse_token(response->body);
  if (!token) co_return token.error().context("a token from " + url->host);

  const auto now = SteadyClock::now();
  std::erase_if(tokens_, [now](const auto& entry) { return entry.second.use_until <= now; });
  authorization.header = "Bearer " + token->text;
  authorization.fresh = true;
  // Less than the full lifetime, because the registry's clock may differ.
  tokens_[authorization.token_key] = CachedToken{token->text, now + token->lifetime * 4 / 5};
  co_return authorization;
}

Task<Result<http::Response>> RegistryClient::exchange(ServerPtr server, http::Request request) {
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
    const auto endpoint = http::endpoint_for(here, proxies_, server->endpoint.ca_file);
    if (!endpoint) co_return endpoint.error();
    http::Connection connection(*endpoint);
    response = co_await connection.exchange(request, answer_limits());
  }
  co_return response;
}

Task<Result<http::Response>> RegistryClient::exchange_here(ServerPtr server,
                                                           http::Request request) {
  const bool guessing = server->loopback && !server->scheme_known;
  if (guessing) server->endpoint.tls = true;
  auto response = co_await send(server, request);
  // An untrusted certificate must not lead to a fallback to plain HTTP.
  if (guessing && !response && response.error().code != Errc::untrusted) {
    server->endpoint.tls = false;
    response = co_await send(server, std::move(request));
  }
  server->scheme_known = response.has_value();
  co_return response;
}

Task<Result<http::Response>> RegistryClient::send(ServerPtr server, http::Request request) {
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
    server->endpoint.ca_file = ca_file(server->registry);
    auto proxy = http::proxy_for(proxies_, server->endpoint.tls, server->endpoint.host);
    if (!proxy) co_return proxy.error();
    server->endpoint.proxy = std::move(*proxy);
    server->connection.emplace(server->endpoint);
  }
  auto response = co_await server->connection->exchange(std::move(request), answer_limits());
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
