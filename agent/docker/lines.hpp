// Cuts a stream of bytes into lines, whatever pieces it comes in.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace trimtab {

class LineSplitter {
 public:
  using OnLine = std::function<bool(std::string_view)>;

  // A line of more than `limit` bytes is given in several parts.
  explicit LineSplitter(std::size_t limit) : limit_(limit) {}

  // Calls on_line for each line that is complete now, without its "\n" or "\r\n", until on_line
  // gives false; then this does too, and the rest is dropped.
  bool feed(std::string_view bytes, const OnLine& on_line);
  // The last line, if it had no newline.
  bool finish(const OnLine& on_line);

 private:
  std::size_t limit_;
  std::string partial_;
  bool wanted_ = true;  // nothing of what comes after on_line gave false
};

}  // namespace trimtab
