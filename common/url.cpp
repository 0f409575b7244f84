#include "common/url.hpp"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <charconv>

namespace trimtab::http {

namespace {

bool is_visible_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

bool parse_port(std::string_view text, std::uint16_t& port) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port != 0;
}

bool is_host(std::string_view text, bool bracketed) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [bracketed](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           (bracketed ? c == ':' : c == '-' || c == '_');
  });
}

}  // namespace

Result<Url> parse_url(std::string_view text) {
  const Error no_url{Errc::invalid, "not a URL of the form http(s)://host[:port]/path", {}};
  if (!is_visible_ascii(text)) return no_url;
  Url url;
  if (text.starts_with("https://")) {
    text.remove_prefix(8);
    url.tls = true;
    url.port = 443;
  } else if (text.starts_with("http://")) {
    text.remove_prefix(7);
    url.port = 80;
  } else {
    return no_url;
  }

  const auto authority = text.substr(0, text.find_first_of("/?#"));
  text.remove_prefix(authority.size());
  url.target = text.substr(0, text.find('#'));
  if (!url.target.starts_with('/')) url.target.insert(0, "/");

  std::string_view host = authority.substr(0, authority.find(':'));
  std::string_view port = authority.substr(host.size());
  const bool bracketed = authority.starts_with('[');
  if (bracketed) {
    const auto end = authority.find(']');
    if (end == std::string_view::npos) return no_url;
    host = authority.substr(1, end - 1);
    port = authority.substr(end + 1);
  }
  if (!is_host(host, bracketed)) return no_url;
  url.host = host;
  if (port.empty()) return url;
  if (!port.starts_with(':') || !parse_port(port.substr(1), url.port)) return no_url;
  return url;
}

bool is_ip_address(const std::string& host) {
  boost::system::error_code ec;
  boost::asio::ip::make_address(host, ec);
  return !ec;
}

bool is_loopback_host(const std::string& host) {
  boost::system::error_code ec;
  const auto address = boost::asio::ip::make_address(host, ec);
  return ec ? host == "localhost" : address.is_loopback();
}

}  // namespace trimtab::http
