// Implements the routes of the status socket (config/openapi.yaml).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "agent/api/unavailable_stack.hpp"
#include "agent/docker/docker.hpp"
#include "agent/reconcile/reconciler.hpp"
#include "agent/webhook/webhook.hpp"
#include "common/http_server.hpp"

namespace trimtab {

// More than 15 members: it reads every part of the daemon that the API reports on.
class Api {
 public:
  // Shared, because a stack may be removed from the configuration while a request uses it.
  using Stacks = std::map<std::string, std::shared_ptr<Reconciler>>;

  // Returns the stack and the part of it that is stalled, for the user; "" if none is.
  using FindStalled = std::function<std::string()>;

  // All arguments must outlive this object.
  Api(asio::any_io_executor executor, Stacks& stacks, const UnavailableStacks& unavailable,
      Docker& docker, const EngineWatcher& engine, const Compose& compose, EventBus& events,
      const std::vector<std::string>& problems, const std::unique_ptr<Webhook>& webhook,
      FindStalled find_stalled);

  Task<http::Reply> handle(http::Request request, http::Peer peer);

 private:
  struct Route;
  Task<http::Reply> stack_route(Route route);
  Task<http::Reply> post_route(Route route, std::shared_ptr<Reconciler> stack);
  http::Reply health() const;
  http::Reply status() const;
  http::Reply logs(const Route& route, const std::shared_ptr<Reconciler>& stack);
  // Errors: Errc::not_found if it is no longer configured, those of Docker.
  Task<Result<std::vector<Container>>> containers_of(std::string stack);
  http::Reply events(const Route& route);

  asio::any_io_executor executor_;
  Stacks& stacks_;
  const UnavailableStacks& unavailable_;
  Docker& docker_;
  const EngineWatcher& engine_;
  const Compose& compose_;
  EventBus& events_;
  const std::vector<std::string>& problems_;  // problems of the configuration
  const std::unique_ptr<Webhook>& webhook_;   // null: not configured
  FindStalled find_stalled_;
};

}  // namespace trimtab
