#include "common/http.hpp"

#include <strings.h>

#include <algorithm>
#include <boost/beast/http/status.hpp>

#include "common/json.hpp"

namespace trimtab::http {

std::string_view find_header(const Headers& headers, std::string_view name) {
  const auto found = std::find_if(headers.begin(), headers.end(), [&](const auto& header) {
    return header.first.size() == name.size() &&
           ::strncasecmp(header.first.data(), name.data(), name.size()) == 0;
  });
  return found == headers.end() ? std::string_view{} : std::string_view(found->second);
}

std::string_view status_text(int status) {
  namespace beast_http = boost::beast::http;
  const auto text =
      beast_http::obsolete_reason(beast_http::int_to_status(static_cast<unsigned>(status)));
  return {text.data(), text.size()};
}

Response problem(int status, std::string_view detail, std::string_view hint) {
  Json document = Json::object();
  document["type"] = "about:blank";
  document["title"] = std::string(status_text(status));
  document["status"] = status;
  document["detail"] = std::string(detail);
  if (!hint.empty()) document["hint"] = std::string(hint);
  Response response;
  response.status = status;
  response.headers.emplace_back("Content-Type", "application/problem+json");
  response.body = dump_json(document) + "\n";
  return response;
}

}  // namespace trimtab::http
