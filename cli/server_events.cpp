#include "cli/server_events.hpp"

namespace trimtab::cli {

namespace {
constexpr std::size_t max_event = 1024 * 1024;
}

void EventParser::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    const std::string_view part = bytes.substr(0, end);
    overflown_ = overflown_ || line_.size() + part.size() > max_event;
    if (!overflown_) line_ += part;
    if (end == std::string_view::npos) return;
    bytes.remove_prefix(end + 1);
    if (line_.ends_with('\r')) line_.pop_back();
    take_line(line_);
    line_.clear();
  }
}

void EventParser::take_line(std::string_view line) {
  if (line.empty()) {
    if (!data_.empty() && !overflown_) on_event_(type_, data_);
    type_.clear();
    data_.clear();
    overflown_ = false;
    return;
  }
  const auto colon = line.find(':');
  const std::string_view name = line.substr(0, colon);
  std::string_view value = colon == std::string_view::npos ? "" : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (name == "event") type_ = value;
  if (name != "data") return;
  overflown_ = overflown_ || data_.size() + value.size() > max_event;
  if (overflown_) return;
  if (!data_.empty()) data_ += '\n';
  data_ += value;
}

}  // namespace trimtab::cli
