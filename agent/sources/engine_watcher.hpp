// Follows the Engine's events and tracks whether Docker is available.
#pragma once

#include <functional>
#include <optional>

#include "agent/docker/docker.hpp"
#include "common/async.hpp"

namespace trimtab {

class EngineWatcher {
 public:
  // `docker` must outlive this object. Calls `on_event` for every event, `on_connected` when the
  // state of the containers must be read again because events may have been missed, and `on_lost`
  // when Docker becomes unavailable.
  EngineWatcher(asio::any_io_executor executor, Docker& docker,
                std::function<void(const EngineEvent&)> on_event,
                std::function<void()> on_connected, std::function<void()> on_lost);
  Task<void> run();
  // Reconnects immediately if Docker is unavailable.
  void poll_now() { wake_.notify(); }

  [[nodiscard]] const std::optional<EngineInfo>& engine() const { return engine_; }
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

 private:
  WakeEvent wake_;
  Docker& docker_;
  std::function<void(const EngineEvent&)> on_event_;
  std::function<void()> on_connected_;
  std::function<void()> on_lost_;
  std::optional<EngineInfo> engine_;
  std::optional<Error> error_;
  std::int64_t last_event_nano_ = 0;
};

}  // namespace trimtab
