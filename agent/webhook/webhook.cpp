#include "agent/webhook/webhook.hpp"

#include "agent/webhook/hook_call.hpp"
#include "common/files.hpp"
#include "common/json.hpp"
#include "common/log.hpp"

namespace trimtab {
namespace {

// Few senders call at the same time, and each connection costs two buffers.
constexpr std::size_t max_connections = 16;
constexpr auto idle_timeout = std::chrono::seconds(10);
// Retried, because the port may become free and the address may appear.
constexpr auto listen_interval = std::chrono::seconds(10);
// Calls within this interval share one more poll at its end.
constexpr auto poll_interval = std::chrono::seconds(1);
constexpr int max_refusals_in_second = 10;
constexpr auto warning_interval = std::chrono::minutes(1);

}  // namespace

Webhook::Webhook(asio::any_io_executor executor, DaemonSettings::Webhook settings, Stacks stacks)
    : executor_(executor),
      settings_(std::move(settings)),
      stacks_(std::move(stacks)),
      tasks_(std::move(executor)) {}

void Webhook::start() {
  static_cast<void>(read_secret());
  tasks_.spawn("webhook", listen());
}

Task<void> Webhook::stop() {
  if (server_) server_->stop();
  tasks_.cancel();
  if (server_) co_await server_->idle();
  co_await tasks_.idle();
}

std::string Webhook::error() const {
  if (listen_error_) return listen_error_->text();
  return secret_error_ ? secret_error_->text() : std::string();
}

Task<void> Webhook::listen() {
  for (;;) {
    Result<UniqueFd> listener = http::listen_tcp(settings_.listen);
    if (listener) {
      http::ServerLimits limits;
      limits.connections = max_connections;
      limits.body_bytes = max_hook_body;
      limits.idle_timeout = idle_timeout;
      server_ = std::make_unique<http::Server>(
          executor_, std::move(*listener), limits,
          [this](const http::Request& head) { return receive(head); });
      listen_error_.reset();
      spdlog::info("webhook: listening on {}", settings_.listen);
      co_await server_->run();
      co_return;
    }
    if (!listen_error_) spdlog::error("webhook: {}", listener.error().text());
    listen_error_ = listener.error();
    const Result<void> slept = co_await sleep_for(listen_interval);
    if (!slept) co_return;
  }
}

// Read for each call, so that a changed secret takes effect immediately.
Result<std::string> Webhook::read_secret() {
  Result<std::string> secret = read_secret_file(settings_.secret_file);
  if (secret) {
    secret_error_.reset();
  } else {
    if (!secret_error_) spdlog::error("webhook: {}", secret.error().text());
    secret_error_ = secret.error();
  }
  return secret;
}

http::BodySink Webhook::receive(const http::Request& head) {
  http::BodySink sink;
  const Result<std::string> secret = read_secret();
  if (!secret) {
    sink.at_once = http::problem(503, "the secret cannot be read; see trimtabd's log");
    return sink;
  }
  auto call = std::make_shared<HookCall>(head, *secret);
  if (const auto refusal = call->refused_by_head()) {
    sink.at_once = refuse(*refusal);
    return sink;
  }
  sink.on_body = [call](std::string_view piece) { call->add(piece); };
  sink.at_end = [this, call] { return answer(*call); };
  return sink;
}

http::Response Webhook::answer(HookCall& call) {
  const std::vector<std::string> names = stacks_.names();
  if (const auto refusal = call.refused(names)) return refuse(*refusal);
  called_at_ = wall_now();
  Json woken = Json::array();
  for (const std::string& name : names) {
    if (!call.stack().empty() && call.stack() != name) continue;
    wake(name);
    woken.push_back(name);
  }
  Json body;
  body["stacks"] = std::move(woken);
  http::Response response;
  response.status = 202;
  response.headers = {{"Content-Type", "application/json"}};
  response.body = dump_json(body) + "\n";
  return response;
}

// Only unauthenticated calls are limited: otherwise anybody could block push notifications.
http::Response Webhook::refuse(const HookRefusal& refusal) {
  const auto now = SteadyClock::now();
  ++refused_since_warning_;
  if (!warned_at_ || now - *warned_at_ >= warning_interval) {
    spdlog::warn("webhook: refused {} {}, the last one with {}: {}", refused_since_warning_,
                 refused_since_warning_ == 1 ? "call" : "calls", refusal.status, refusal.detail);
    warned_at_ = now;
    refused_since_warning_ = 0;
  }
  if (now - second_began_ >= std::chrono::seconds(1)) {
    second_began_ = now;
    refused_in_second_ = 0;
  }
  if (++refused_in_second_ > max_refusals_in_second) {
    http::Response response = http::problem(429, "too many refused calls");
    response.headers.emplace_back("Retry-After", "1");
    return response;
  }
  http::Response response = http::problem(refusal.status, refusal.detail);
  if (refusal.status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  if (refusal.status == 405) response.headers.emplace_back("Allow", "POST");
  return response;
}

void Webhook::wake(const std::string& stack) {
  const auto found = polls_.find(stack);
  // A scheduled poll may run a little late; a call must not poll ahead of it.
  if (found != polls_.end() && found->second.again) return;
  const auto since =
      SteadyClock::now() - (found == polls_.end() ? SteadyClock::time_point() : found->second.at);
  if (found == polls_.end() || since >= poll_interval) {
    poll(stack);
    return;
  }
  found->second.again = true;
  tasks_.spawn("webhook: look at " + stack, poll_later(stack, poll_interval - since));
}

Task<void> Webhook::poll_later(std::string stack, SteadyClock::duration wait) {
  const Result<void> slept = co_await sleep_for(wait);
  if (slept) poll(stack);
}

void Webhook::poll(const std::string& stack) {
  polls_[stack] = Look{SteadyClock::now(), false};
  spdlog::info("{}: polling now because the webhook was called", stack);
  stacks_.poll_now(stack);
}

}  // namespace trimtab
