// More than 400 lines, because asking for digests and manifests and authenticating share the
// challenges and tokens of a registry.
#include "agent/registry/registry_client.hpp"

#include <fmt/core.h>
#include <strings.h>

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "agent/registry/registry_errors.hpp"
#include "agent/registry/registry_token.hpp"
#include "common/hash.hpp"
#include "common/http_client.hpp"
#include "common/text.hpp"
#include "common/url.hpp"

namespace trimtab {

namespace {

constexpr std::chrono::seconds question_time{30};
// A GET of a manifest counts as a pull where pulls are limited, so HEAD is tried again after this
// time.
constexpr std::chrono::hours head_retry{1};
constexpr auto npos = std::string::npos;
constexpr std::size_t max_validators = 1000;

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

// Also if a registry does not say: it must then be asked.
bool is_type_of_index(std::string_view type) {
  return type.find("image.manifest.v1") == npos && type.find("distribution.manifest.v2") == npos;
}

bool is_refusal(int status) {
  return status == 401 || status == 403;
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

using KnownLogin = Result<std::optional<RegistryLogin>>;

std::optional<RegistryLogin> usable(const KnownLogin& known) {
  return known ? *known : std::optional<RegistryLogin>();
}

// If the registry denied access and its login could not be obtained, explains why not.
Error explained(const std::string& registry, Error error, const KnownLogin& known) {
  if (known || error.code != Errc::denied) return error;
  const Error& no_login = known.error();
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

RegistryClient::RegistryClient(RegistryClientOptions options)
    : logins_(LoginSettings{std::move(options.docker_config), std::move(options.registries),
                            options.proxies}),
      servers_(std::move(options.certificates), std::move(options.proxies)) {}

void RegistryClient::use(std::vector<RegistrySettings> registries, http::Proxies proxies) {
  logins_.use(std::move(registries), proxies);
  servers_.use_proxies(std::move(proxies));
}

void RegistryClient::follow(RegistryRoutes routes) {
  servers_.follow(std::move(routes));
}

void RegistryClient::close() {
  servers_.close();
}

Task<Result<std::optional<RegistryLogin>>> RegistryClient::login_for(std::string registry) {
  co_return co_await logins_.login_for(std::move(registry));
}

void RegistryClient::forget_login(const std::string& registry) {
  logins_.forget(registry);
}

Task<Result<std::shared_ptr<AsyncMutex::Guard>>> RegistryClient::acquire_slot(
    RegistryServerPtr server) {
  auto holder = co_await server->turn.lock();
  co_return std::make_shared<AsyncMutex::Guard>(std::move(holder));
}

template <class Answered>
Task<Result<Answered>> RegistryClient::in_turn(RegistryServerPtr server, std::string what,
                                               Task<Result<Answered>> asked) {
  // Waiting for other requests must not use up this request's time, but has its own deadline.
  auto waiting = acquire_slot(server);
  auto turn = co_await with_deadline(SteadyClock::now() + question_time, what, std::move(waiting));
  if (!turn) co_return turn.error();
  const ConnectionUse use(server);
  const auto deadline = SteadyClock::now() + question_time;
  auto answer = co_await with_deadline(deadline, std::move(what), std::move(asked));
  co_return answer;
}

template <class Answered>
Task<Result<Answered>> RegistryClient::ask_servers(
    ImageReference reference, std::function<Task<Result<Answered>>(RegistryServerPtr)> ask) {
  const auto executor = co_await asio::this_coro::executor;
  const std::string what = asking_for(reference);
  for (const RegistryServerPtr& mirror : servers_.mirrors_of(reference.registry, executor)) {
    auto asked = ask(mirror);
    auto answer = co_await in_turn(mirror, what, std::move(asked));
    if (answer || answer.error().code == Errc::cancelled) co_return answer;
    if (is_transient(answer.error().code)) RegistryServers::skip_for_now(*mirror);
  }
  const auto server = servers_.server_of(reference.registry, executor);
  if (!server) co_return server.error();
  auto asked = ask(*server);
  co_return co_await in_turn(*server, what, std::move(asked));
}

Task<Result<std::string>> RegistryClient::digest_of(ImageReference reference) {
  std::function<Task<Result<std::string>>(RegistryServerPtr)> ask = [&](RegistryServerPtr server) {
    return ask_with_login(std::move(server), reference);
  };
  co_return co_await ask_servers(reference, std::move(ask));
}

Task<Result<std::string>> RegistryClient::ask_with_login(RegistryServerPtr server,
                                                         ImageReference reference) {
  // A login that could not be obtained only matters if the registry requires one.
  const auto known = co_await login_for(server->registry);
  auto digest = co_await ask_digest(server, std::move(reference), usable(known));
  if (digest) co_return digest;
  Error error = explained(server->registry, digest.error(), known);
  if (error.code == Errc::untrusted && error.hint.empty()) {
    error.hint = "if it has a CA of its own, put that CA's certificate into " +
                 (servers_.certificates_of(server->registry) / "ca.crt").string();
  }
  co_return error;
}

Task<Result<std::string>> RegistryClient::ask_digest(RegistryServerPtr server,
                                                     ImageReference reference, Login login) {
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
        RegistryServers::note_single_image(*server, std::string(digest));
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
      auto manifest = co_await servers_.exchange(server, std::move(request));
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
    server->validators[target] = RegistryServer::Validator{std::string(etag), *digest};
  co_return digest;
}

Task<Result<std::string>> RegistryClient::image_digest(ImageReference reference, Platform wanted) {
  if (servers_.is_single_image(reference.digest)) co_return reference.digest;
  std::function<Task<Result<std::string>>(RegistryServerPtr)> ask = [&](RegistryServerPtr server) {
    return ask_image_digest(std::move(server), reference, wanted);
  };
  co_return co_await ask_servers(reference, std::move(ask));
}

Task<Result<std::string>> RegistryClient::ask_image_digest(RegistryServerPtr server,
                                                           ImageReference reference,
                                                           Platform wanted) {
  const auto known = co_await login_for(server->registry);
  const auto chosen =
      co_await choose_image(server, std::move(reference), std::move(wanted), usable(known));
  if (!chosen) co_return explained(server->registry, chosen.error(), known);
  co_return chosen->digest;
}

Task<Result<RegistryClient::ChosenImage>> RegistryClient::choose_image(RegistryServerPtr server,
                                                                       ImageReference reference,
                                                                       Platform wanted,
                                                                       Login login) {
  ChosenImage chosen;
  chosen.digest = reference.digest;
  auto body = co_await get(server, reference, manifest_target(reference, chosen.digest),
                           chosen.digest, std::move(login));
  if (!body) co_return body.error();
  if (!is_index(*body)) {
    RegistryServers::note_single_image(*server, chosen.digest);
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
  std::function<Task<Result<ImageManifest>>(RegistryServerPtr)> ask =
      [&](RegistryServerPtr server) { return ask_manifest(std::move(server), reference, wanted); };
  co_return co_await ask_servers(reference, std::move(ask));
}

Task<Result<ImageManifest>> RegistryClient::ask_manifest(RegistryServerPtr server,
                                                         ImageReference reference,
                                                         Platform wanted) {
  const auto known = co_await login_for(server->registry);
  const Login login = usable(known);
  auto chosen = co_await choose_image(server, reference, wanted, login);
  if (!chosen) co_return explained(server->registry, chosen.error(), known);
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

Task<Result<std::string>> RegistryClient::get(RegistryServerPtr server, ImageReference reference,
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

Task<Result<RegistryClient::Answer>> RegistryClient::ask(RegistryServerPtr server,
                                                         http::Request asked,
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

Task<Result<RegistryClient::Answer>> RegistryClient::ask_with(RegistryServerPtr server,
                                                              http::Request asked,
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
    auto response = co_await servers_.exchange(server, std::move(request));
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

Task<Result<RegistryClient::Authorization>> RegistryClient::authorize(RegistryServerPtr server,
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

Task<Result<RegistryClient::Authorization>> RegistryClient::get_token(RegistryServerPtr server,
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
  const auto endpoint = http::endpoint_for(*url, servers_.proxies(), std::move(trust));
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
  auto response = co_await connection.exchange(std::move(request), registry_limits());
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

}  // namespace trimtab
