#include "common/proxy.hpp"

#include <algorithm>
#include <cstdlib>

#include "common/text.hpp"
#include "common/url.hpp"

namespace trimtab::http {

namespace {

std::string variable(std::initializer_list<const char*> names) {
  for (const char* const name : names) {
    const char* const value = std::getenv(name);
    if (value != nullptr && *value != '\0') return value;
  }
  return {};
}

bool excepts(std::string_view entry, std::string_view host) {
  if (entry == "*") return true;
  // Curl allows a port, which is ignored.
  if (entry.starts_with('[')) {
    entry = entry.substr(1, entry.find(']') - 1);
  } else if (std::count(entry.begin(), entry.end(), ':') == 1) {
    entry = entry.substr(0, entry.find(':'));
  }
  if (entry.starts_with('.')) entry.remove_prefix(1);
  if (entry.empty() || !host.ends_with(entry)) return false;
  return host.size() == entry.size() || host[host.size() - entry.size() - 1] == '.';
}

}  // namespace

Result<Proxy> parse_proxy(std::string_view text) {
  const Error malformed{Errc::invalid, "expected a proxy's address such as http://proxy:3128", {}};
  std::string_view rest = text;
  if (const auto scheme = rest.find("://"); scheme != rest.npos) {
    if (lower_case(rest.substr(0, scheme)) != "http") {
      return Error{Errc::invalid, "expected a proxy with an http:// address", {}};
    }
    rest.remove_prefix(scheme + 3);
  }
  Proxy proxy;
  rest = rest.substr(0, rest.find('/'));
  if (const auto at = rest.rfind('@'); at != rest.npos) {
    auto credentials = percent_decode(rest.substr(0, at));
    if (!credentials) return malformed;
    proxy.credentials = std::move(*credentials);
    rest.remove_prefix(at + 1);
  }
  const auto url = parse_url("http://" + std::string(rest) + "/");
  if (!url) return malformed;
  proxy.host = url->host;
  proxy.port = url->port;
  return proxy;
}

Result<Proxy> proxy_for(const Proxies& proxies, bool tls, std::string_view host) {
  const std::string& address = tls ? proxies.https : proxies.http;
  const std::string name = lower_case(host);
  const bool straight =
      address.empty() || is_loopback_host(name) ||
      std::any_of(proxies.except.begin(), proxies.except.end(),
                  [&](const std::string& entry) { return excepts(lower_case(entry), name); });
  if (straight) return Proxy{};
  auto proxy = parse_proxy(address);
  if (!proxy) return proxy.error().context(tls ? "the proxy for https" : "the proxy for http");
  return proxy;
}

Proxies proxies_from_environment() {
  Proxies proxies;
  const std::string all = variable({"all_proxy", "ALL_PROXY"});
  proxies.http = variable({"http_proxy"});
  if (proxies.http.empty()) proxies.http = all;
  proxies.https = variable({"https_proxy", "HTTPS_PROXY"});
  if (proxies.https.empty()) proxies.https = all;
  for (const std::string& entry : split(variable({"no_proxy", "NO_PROXY"}), ',')) {
    const auto word = trim(entry);
    if (!word.empty()) proxies.except.emplace_back(word);
  }
  return proxies;
}

std::map<std::string, std::string> proxy_variables(const Proxies& proxies) {
  std::map<std::string, std::string> variables;
  if (!proxies.http.empty()) variables["http_proxy"] = proxies.http;
  if (!proxies.https.empty()) variables["https_proxy"] = proxies.https;
  if (variables.empty()) return variables;
  std::string except = "localhost,127.0.0.1,::1";
  for (const std::string& entry : proxies.except) except += "," + entry;
  variables["no_proxy"] = except;
  return variables;
}

}  // namespace trimtab::http
