// An incremental HTTP/1.1 parser on top of Beast. Included only by the client's and the server's
// source files, to keep Beast out of other translation units.
#pragma once

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <functional>
#include <limits>
#include <string>
#include <string_view>

#include "common/http.hpp"

namespace trimtab::http {

// More than 15 members: Beast's parser interface, and the parts of the message.
template <bool is_request>
class MessageParser final : public boost::beast::http::basic_parser<is_request> {
  using Base = boost::beast::http::basic_parser<is_request>;
  using View = boost::beast::string_view;
  using error_code = boost::beast::error_code;

 public:
  MessageParser(std::size_t header_bytes, std::size_t body_bytes) : body_left_(body_bytes) {
    Base::header_limit(static_cast<std::uint32_t>(header_bytes));
    Base::body_limit(boost::none);  // bounded by body_left_ instead, for both kinds of bodies
  }

  // Passes the rest of the body to `on_body` (false: wants no more), without a size limit.
  void pass_body_to(std::function<bool(std::string_view)> on_body) {
    on_body_ = std::move(on_body);
  }

  // Consumes what it can from `buffer`. need_more: more bytes are required. Returns once after the
  // header is complete.
  error_code feed(boost::beast::flat_buffer& buffer) {
    error_code ec;
    while (!Base::is_done()) {
      if (buffer.size() == 0) return boost::beast::http::error::need_more;
      const bool in_header = !Base::is_header_done();
      buffer.consume(Base::put(buffer.cdata(), ec));
      if (ec) return ec;
      if (in_header && Base::is_header_done()) return {};
    }
    return {};
  }

  std::string method;
  std::string target;
  int version = 11;
  int status = 0;
  Headers headers;
  std::string body;
  bool refused_body = false;  // on_body returned false

 private:
  void on_request_impl(boost::beast::http::verb, View method_text, View target_text, int number,
                       error_code&) override {
    method.assign(method_text.data(), method_text.size());
    target.assign(target_text.data(), target_text.size());
    version = number;
  }
  void on_response_impl(int code, View, int number, error_code&) override {
    status = code;
    version = number;
  }
  void on_field_impl(boost::beast::http::field, View name, View value, error_code&) override {
    if (Base::is_header_done()) return;  // ignores the trailers of a chunked body
    headers.emplace_back(std::string(name.data(), name.size()),
                         std::string(value.data(), value.size()));
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>& length, error_code& ec) override {
    if (!on_body_ && length && *length > body_left_) ec = boost::beast::http::error::body_limit;
  }
  std::size_t on_body_impl(View bytes, error_code& ec) override { return take(bytes, ec); }
  void on_chunk_header_impl(std::uint64_t, View, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, View bytes, error_code& ec) override {
    return take(bytes, ec);
  }
  void on_finish_impl(error_code&) override {}

  std::size_t take(View bytes, error_code& ec) {
    const std::string_view piece(bytes.data(), bytes.size());
    if (on_body_) {
      refused_body = !piece.empty() && !on_body_(piece);
      if (refused_body) ec = boost::beast::http::error::end_of_stream;
    } else if (piece.size() > body_left_) {
      ec = boost::beast::http::error::body_limit;
    } else {
      body_left_ -= piece.size();
      body += piece;
    }
    return bytes.size();
  }

  std::function<bool(std::string_view)> on_body_;
  std::size_t body_left_;
};

}  // namespace trimtab::http
