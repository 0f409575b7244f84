#include "agent/registry/aws_signature.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <ctime>
#include <map>
#include <utility>
#include <vector>

#include "common/hash.hpp"
#include "common/text.hpp"

namespace trimtab {

namespace {

constexpr const char* algorithm = "AWS4-HMAC-SHA256";

// 20150830T123600Z; the first eight characters are the date.
std::string compact_time(WallTime time) {
  const std::time_t seconds = WallClock::to_time_t(time);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::string text(sizeof "20150830T123600Z", '\0');
  text.resize(std::strftime(text.data(), text.size(), "%Y%m%dT%H%M%SZ", &parts));
  return text;
}

// Trims the value and collapses runs of spaces.
std::string canonical_value(std::string_view value) {
  std::string out;
  for (const char c : trim(value))
    if (c != ' ' || !out.ends_with(' ')) out += c;
  return out;
}

std::string canonical_query(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> parameters;
  for (const std::string& part : split(query, '&')) {
    if (part.empty()) continue;
    const auto equals = part.find('=');
    parameters.emplace_back(part.substr(0, equals),
                            equals == part.npos ? std::string() : part.substr(equals + 1));
  }
  std::sort(parameters.begin(), parameters.end());
  std::vector<std::string> parts;
  for (const auto& [name, value] : parameters) parts.push_back(name + "=" + value);
  return join(parts, "&");
}

}  // namespace

http::Headers aws_signature(const http::Request& request, const std::string& host,
                            const AwsKeys& keys, const AwsScope& scope, WallTime time) {
  const std::string now = compact_time(time);
  http::Headers added = {{"X-Amz-Date", now}};
  if (!keys.session_token.empty()) added.emplace_back("X-Amz-Security-Token", keys.session_token);

  // Sorted by name; values of the same name keep the request's order.
  std::map<std::string, std::string> headers = {{"host", host}};
  const auto add = [&](const http::Headers& more) {
    for (const auto& [name, value] : more) {
      std::string& joined = headers[lower_case(name)];
      if (!joined.empty()) joined += ',';
      joined += canonical_value(value);
    }
  };
  add(request.headers);
  add(added);
  std::string lines;
  std::vector<std::string> names;
  for (const auto& [name, value] : headers) {
    lines += name + ":" + value + "\n";
    names.push_back(name);
  }
  const std::string signed_headers = join(names, ";");

  const auto query = request.target.find('?');
  const std::string path = request.target.substr(0, query);
  const std::string canonical =
      request.method + "\n" + path + "\n" +
      (query == std::string::npos ? std::string()
                                  : canonical_query(request.target.substr(query + 1))) +
      "\n" + lines + "\n" + signed_headers + "\n" + sha256_hex(request.body);

  const std::string day = now.substr(0, 8);
  const std::string credential_scope =
      fmt::format("{}/{}/{}/aws4_request", day, scope.region, scope.service);
  const std::string to_sign =
      fmt::format("{}\n{}\n{}\n{}", algorithm, now, credential_scope, sha256_hex(canonical));
  std::string key = "AWS4" + keys.secret_access_key;
  for (const std::string& part : {day, scope.region, scope.service, std::string("aws4_request")})
    key = hmac_sha256(key, part);
  added.emplace_back("Authorization",
                     fmt::format("{} Credential={}/{}, SignedHeaders={}, Signature={}", algorithm,
                                 keys.access_key_id, credential_scope, signed_headers,
                                 hex_encode(hmac_sha256(key, to_sign))));
  return added;
}

}  // namespace trimtab
