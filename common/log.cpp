#include "common/log.hpp"

#include <fmt/core.h>
#include <spdlog/formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "common/text.hpp"

template void fmt::detail::vformat_to<char>(fmt::detail::buffer<char>&, fmt::string_view,
                                            fmt::format_args, fmt::detail::locale_ref);

namespace trimtab {

namespace {

class LineFormatter final : public spdlog::formatter {
 public:
  explicit LineFormatter(bool for_journal) : for_journal_(for_journal) {}

  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& into) override {
    std::string line;
    if (for_journal_) {
      line = {'<', syslog_priority(message.level), '>'};
    } else {
      const auto level = spdlog::level::to_string_view(message.level);
      line = format_time(std::chrono::floor<std::chrono::milliseconds>(message.time)) + " " +
             std::string(level.data(), level.size()) + " ";
    }
    line += log_line({message.payload.data(), message.payload.size()});
    line += '\n';
    into.append(line.data(), line.data() + line.size());
  }

  [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<LineFormatter>(for_journal_);
  }

 private:
  bool for_journal_;
};

}  // namespace

// Compares with the device and inode that systemd put into JOURNAL_STREAM, because standard error
// may have been redirected since.
bool journal_reads_log() {
  const char* const stream = std::getenv("JOURNAL_STREAM");
  struct stat info {};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &info) != 0) return false;
  return stream == fmt::format("{}:{}", info.st_dev, info.st_ino);
}

char syslog_priority(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::critical:
      return '2';
    case spdlog::level::err:
      return '3';
    case spdlog::level::warn:
      return '4';
    case spdlog::level::info:
      return '6';
    default:
      return '7';
  }
}

std::string log_line(std::string_view message) {
  std::string line;
  for (const std::string& part : split(printable(trim(message)), '\n')) {
    if (!line.empty()) line += " | ";
    line += part;
  }
  return line;
}

Result<void> set_up_log(std::string_view level) {
  const auto known = spdlog::level::from_str(std::string(level));
  if (known == spdlog::level::off && level != "off") {
    return Error{Errc::invalid, fmt::format("unknown log level \"{}\"", printable(level)),
                 "use one of trace, debug, info, warning, error, critical, off"};
  }
  auto logger =
      std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_formatter(std::make_unique<LineFormatter>(journal_reads_log()));
  logger->set_level(known);
  spdlog::set_default_logger(std::move(logger));
  return {};
}

}  // namespace trimtab
