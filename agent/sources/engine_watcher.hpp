// Follows the Engine's events and keeps up the knowledge of whether Docker is there.
#pragma once

#include <functional>
#include <optional>

#include "agent/docker/docker.hpp"
#include "common/async.hpp"

namespace trimtab {

class EngineWatcher {
 public:
  // `docker` outlives it. `on_event` gets every event; `on_connected` is called when what runs must
  // be read anew: events before it may have been lost; `on_lost` when Docker went away.
  EngineWatcher(asio::any_io_executor executor, Docker& docker,
                std::function<void(const EngineEvent&)> on_event,
                std::function<void()> on_connected, std::function<void()> on_lost);
  Task<void> run();
  // Tries to connect at once, where Docker was away.
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
