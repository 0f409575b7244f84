#include "cli/terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace trimtab::cli {

namespace {

// While the block is drawn the terminal truncates long lines, so that each takes one row.
constexpr std::string_view wrap_off = "\x1b[?7l";
constexpr std::string_view wrap_on = "\x1b[?7h";

winsize size_of_terminal() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) size = {};
  return size;
}

void write(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

std::string_view environment(const char* name) {
  const char* const value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): one thread
  return value == nullptr ? std::string_view() : std::string_view(value);
}

}  // namespace

Terminal::Terminal() {
  const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  const std::string_view kind = environment("TERM");
  live_ = terminal && !kind.empty() && kind != "dumb";
  colour_ = live_ && environment("NO_COLOR").empty();
}

Screen Terminal::screen() const {
  Screen screen;
  screen.colour = colour_;
  screen.now = wall_now();
  if (live_) screen.width = size_of_terminal().ws_col;
  return screen;
}

std::string Terminal::erase() const {
  if (drawn_ == 0) return {};
  return "\x1b[" + std::to_string(drawn_) + "A\r\x1b[J";
}

void Terminal::print(const Lines& lines) {
  if (lines.empty()) return;
  std::string out = erase();
  drawn_ = 0;
  for (const std::string& line : lines) out += line + "\n";
  write(out);
}

void Terminal::redraw(const Lines& lines) {
  const std::size_t rows = size_of_terminal().ws_row;
  const std::size_t count = rows > 1 ? std::min(lines.size(), rows - 1) : lines.size();
  std::string out = erase();
  out += wrap_off;
  for (std::size_t i = 0; i < count; ++i) out += lines[i] + "\n";
  out += wrap_on;
  drawn_ = count;
  write(out);
}

void Terminal::keep() {
  drawn_ = 0;
}

}  // namespace trimtab::cli
