// The log: spdlog's default logger, set up once by each program. Call spdlog::info() and the like.
#pragma once

#include <spdlog/spdlog.h>

#include <string>
#include <string_view>

#include "common/result.hpp"

// What writes any message's parts is compiled once, in log.cpp, and not where something is logged.
extern template void fmt::detail::vformat_to<char>(fmt::detail::buffer<char>&, fmt::string_view,
                                                   fmt::format_args, fmt::detail::locale_ref);

namespace trimtab {

// Sends the log to standard error, one line a message: with the priority prefix of sd-daemon(3)
// where the journal reads it (it adds the time itself), else with the time and the level. `level`
// is one of trace, debug, info, warning, error, critical, off; invalid otherwise.
Result<void> set_up_log(std::string_view level);

// Whether standard error, and so the log, goes to the journal.
bool journal_reads_log();

// The syslog(3) priority of a level: '2' to '7'.
char syslog_priority(spdlog::level::level_enum level);

// The message on one line that cannot drive a terminal.
std::string log_line(std::string_view message);

}  // namespace trimtab
