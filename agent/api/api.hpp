// The routes of the status socket (config/openapi.yaml).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "agent/docker/docker.hpp"
#include "agent/reconcile/reconciler.hpp"
#include "common/http_server.hpp"

namespace trimtab {

class Api {
 public:
  // All outlive it.
  Api(asio::any_io_executor executor, std::map<std::string, std::unique_ptr<Reconciler>>& stacks,
      Docker& docker, const EngineWatcher& engine, const Compose& compose, EventBus& events);

  Task<http::Reply> handle(http::Request request, http::Peer peer);

 private:
  struct Route;
  Task<http::Reply> stack_route(Route route);
  Task<http::Reply> post_route(Route route, Reconciler* stack);
  http::Reply status() const;
  http::Reply logs(const Route& route, Reconciler& stack);
  http::Reply events(const Route& route);

  asio::any_io_executor executor_;
  std::map<std::string, std::unique_ptr<Reconciler>>& stacks_;
  Docker& docker_;
  const EngineWatcher& engine_;
  const Compose& compose_;
  EventBus& events_;
};

}  // namespace trimtab
