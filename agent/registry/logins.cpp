#include "agent/registry/logins.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <utility>

#include "agent/registry/aws_credentials.hpp"
#include "agent/registry/credential_helper.hpp"
#include "common/files.hpp"
#include "common/log.hpp"

namespace trimtab {

namespace {

// Credential helpers spawn a process and may query a server, so their answer is cached instead of
// asking for every image of every poll.
constexpr std::chrono::minutes answer_life{5};
// A helper that timed out is not retried for this long, so that it does not stall every poll.
constexpr std::chrono::minutes hang_life{1};
// Interval between retries after AWS refused to renew a login that is still valid.
constexpr std::chrono::minutes aws_timeout{5};
constexpr std::chrono::hours max_aws_login{12};

Result<std::optional<RegistryLogin>> from_file(const RegistrySettings& settings) {
  auto password = read_secret_file(settings.password_file);
  if (!password) return password.error().context("the password for " + settings.host);
  RegistryLogin login;
  login.username = settings.username;
  login.password = std::move(*password);
  login.server = docker_server(settings.host);
  return std::optional<RegistryLogin>(std::move(login));
}

}  // namespace

// Cached login of one registry.
struct Logins::Kept {
  explicit Kept(asio::any_io_executor executor) : turn(std::move(executor)) {}

  // Whether there is an answer from this source that is not due for renewal.
  [[nodiscard]] bool serves(const std::string& wanted) const {
    return answer && source == wanted && SteadyClock::now() < renew_at;
  }

  AsyncMutex turn;     // held while an answer is made
  std::string source;  // where `answer` came from
  std::optional<Result<Login>> answer;
  SteadyClock::time_point renew_at;
  SteadyClock::time_point ends_at;  // for AWS: expiry, until which the login may still be used

  // Of Amazon ECR: the login from config.json, and the one of those that was refused.
  Login given;
  Login refused;
};

Logins::Logins(LoginSettings settings)
    : settings_(std::move(settings)), docker_config_(settings_.docker_config) {}

Logins::~Logins() = default;

void Logins::use(std::vector<RegistrySettings> registries, http::Proxies proxies) {
  settings_.registries = std::move(registries);
  settings_.proxies = std::move(proxies);
}

Logins::Kept& Logins::kept_for(const std::string& registry, const asio::any_io_executor& executor) {
  auto& kept = kept_[registry];
  if (!kept) kept = std::make_unique<Kept>(executor);
  return *kept;
}

Task<Result<std::optional<RegistryLogin>>> Logins::login_for(std::string registry) {
  const auto executor = co_await asio::this_coro::executor;
  const auto ecr = parse_ecr_registry(registry);
  const auto entry =
      std::find_if(settings_.registries.begin(), settings_.registries.end(),
                   [&](const RegistrySettings& one) { return one.host == registry; });
  if (entry != settings_.registries.end()) {
    if (!entry->password_file.empty()) co_return from_file(*entry);
    if (!ecr) {
      co_return Error{Errc::invalid,
                      registry +
                          " has AWS keys in trimtab.yaml, but its name is not one of Amazon "
                          "ECR, such as 123456789012.dkr.ecr.eu-central-1.amazonaws.com",
                      "correct its host there, or set username and password_file"};
    }
    co_return co_await from_aws(std::move(registry), *ecr, *entry);
  }

  auto stored = docker_config_.find(registry);
  if (!ecr) {
    if (!stored) co_return stored.error();
    co_return co_await from_config(std::move(registry), std::move(*stored));
  }
  Kept& kept = kept_for(registry, executor);
  const bool usable = stored && (stored->login || !stored->helper.empty());
  // A login that `docker login` stored for ECR expires after twelve hours.
  const bool refused = usable && stored->login && stored->login == kept.refused;
  if (usable && stored->named && !refused) {
    kept.given = stored->login;
    co_return co_await from_config(std::move(registry), std::move(*stored));
  }
  RegistrySettings unset;
  auto made = co_await from_aws(registry, *ecr, std::move(unset));
  if (made || made.error().code != Errc::not_found) co_return made;
  if (!stored) co_return stored.error();
  if (usable) co_return co_await from_config(std::move(registry), std::move(*stored));
  co_return made;
}

void Logins::forget(const std::string& registry) {
  const auto kept = kept_.find(registry);
  if (kept == kept_.end()) return;
  kept->second->answer.reset();
  if (kept->second->given) kept->second->refused = std::exchange(kept->second->given, {});
}

Task<Result<std::optional<RegistryLogin>>> Logins::from_config(std::string registry,
                                                               StoredLogin stored) {
  if (stored.helper.empty()) co_return std::move(stored.login);
  co_return co_await from_helper(std::move(registry), std::move(stored.helper));
}

Task<Result<std::optional<RegistryLogin>>> Logins::from_helper(std::string registry,
                                                               std::string helper) {
  const auto executor = co_await asio::this_coro::executor;
  Kept& kept = kept_for(registry, executor);
  const auto turn = co_await kept.turn.lock();
  // `docker login` writes config.json even if the login itself goes to a store.
  const std::string source = fmt::format("{} {}", helper, docker_config_.generation());
  if (kept.serves(source)) co_return *kept.answer;
  std::string server = docker_server(registry);
  auto answer = co_await ask_helper(std::move(helper), std::move(server), settings_.proxies);
  kept.answer.reset();
  const bool hangs = !answer && answer.error().code == Errc::timed_out;
  if (answer || hangs) {
    kept.source = source;
    kept.answer = answer;
    kept.renew_at = SteadyClock::now() + (hangs ? hang_life : answer_life);
  }
  co_return answer;
}

Task<Result<std::optional<RegistryLogin>>> Logins::from_aws(std::string registry, EcrRegistry ecr,
                                                            RegistrySettings settings) {
  const auto executor = co_await asio::this_coro::executor;
  Kept& kept = kept_for(registry, executor);
  const auto turn = co_await kept.turn.lock();
  const std::string source =
      fmt::format("AWS {} {}", settings.aws_credentials_file.string(), settings.aws_profile);
  if (kept.serves(source)) co_return *kept.answer;

  Result<EcrLogin> made;
  auto keys = find_aws_keys(settings);
  if (keys) {
    made = co_await get_ecr_login(std::move(ecr), std::move(*keys), settings_.proxies);
  } else {
    made = keys.error();
  }
  const auto now = SteadyClock::now();
  if (!made) {
    if (!kept.answer || kept.source != source || now >= kept.ends_at) co_return made.error();
    spdlog::warn("cannot renew the login for {}; still using the last one: {}", registry,
                 made.error().text());
    kept.renew_at = std::min(now + aws_timeout, kept.ends_at);
    co_return *kept.answer;
  }
  RegistryLogin login;
  login.username = std::move(made->username);
  login.password = std::move(made->password);
  login.server = docker_server(registry);
  const auto life = std::clamp<SteadyClock::duration>(made->expires_at - wall_now(),
                                                      SteadyClock::duration::zero(), max_aws_login);
  kept.source = source;
  kept.answer = Login(std::move(login));
  // Renewed at half its life, so that the other half covers the longest pull and hours in which AWS
  // cannot be reached.
  kept.renew_at = now + life / 2;
  kept.ends_at = now + life;
  co_return *kept.answer;
}

}  // namespace trimtab
