#include "agent/notify/service_manager.hpp"

#include <fmt/core.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>

#include "common/text.hpp"

namespace trimtab::service_manager {
namespace {

constexpr int keep_environment = 0;
constexpr int unset_environment = 1;

void send_state(const std::string& message) {
  // A failure is ignored: it only means that nobody listens.
  ::sd_notify(keep_environment, message.c_str());
}

}  // namespace

void notify_ready(const std::string& status) {
  send_state("READY=1\nSTATUS=" + one_line(status));
}

void notify_status(const std::string& status) {
  send_state("STATUS=" + one_line(status));
}

void notify_reloading() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const std::int64_t microseconds =
      static_cast<std::int64_t>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1'000;
  send_state(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", microseconds));
}

void notify_stopping() {
  send_state("STOPPING=1\nSTATUS=stopping");
}

void ask_for_time(std::chrono::seconds duration) {
  send_state(fmt::format("EXTEND_TIMEOUT_USEC={}",
                         std::chrono::duration_cast<std::chrono::microseconds>(duration).count()));
}

std::optional<std::chrono::microseconds> watchdog_interval() {
  std::uint64_t microseconds = 0;
  if (::sd_watchdog_enabled(keep_environment, &microseconds) <= 0) return std::nullopt;
  return std::chrono::microseconds(static_cast<std::int64_t>(microseconds));
}

void feed_watchdog() {
  send_state("WATCHDOG=1");
}

std::optional<UniqueFd> inherited_socket() {
  const int count = ::sd_listen_fds(unset_environment);
  std::optional<UniqueFd> socket;
  for (int i = 0; i < count; ++i) {
    UniqueFd fd(SD_LISTEN_FDS_START + i);
    const bool listens = ::sd_is_socket_unix(fd.get(), SOCK_STREAM, 1, nullptr, 0) > 0;
    if (listens && !socket) socket = std::move(fd);
  }
  return socket;
}

}  // namespace trimtab::service_manager
