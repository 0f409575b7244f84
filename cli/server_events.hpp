// Parses server-sent events, as far as the daemon uses them.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace trimtab::cli {

// Assembles events from the pieces of a stream. Ignores comments and events without data; drops an
// event with a line of more than 1 MiB.
class EventParser {
 public:
  using OnEvent = std::function<void(std::string_view type, std::string_view data)>;
  explicit EventParser(OnEvent on_event) : on_event_(std::move(on_event)) {}
  void feed(std::string_view bytes);

 private:
  void take_line(std::string_view line);

  OnEvent on_event_;
  std::string line_;
  std::string type_;
  std::string data_;
  bool overflown_ = false;
};

}  // namespace trimtab::cli
