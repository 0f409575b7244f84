#include "agent/sources/engine_watcher.hpp"

#include "agent/sources/backoff.hpp"
#include "common/log.hpp"

namespace trimtab {
namespace {

constexpr std::chrono::milliseconds first_wait = std::chrono::seconds(1);
constexpr int max_doublings = 5;  // 32 s: Docker is back within a minute, or a person intervenes

}  // namespace

EngineWatcher::EngineWatcher(asio::any_io_executor executor, Docker& docker,
                             std::function<void(const EngineEvent&)> on_event,
                             std::function<void()> on_connected, std::function<void()> on_lost)
    : wake_(std::move(executor)),
      docker_(docker),
      on_event_(std::move(on_event)),
      on_connected_(std::move(on_connected)),
      on_lost_(std::move(on_lost)) {}

Task<void> EngineWatcher::run() {
  int failures = 0;
  for (;;) {
    Result<EngineInfo> info = co_await docker_.info();
    Result<void> ended;
    if (info) {
      engine_ = std::move(*info);
      std::function<void()> on_connected = [this, &failures] {
        failures = 0;
        error_.reset();
        on_connected_();
      };
      std::function<void(const EngineEvent&)> on_event = [this](const EngineEvent& event) {
        last_event_nano_ = event.time_nano;
        on_event_(event);
      };
      ended = co_await docker_.events(last_event_nano_, on_connected, on_event);
    } else {
      ended = info.error();
    }
    if (!ended && ended.error().code == Errc::cancelled) co_return;
    if (!ended) {
      if (!error_) spdlog::warn("{}", ended.error().text());
      error_ = ended.error();
      on_lost_();
    }
    const auto wait = next_interval(first_wait, std::min(failures, max_doublings), random_jitter());
    ++failures;
    co_await wake_.wait_until(SteadyClock::now() + wait);
  }
}

}  // namespace trimtab
