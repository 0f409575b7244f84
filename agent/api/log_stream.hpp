// Streams the logs of a stack's containers to a client.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agent/docker/docker.hpp"
#include "common/http_server.hpp"

namespace trimtab {

constexpr int max_log_tail = 10'000;

struct LogRequest {
  std::vector<std::string> services;  // all if empty
  int tail = 0;                       // last lines of each container, at most max_log_tail
  bool follow = false;
};

// Asks for the stack's containers. Errors: Errc::not_found if there is no such stack any more,
// those of Docker.
using FindContainers = std::function<Task<Result<std::vector<Container>>>()>;

// Writes `service | text` for each line. With `follow` it goes on until the client disconnects or
// the stack is no longer configured: containers that a deployment or a restart starts meanwhile are
// followed too, from their first line, and a log that Docker breaks off goes on. `docker` and
// `stream` must outlive the task.
Task<void> stream_logs(asio::any_io_executor executor, Docker* docker, FindContainers find,
                       LogRequest request, http::Stream* stream);

}  // namespace trimtab
