// Communication with the service manager that started the daemon. Does nothing, or returns nothing,
// if there is none. Source: sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3).
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "common/files.hpp"

namespace trimtab::service_manager {

// Reports that the daemon answers. `status` is one line for `systemctl status`.
void notify_ready(const std::string& status);
void notify_status(const std::string& status);
void notify_reloading();
void notify_stopping();
// Extends the stop timeout to `duration` from now.
void ask_for_time(std::chrono::seconds duration);

// Returns the watchdog timeout: feed_watchdog() must be called more often than that. None if there
// is no watchdog.
std::optional<std::chrono::microseconds> watchdog_interval();
void feed_watchdog();

// Returns the listening socket passed by socket activation.
std::optional<UniqueFd> inherited_socket();

}  // namespace trimtab::service_manager
