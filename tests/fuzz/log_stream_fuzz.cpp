// The Engine's log stream gives the same lines in whatever pieces it comes.
#include <algorithm>
#include <string>

#include "agent/docker/lines.hpp"
#include "agent/docker/log_frames.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace trimtab::fuzz {

namespace {

struct Log {
  std::string text;
  bool malformed = false;
};

Log read(std::string_view bytes, std::size_t piece) {
  Log log;
  LogDemultiplexer frames;
  LineSplitter lines(64);
  const auto on_line = [&](std::string_view line) {
    log.text += std::string(line) + "\n";
    return true;
  };
  const auto on_bytes = [&](LogStream, std::string_view payload) {
    return lines.feed(payload, on_line);
  };
  while (!bytes.empty() && frames.feed(bytes.substr(0, piece), on_bytes))
    bytes.remove_prefix(std::min(piece, bytes.size()));
  lines.finish(on_line);
  log.malformed = frames.malformed();
  return log;
}

}  // namespace

void run(std::string_view input) {
  const auto whole = read(input, std::string_view::npos);
  const auto pieces = read(input, 3);
  require(whole.text == pieces.text && whole.malformed == pieces.malformed);
}

}  // namespace trimtab::fuzz
