// Validates addresses in the settings: of repositories, probes, registries, proxies and listeners.
#pragma once

#include <string>
#include <string_view>

namespace trimtab {

enum class GitTransport { ssh, https, http, local };

// How Git reaches an address that git_url_complaint accepts.
GitTransport git_transport(std::string_view url);

// Returns what is wrong with the address of a repository and what to write instead; empty if valid.
// Never quotes the URL, which may contain a password.
std::string git_url_complaint(std::string_view url);

// The same for a URL that the gate probes over HTTP.
std::string probe_url_complaint(std::string_view url);

// The same for a registry as images name it: docker.io, ghcr.io, 127.0.0.1:5000.
std::string registry_complaint(const std::string& host);

// The same for a proxy; never quotes the address.
std::string proxy_complaint(const std::string& address);

// The same for an ADDRESS:PORT to listen on.
std::string listen_complaint(const std::string& address);

// Whether one of the path's segments is "..".
bool has_parent_segment(std::string_view path);

}  // namespace trimtab
