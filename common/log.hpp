// The log: spdlog's default logger, set up once per program. Log with spdlog::info() and so on.
#pragma once

#include <spdlog/spdlog.h>

#include <string>
#include <string_view>

#include "common/result.hpp"

// Formatting is instantiated once, in log.cpp, rather than in every file that logs.
extern template void fmt::detail::vformat_to<char>(fmt::detail::buffer<char>&, fmt::string_view,
                                                   fmt::format_args, fmt::detail::locale_ref);

namespace trimtab {

// Sends the log to standard error, one line per message: with the priority prefix of sd-daemon(3)
// if the journal reads it (which adds the time itself), otherwise with time and level. `level` is
// one of trace, debug, info, warning, error, critical, off; invalid otherwise.
Result<void> set_up_log(std::string_view level);

// Whether standard error, and thus the log, goes to the journal.
bool journal_reads_log();

// Returns the syslog(3) priority of a level: '2' to '7'.
char syslog_priority(spdlog::level::level_enum level);

// Returns the message as one line without control characters.
std::string log_line(std::string_view message);

}  // namespace trimtab
