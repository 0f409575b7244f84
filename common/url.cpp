// Hand-written, because Boost.URL 1.81 cannot safely parse untrusted input: it accepts
// "https://host:80x/" and the port 99999, and fails an assertion on "http:?".
#include "common/url.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <charconv>

#include "common/number.hpp"
#include "common/text.hpp"

namespace trimtab::http {

namespace {

bool parse_port(std::string_view text, std::uint16_t& port) {
  port = parse_number<std::uint16_t>(text).value_or(0);
  return port != 0;
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

Result<Url> resolve_reference(const Url& base, std::string_view reference) {
  if (reference.starts_with("//")) {
    return parse_url((base.tls ? "https:" : "http:") + std::string(reference));
  }
  if (!reference.starts_with('/')) return parse_url(reference);
  return parse_url((base.tls ? "https://" : "http://") +
                   authority_of(base.tls, base.host, base.port) + std::string(reference));
}

std::string authority_of(bool tls, const std::string& host, std::uint16_t port) {
  const bool is_v6 = host.find(':') != std::string::npos;
  const std::string name = is_v6 ? "[" + host + "]" : host;
  return port == (tls ? 443 : 80) ? name : fmt::format("{}:{}", name, port);
}

std::optional<Target> parse_target(std::string_view target, Plus plus) {
  if (!target.starts_with('/') || !is_visible_ascii(target)) return std::nullopt;
  Target parts;
  bool is_well_formed = true;
  const auto decode = [&](std::string_view text) {
    const auto decoded = percent_decode(text);
    is_well_formed = is_well_formed && decoded;
    return decoded.value_or("");
  };
  const auto decode_form = [&](std::string text) {
    if (plus == Plus::is_space) std::replace(text.begin(), text.end(), '+', ' ');
    return decode(text);
  };
  const auto question = target.find('?');
  for (const std::string& segment : split(target.substr(0, question), '/')) {
    if (!segment.empty()) parts.path.push_back(decode(segment));
  }
  const auto query = question == target.npos ? "" : target.substr(question + 1);
  for (const std::string& pair : split(query, '&')) {
    if (pair.empty()) continue;
    const auto equals = std::min(pair.find('='), pair.size());
    const std::string value = equals == pair.size() ? "" : pair.substr(equals + 1);
    parts.query.emplace_back(decode_form(pair.substr(0, equals)), decode_form(value));
  }
  return is_well_formed ? std::optional(std::move(parts)) : std::nullopt;
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned value = 0;
    const char* const end = text.data() + i + 3;
    if (i + 3 > text.size() || std::from_chars(end - 2, end, value, 16).ptr != end) return {};
    out += static_cast<char>(value);
    i += 2;
  }
  return out;
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool unreserved = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                            (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
    if (unreserved) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += digits[byte >> 4U];
    out += digits[byte & 0xFU];
  }
  return out;
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
