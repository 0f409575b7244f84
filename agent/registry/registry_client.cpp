// More than 400 lines, because requests, authentication and backoff of a registry share the state
// of its one connection.
#include "agent/registry/registry_client.hpp"

#include <fmt/core.h>
#include <strings.h>

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <set>
#include <utility>

#include "agent/registry/rate_limit.hpp"
#include "agent/registry/registry_errors.hpp"
#include "agent/registry/registry_token.hpp"
#include "common/hash.hpp"
#include "common/http_client.hpp"
#include "common/resolver.hpp"
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
constexpr std::chrono::minutes mirror_pause{5};

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

std::string asking_for(const ImageReference& reference) {
  return fmt::format("asking {} for {}", reference.registry, image_in_registry(reference));
}

std::string tag_or_digest(const ImageReference& reference) {
  return reference.tag.empty() ? reference.digest : reference.tag;
}

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

// Also if a registry does not say: it must then be asked.
bool is_type_of_index(std::string_view type) {
  return type.find("image.manifest.v1") == npos && type.find("distribution.manifest.v2") == npos;
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
  void note_single_image(std::string digest) {
    if (single_images.size() >= max_validators) single_images.clear();
    single_images.insert(std::move(digest));
  }
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

void RegistryClient::follow(RegistryRoutes routes) {
  if (routes_ == routes) return;
  routes_ = std::move(routes);
  engine_proxies_ = proxies_of(routes_);
  // Each is judged anew; one that is in use keeps its own until its answer has come.
  servers_.clear();
}

const http::Proxies& RegistryClient::proxies() const {
  return proxies_ == http::Proxies{} ? engine_proxies_ : proxies_;
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

http::TlsTrust RegistryClient::trust_in(const Server& server) const {
  http::TlsTrust trust = trust_in_directory(certificates_ / server.registry);
  trust.takes_any = server.is_insecure;
  return trust;
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
  servers_.emplace(registry, server);
  return server;
}

Result<RegistryClient::ServerPtr> RegistryClient::mirror_at(const std::string& address,
                                                            const asio::any_io_executor& executor) {
  if (const auto known = servers_.find(address); known != servers_.end()) return known->second;
  const auto url = http::parse_url(address);
  if (!url) return url.error().context("the mirror " + address);
  auto server = std::make_shared<Server>(executor);
  server->registry = name_of_server(*url);
  server->endpoint.host = url->host;
  server->endpoint.port = url->port;
  server->endpoint.tls = url->tls;
  server->scheme_known = !url->tls;
  servers_.emplace(address, server);
  return server;
}

Task<void> RegistryClient::learn_security(ServerPtr server) {
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

Task<Result<std::shared_ptr<AsyncMutex::Guard>>> RegistryClient::acquire_slot(ServerPtr server) {
  auto holder = co_await server->turn.lock();
  co_return std::make_shared<AsyncMutex::Guard>(std::move(holder));
}

template <class Answered>
Task<Result<Answered>> RegistryClient::in_turn(ServerPtr server, std::string what,
                                               Task<Result<Answered>> asked) {
  // Waiting for other requests must not use up this request's time, but has its own deadline.
  auto waiting = acquire_slot(server);
  auto turn = co_await with_deadline(SteadyClock::now() + question_time, what, std::move(waiting));
  if (!turn) co_return turn.error();
  const Use use(server);
  const auto deadline = SteadyClock::now() + question_time;
  auto answer = co_await with_deadline(deadline, std::move(what), std::move(asked));
  co_return answer;
}

template <class Answered>
Task<Result<Answered>> RegistryClient::ask_servers(
    ImageReference reference, std::function<Task<Result<Answered>>(ServerPtr)> ask) {
  const auto executor = co_await asio::this_coro::executor;
  const std::string what = asking_for(reference);
  const auto mirrors =
      reference.registry == "docker.io" ? routes_.mirrors : std::vector<std::string>();
  for (const std::string& address : mirrors) {
    const auto mirror = mirror_at(address, executor);
    if (!mirror || SteadyClock::now() < (*mirror)->skipped_until) continue;
    auto asked = ask(*mirror);
    auto answer = co_await in_turn(*mirror, what, std::move(asked));
    if (answer || answer.error().code == Errc::cancelled) co_return answer;
    if (is_transient(answer.error().code)) {
      (*mirror)->skipped_until = SteadyClock::now() + mirror_pause;
    }
  }
  const auto server = server_for(reference.registry, executor);
  if (!server) co_return server.error();
  auto asked = ask(*server);
  co_return co_await in_turn(*server, what, std::move(asked));
}

Task<Result<std::string>> RegistryClient::digest_of(ImageReference reference) {
  std::function<Task<Result<std::string>>(ServerPtr)> ask = [&](ServerPtr server) {
    return ask_with_login(std::move(server), reference);
  };
  co_return co_await ask_servers(reference, std::move(ask));
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
      if (!is_type_of_index(response.header("Content-Type"))) {
        server->note_single_image(std::string(digest));
      }
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

Task<Result<std::string>> RegistryClient::image_digest(ImageReference reference, Platform wanted) {
  const bool is_single = std::any_of(servers_.begin(), servers_.end(), [&](const auto& known) {
    return known.second->single_images.contains(reference.digest);
  });
  if (is_single) co_return reference.digest;
  std::function<Task<Result<std::string>>(ServerPtr)> ask = [&](ServerPtr server) {
    return ask_image_digest(std::move(server), reference, wanted);
  };
  co_return co_await ask_servers(reference, std::move(ask));
}

Task<Result<std::string>> RegistryClient::ask_image_digest(ServerPtr server,
                                                           ImageReference reference,
                                                           Platform wanted) {
  const auto chosen = co_await choose_image(server, std::move(reference), std::move(wanted));
  if (!chosen) co_return chosen.error();
  co_return chosen->digest;
}

Task<Result<RegistryClient::ChosenImage>> RegistryClient::choose_image(ServerPtr server,
                                                                       ImageReference reference,
                                                                       Platform wanted) {
  const auto known = co_await login_for(server->registry);
  const Login login = known ? *known : Login();
  ChosenImage chosen;
  chosen.digest = reference.digest;
  auto body = co_await get(server, reference, manifest_target(reference, chosen.digest),
                           chosen.digest, login);
  if (!body) {
    co_return known ? body.error() : refusal_without(server->registry, body.error(), known.error());
  }
  if (!is_index(*body)) {
    server->note_single_image(chosen.digest);
    chosen.manifest = std::move(*body);
    co_return chosen;
  }
  const auto index = parse_index(*body);
  if (!index) co_return index.error();
  auto entry = digest_for(*index, wanted);
  if (!entry) co_return entry.error();
  chosen.digest = std::move(*entry);
  co_return chosen;
}

Task<Result<ImageManifest>> RegistryClient::manifest_of(ImageReference reference, Platform wanted) {
  std::function<Task<Result<ImageManifest>>(ServerPtr)> ask = [&](ServerPtr server) {
    return ask_manifest(std::move(server), reference, wanted);
  };
  co_return co_await ask_servers(reference, std::move(ask));
}

Task<Result<ImageManifest>> RegistryClient::ask_manifest(ServerPtr server, ImageReference reference,
                                                         Platform wanted) {
  auto chosen = co_await choose_image(server, reference, wanted);
  if (!chosen) co_return chosen.error();
  const auto known = co_await login_for(server->registry);
  const Login login = known ? *known : Login();
  if (chosen->manifest.empty()) {
    auto body = co_await get(server, reference, manifest_target(reference, chosen->digest),
                             chosen->digest, login);
    if (!body) co_return body.error();
    chosen->manifest = std::move(*body);
  }
  const auto manifest = parse_manifest(chosen->manifest);
  if (!manifest) co_return manifest.error();
  const std::string blob = fmt::format("/v2/{}/blobs/{}", reference.repository, manifest->config);
  const auto config = co_await get(server, reference, blob, manifest->config, login);
  if (!config) co_return config.error();
  auto image = parse_image_config(*config, *manifest);
  if (image && !image->platform.architecture.empty() && !runs_on(image->platform, wanted)) {
    co_return wrong_platform(printable(image->platform.text()), wanted);
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

  const bool same_host = url->host == server->endpoint.host;
  const bool stays_on_host = !server->endpoint.tls && (http::is_loopback_host(url->host) ||
                                                       (server->is_insecure && same_host));
  if (!url->tls && !stays_on_host) {
    co_return Error{
        Errc::untrusted,
        fmt::format("{} asks to send the login to {} over plain HTTP, where others can read it",
                    server->registry, url->host),
        "its operator must serve tokens over https"};
  }
  // The realm is trusted like the registry: with the CA in the registry's certificate directory.
  http::TlsTrust trust = server->endpoint.trust;
  trust.takes_any = trust.takes_any && same_host;
  const auto endpoint = http::endpoint_for(*url, proxies(), std::move(trust));
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
    http::TlsTrust trust = server->endpoint.trust;
    trust.takes_any = trust.takes_any && same_server;
    const auto endpoint = http::endpoint_for(here, proxies(), std::move(trust));
    if (!endpoint) co_return endpoint.error();
    http::Connection connection(*endpoint);
    response = co_await connection.exchange(request, answer_limits());
  }
  co_return response;
}

Task<Result<http::Response>> RegistryClient::exchange_here(ServerPtr server,
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
    server->endpoint.trust = trust_in(*server);
    auto proxy = http::proxy_for(proxies(), server->endpoint.tls, server->endpoint.host);
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
