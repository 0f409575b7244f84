// Decodes the Engine's log stream of a container without a terminal: interleaved frames of stdout
// and stderr.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string_view>

namespace trimtab {

enum class LogStream { out, err };

// Decodes the frames, however the stream is chunked. A frame is 8 bytes of header (stream, three
// zeros, big-endian length) and its payload.
class LogDemultiplexer {
 public:
  using OnBytes = std::function<bool(LogStream, std::string_view)>;

  // Passes on the payload. Returns false once on_bytes has returned false or the framing is
  // invalid.
  bool feed(std::string_view bytes, const OnBytes& on_bytes);
  // Whether the input violated the framing.
  [[nodiscard]] bool malformed() const { return malformed_; }

 private:
  std::array<unsigned char, 8> header_{};
  std::size_t header_size_ = 0;
  std::uint32_t left_ = 0;  // remaining bytes of the current frame
  LogStream stream_ = LogStream::out;
  bool malformed_ = false;
};

}  // namespace trimtab
