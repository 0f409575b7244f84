// What the daemon and the service manager that started it tell each other. Everything here does
// nothing, or finds nothing, where no service manager did. Source: sd_notify(3),
// sd_watchdog_enabled(3), sd_listen_fds(3).
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "common/files.hpp"

namespace trimtab::service_manager {

// The daemon answers; `status` is one line for `systemctl status`.
void tell_ready(const std::string& status);
void tell_status(const std::string& status);
void tell_reloading();
void tell_stopping();
// Stopping may go on for so long from now.
void ask_for_time(std::chrono::seconds duration);

// The daemon must feed the watchdog more often than this; none where nobody watches.
std::optional<std::chrono::microseconds> watchdog_interval();
void feed_watchdog();

// The listening socket that was opened on the daemon's behalf.
std::optional<UniqueFd> inherited_socket();

}  // namespace trimtab::service_manager
