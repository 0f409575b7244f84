// HTTP/1.1 messages, shared by the client and the server.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trimtab::http {

using Headers = std::vector<std::pair<std::string, std::string>>;

// Returns the first value of a header (names are case-insensitive), or "". Valid as long as
// `headers`.
std::string_view find_header(const Headers& headers, std::string_view name);

struct Request {
  std::string method = "GET";
  std::string target;  // path and query
  Headers headers;     // the sender adds Host and Content-Length
  std::string body;
};

struct Response {
  int status = 0;
  Headers headers;  // the sender adds Content-Length and Connection
  std::string body;
  [[nodiscard]] std::string_view header(std::string_view name) const {
    return find_header(headers, name);
  }
};

// "Not Found" for 404.
std::string_view status_text(int status);

// An RFC 9457 problem document: what went wrong with this request, for the user.
Response problem(int status, std::string_view detail, std::string_view hint = {});

}  // namespace trimtab::http
