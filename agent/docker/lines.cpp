#include "agent/docker/lines.hpp"

#include <utility>

namespace trimtab {

bool LineSplitter::feed(std::string_view bytes, const OnLine& on_line) {
  while (wanted_ && !bytes.empty()) {
    const auto end = bytes.find('\n');
    const bool complete = end != std::string_view::npos;
    const std::size_t room = limit_ - partial_.size();
    const std::size_t taken = std::min(complete ? end : bytes.size(), room);
    partial_ += bytes.substr(0, taken);
    bytes.remove_prefix(taken);
    const bool ended = !bytes.empty() && bytes.front() == '\n';
    if (ended) bytes.remove_prefix(1);
    // A line of exactly the limit waits for the next byte, which may be its newline.
    if (!ended && bytes.empty()) return true;
    std::string line = std::exchange(partial_, {});
    if (ended && line.ends_with('\r')) line.pop_back();
    if (!on_line(line)) {
      wanted_ = false;
      return false;
    }
  }
  return wanted_;
}

bool LineSplitter::finish(const OnLine& on_line) {
  const std::string line = std::exchange(partial_, {});
  return wanted_ && (line.empty() || on_line(line));
}

}  // namespace trimtab
