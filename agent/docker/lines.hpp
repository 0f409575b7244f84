// Splits a byte stream into lines, however it is chunked.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace trimtab {

class LineSplitter {
 public:
  using OnLine = std::function<bool(std::string_view)>;

  // A line longer than `limit` bytes is delivered in several parts.
  explicit LineSplitter(std::size_t limit) : limit_(limit) {}

  // Calls on_line for each line that is now complete, without its "\n" or "\r\n". Once on_line
  // returns false, this returns false and the rest is dropped.
  bool feed(std::string_view bytes, const OnLine& on_line);
  // Delivers the last line if it has no newline.
  bool finish(const OnLine& on_line);

 private:
  std::size_t limit_;
  std::string partial_;
  bool wanted_ = true;  // false once on_line has returned false
};

}  // namespace trimtab
