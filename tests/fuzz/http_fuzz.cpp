// The parser of the status socket's requests and of all answers: bounded, and the same whether
// the bytes come at once or one by one.
#include <algorithm>
#include <boost/asio/buffer.hpp>

#include "common/http_parser.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace trimtab::fuzz {

namespace {

constexpr std::size_t header_bytes = 1024;
constexpr std::size_t body_bytes = 1024;

template <bool is_request>
bool read(std::string_view bytes, std::size_t piece, std::string& body) {
  http::MessageParser<is_request> parser(header_bytes, body_bytes);
  boost::beast::flat_buffer buffer;
  while (!bytes.empty() && !parser.is_done()) {
    const auto some = bytes.substr(0, piece);
    bytes.remove_prefix(some.size());
    buffer.commit(boost::asio::buffer_copy(buffer.prepare(some.size()),
                                           boost::asio::buffer(some.data(), some.size())));
    boost::beast::error_code ec;
    do {
      ec = parser.feed(buffer);
    } while (!ec && !parser.is_done());
    if (ec && ec != boost::beast::http::error::need_more) return false;
  }
  body = parser.body;
  require(body.size() <= body_bytes);
  return parser.is_done();
}

template <bool is_request>
void compare(std::string_view input) {
  std::string whole;
  std::string pieces;
  const bool done = read<is_request>(input, std::string_view::npos, whole);
  const bool done_in_pieces = read<is_request>(input, 1, pieces);
  if (done && done_in_pieces) require(whole == pieces);
}

}  // namespace

void run(std::string_view input) {
  compare<true>(input);
  compare<false>(input);
}

}  // namespace trimtab::fuzz
