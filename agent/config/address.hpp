// Which addresses the settings may name: those of repositories and those that the gate asks.
#pragma once

#include <string>
#include <string_view>

namespace trimtab {

enum class GitTransport { ssh, https, http, local };

// How Git reaches an address that git_url_complaint accepts.
GitTransport git_transport(std::string_view url);

// What is wrong with the address of a repository, and what to write instead; empty: nothing. Never
// quotes the url, which may hold a password.
std::string git_url_complaint(std::string_view url);

// The same for a url that the gate asks over HTTP.
std::string probe_url_complaint(std::string_view url);

// The same for a registry as images name it: docker.io, ghcr.io, 127.0.0.1:5000.
std::string registry_complaint(const std::string& host);

// The same for a proxy; quotes nothing, as above.
std::string proxy_complaint(const std::string& address);

// The same for ADDRESS:PORT to listen at.
std::string listen_complaint(const std::string& address);

// Whether one of the path's segments is "..".
bool has_parent_segment(std::string_view path);

}  // namespace trimtab
