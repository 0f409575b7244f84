// Figures that people write, and text that goes to a terminal.
#include "common/text.hpp"

#include "common/hash.hpp"
#include "common/url.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace trimtab::fuzz {

void run(std::string_view input) {
  if (const auto duration = parse_duration(input))
    require(parse_duration(format_duration(*duration)) == duration);
  if (const auto time = parse_time(input)) require(parse_time(format_time(*time)) == time);
  if (const auto size = parse_size(input)) human_size(*size);
  const auto shown = printable(input);
  require(shown.find('\x1b') == std::string::npos && printable(shown) == shown);
  last_lines(input, 3);
  if (const auto bytes = base64_decode(input))
    require(base64_decode(base64_encode(*bytes)) == bytes);
  if (const auto url = http::parse_url(input)) require(url->target.starts_with('/'));
  const http::Url base{true, "host", 443, "/a/b?c"};
  if (const auto url = http::resolve_reference(base, input)) {
    require(url->target.starts_with('/'));
  }
  static_cast<void>(http::parse_target(input, http::Plus::is_space));
  require(http::percent_decode(http::percent_encode(input)) == input);
}

}  // namespace trimtab::fuzz
