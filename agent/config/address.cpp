#include "agent/config/address.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "agent/config/reader.hpp"
#include "agent/model/reference.hpp"
#include "common/proxy.hpp"
#include "common/text.hpp"
#include "common/url.hpp"

namespace trimtab {
namespace {

constexpr const char* git_url_forms =
    "expected the address of a repository, such as git@github.com:acme/shop.git or "
    "https://github.com/acme/shop.git";

// Whether the text is an SSH user or host name. A leading "-" would turn it into a command-line
// option.
bool is_ssh_name(std::string_view text) {
  return !text.empty() && text.front() != '-' && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

// Checks user@host:path, the form of scp.
std::string scp_form_complaint(std::string_view url) {
  const std::size_t colon = url.find(':');
  if (colon == std::string_view::npos || colon + 1 == url.size()) return git_url_forms;
  const std::string_view address = url.substr(0, colon);
  const std::size_t at = address.find('@');
  if (at == std::string_view::npos && is_ssh_name(address)) {
    return "the url has no user; most hosts require git@ before the host";
  }
  if (at == std::string_view::npos || !is_ssh_name(address.substr(0, at)) ||
      !is_ssh_name(address.substr(at + 1))) {
    return git_url_forms;
  }
  return {};
}

// `url` must begin with http:// or https://.
std::string web_url_complaint(std::string_view url) {
  if (!http::parse_url(url)) return "the url's host or port is not valid";
  if (url.find('#') != std::string_view::npos) return "\"#\" is not allowed in the url";
  return {};
}

// Checks the host and path that follow the scheme.
std::string repository_complaint(std::string_view rest) {
  const std::string as_web_url = fmt::format("http://{}", rest);
  if (std::string complaint = web_url_complaint(as_web_url); !complaint.empty()) return complaint;
  if (rest.find('?') != std::string_view::npos) return "\"?\" is not allowed in the url";
  const std::size_t slash = rest.find('/');
  if (slash == std::string_view::npos || slash + 1 == rest.size()) {
    return "the url names a host but no repository";
  }
  return {};
}

// `rest` is what follows ssh://.
std::string ssh_url_complaint(std::string_view rest) {
  const std::string_view authority = rest.substr(0, rest.find('/'));
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    const std::string_view user = authority.substr(0, at);
    if (user.find(':') != std::string_view::npos) {
      return "passwords do not belong in the url; use a deploy key and set key to its file";
    }
    if (!is_ssh_name(user)) return git_url_forms;
    rest.remove_prefix(at + 1);
  }
  if (rest.starts_with("-")) return git_url_forms;
  return repository_complaint(rest);
}

bool has_user_info(std::string_view after_scheme) {
  return after_scheme.substr(0, after_scheme.find_first_of("/?#")).find('@') !=
         std::string_view::npos;
}

// Whether anything is not visible ASCII, which a URL must percent-encode.
bool has_foreign_characters(std::string_view url) {
  return std::any_of(url.begin(), url.end(), [](char c) { return c <= ' ' || c >= '\x7f'; });
}

}  // namespace

bool has_parent_segment(std::string_view path) {
  const std::vector<std::string> segments = split(path, '/');
  return std::find(segments.begin(), segments.end(), "..") != segments.end();
}

GitTransport git_transport(std::string_view url) {
  if (url.starts_with("/")) return GitTransport::local;
  if (url.starts_with("https://")) return GitTransport::https;
  if (url.starts_with("http://")) return GitTransport::http;
  return GitTransport::ssh;
}

std::string git_url_complaint(std::string_view url) {
  if (has_parent_segment(url)) return "\"..\" is not allowed in a url";
  if (url.starts_with("/")) return {};
  if (has_foreign_characters(url)) {
    return "spaces and characters beyond ASCII are not allowed in a url";
  }
  const std::size_t scheme_end = url.find("://");
  if (scheme_end == std::string_view::npos) return scp_form_complaint(url);
  const std::string_view scheme = url.substr(0, scheme_end);
  const std::string_view rest = url.substr(scheme_end + 3);
  if (scheme == "ssh") return ssh_url_complaint(rest);
  if (scheme == "https" || scheme == "http") {
    if (has_user_info(rest)) {
      return "user names, passwords and tokens do not belong in the url, which is shown and "
             "logged; put \"user:token\" in a file and name it with token_file";
    }
    return repository_complaint(rest);
  }
  if (scheme == "file") {
    return "write a repository on this host as an absolute path, without file://";
  }
  return "only https://, http://, ssh:// and user@host:path are supported";
}

std::string probe_url_complaint(std::string_view url) {
  if (has_foreign_characters(url)) {
    return "spaces and characters beyond ASCII are not allowed in a url";
  }
  if (!url.starts_with("http://") && !url.starts_with("https://")) {
    return "expected a url that starts with http:// or https://";
  }
  if (has_user_info(url.substr(url.find("://") + 3))) {
    return "user names and passwords do not belong in the url, which is shown and logged";
  }
  return web_url_complaint(url);
}

std::string registry_complaint(const std::string& host) {
  const auto reference = parse_reference(host + "/team/image");
  if (reference && reference->registry == host) return {};
  return "expected a registry as images name it, such as docker.io, ghcr.io or 127.0.0.1:5000, "
         "found " +
         in_quotes(host);
}

std::string proxy_complaint(const std::string& address) {
  const auto proxy = http::parse_proxy(address);
  if (!proxy) return proxy.error().message;
  if (proxy->credentials.empty()) return {};
  return "a proxy's password does not belong in this file, which others may read; set "
         "https_proxy in the service's environment instead";
}

std::string listen_complaint(const std::string& address) {
  // Names are refused because the address that they resolve to may change.
  const auto url = http::parse_url("http://" + address + "/");
  const bool has_port = address.find_last_of(':') != address.npos && !address.ends_with(']');
  if (url && url->target == "/" && has_port && http::is_ip_address(url->host)) return {};
  return "expected ADDRESS:PORT such as 127.0.0.1:9000 or [::1]:9000, found " + in_quotes(address);
}

}  // namespace trimtab
