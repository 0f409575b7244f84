#include "agent/docker/log_frames.hpp"

#include <algorithm>

namespace trimtab {

bool LogDemultiplexer::feed(std::string_view bytes, const OnBytes& on_bytes) {
  while (!bytes.empty() && !malformed_) {
    if (left_ > 0) {
      const std::string_view piece = bytes.substr(0, left_);
      left_ -= static_cast<std::uint32_t>(piece.size());
      bytes.remove_prefix(piece.size());
      if (!on_bytes(stream_, piece)) return false;
      continue;
    }
    header_.at(header_size_++) = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    if (header_size_ < header_.size()) continue;
    header_size_ = 0;
    // 0 is stdin, which is treated as stdout; 3 is an error message of the Engine itself.
    malformed_ = header_[0] > 3 || header_[1] != 0 || header_[2] != 0 || header_[3] != 0;
    stream_ = header_[0] >= 2 ? LogStream::err : LogStream::out;
    left_ = 0;
    for (std::size_t i = 4; i < header_.size(); ++i) left_ = left_ << 8 | header_[i];
  }
  return !malformed_;
}

}  // namespace trimtab
