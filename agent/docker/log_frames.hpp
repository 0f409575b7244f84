// The Engine's log stream of a container without a terminal: frames of stdout and stderr in turn.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string_view>

namespace trimtab {

enum class LogStream { out, err };

// Takes the frames apart, in whatever pieces they come: 8 bytes of header (the stream, three zeros,
// the length in big-endian), then the bytes.
class LogDemultiplexer {
 public:
  using OnBytes = std::function<bool(LogStream, std::string_view)>;

  // Passes what is there on; false once on_bytes gave false or the bytes are no frames.
  bool feed(std::string_view bytes, const OnBytes& on_bytes);
  // Whether what was fed did not follow the framing.
  [[nodiscard]] bool malformed() const { return malformed_; }

 private:
  std::array<unsigned char, 8> header_{};
  std::size_t header_size_ = 0;
  std::uint32_t left_ = 0;  // bytes of the frame still to come
  LogStream stream_ = LogStream::out;
  bool malformed_ = false;
};

}  // namespace trimtab
