#include "agent/git/remote.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "agent/git/version_order.hpp"
#include "common/files.hpp"
#include "common/hash.hpp"
#include "common/process.hpp"
#include "common/text.hpp"
#include "common/trusted_file.hpp"
#include "common/url.hpp"

namespace trimtab {

namespace {

constexpr std::size_t max_url = 2048;

Error bad_url(const std::string& why, const std::string& hint = {}) {
  return Error{
      Errc::invalid, "git.url: " + why,
      hint.empty() ? "write it as https://HOST/PATH, git@HOST:PATH or an absolute path" : hint};
}

bool has_control_or_space(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte <= 0x20 || byte == 0x7F;
  });
}

// Parses the authority of a URL: [user[:password]@]host[:port].
Result<Remote> parse_authority(GitProtocol protocol, std::string_view url,
                               std::string_view after_scheme) {
  const std::string_view authority = after_scheme.substr(0, after_scheme.find('/'));
  const auto at = authority.rfind('@');
  const std::string_view host = at == std::string_view::npos ? authority : authority.substr(at + 1);
  const std::string_view user = at == std::string_view::npos ? "" : authority.substr(0, at);
  const bool web = protocol != GitProtocol::ssh;
  if (host.empty() || host.front() == '-' || user.starts_with('-')) {
    return bad_url("it has no host");
  }
  if (after_scheme.size() <= authority.size() + 1) return bad_url("it has no repository");
  if (user.find(':') != std::string_view::npos || (web && !user.empty())) {
    return bad_url("it contains a user or password, which every status would show",
                   "put the token into a file and set git.token_file to it");
  }
  return Remote{protocol, std::string(url), std::string(host)};
}

// Whether ssh takes the path literally: it expands %, ~ and $, and splits at spaces.
bool is_plain_path(const std::filesystem::path& path) {
  const std::string text = path.string();
  return text.starts_with('/') && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  std::string_view("/._-+@=,").find(c) != std::string_view::npos;
         });
}

Result<std::string> ssh_command(const GitAccess& access) {
  const auto known_hosts = known_hosts_file(access);
  for (const auto& path : {access.key, known_hosts}) {
    if (!path.empty() && !is_plain_path(path)) {
      return Error{Errc::invalid, "ssh cannot use the path " + path.string(),
                   "use an absolute path of letters, digits and /._-+@=,"};
    }
  }
  if (!access.key.empty() && ::access(access.key.c_str(), R_OK) != 0) {
    Error error = os_error("read the SSH key", access.key, errno);
    error.hint = "`trimtab init` creates a deploy key; set git.key to its file";
    return error;
  }
  if (!access.key.empty()) {
    const auto trusted = check_trusted(access.key, Privacy::secret);
    if (!trusted) return trusted.error().context("git.key");
  }
  // A missing file is fine here: ssh then reports the host as unknown.
  const auto pinned = check_trusted(known_hosts, Privacy::open);
  if (!pinned && pinned.error().code != Errc::not_found) {
    return pinned.error().context("git.known_hosts");
  }
  return fmt::format(
      "ssh -F /dev/null -o BatchMode=yes -o IdentitiesOnly=yes -o IdentityAgent=none -o "
      "IdentityFile={} -o UserKnownHostsFile={} -o GlobalKnownHostsFile=/dev/null -o "
      "StrictHostKeyChecking=yes -o UpdateHostKeys=no -o ConnectTimeout=10 -o "
      "ServerAliveInterval=15 -o ServerAliveCountMax=3 -o ControlMaster=no -o ControlPath=none",
      access.key.empty() ? "none" : access.key.string(), known_hosts.string());
}

// "https://host:port/": restricts the settings under it to this server.
std::string server_of(const Remote& remote) {
  return (remote.protocol == GitProtocol::https ? "https://" : "http://") + remote.host + "/";
}

Result<void> add_web_access(const GitAccess& access, const Remote& remote,
                            std::map<std::string, std::string>& environment) {
  for (const auto& [name, value] : http::proxy_variables(access.proxies)) {
    environment[name] = value;
  }
  if (!access.ca_file.empty()) {
    add_git_config(environment, "http.sslCAInfo", access.ca_file.string());
    add_git_config(environment, "http.sslCAPath", "/etc/ssl/certs");
  }
  const auto authorization = web_authorization(access, remote);
  if (!authorization) return authorization.error();
  if (authorization->empty()) return {};
  add_git_config(environment, fmt::format("http.{}.extraHeader", server_of(remote)),
                 "Authorization: " + *authorization);
  // On a redirect Git would send the header to whatever host it names.
  add_git_config(environment, "http.followRedirects", "false");
  return {};
}

}  // namespace

Result<Remote> parse_remote(std::string_view url) {
  if (url.empty()) return bad_url("it is empty");
  if (url.size() > max_url) return bad_url("it is too long");
  if (url.front() == '-') return bad_url("it starts with a dash, like an option");
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  if (std::any_of(url.begin(), url.end(), control)) {
    return bad_url("it has control characters in it");
  }
  if (url.front() == '/') return Remote{GitProtocol::local, std::string(url), {}};

  const auto scheme_end = url.find("://");
  const std::string_view scheme =
      scheme_end == std::string_view::npos ? "" : url.substr(0, scheme_end);
  if (scheme == "file") {
    if (!url.substr(7).starts_with('/')) return bad_url("a file:// URL needs an absolute path");
    return Remote{GitProtocol::local, std::string(url), {}};
  }
  if (has_control_or_space(url)) return bad_url("it has spaces in it");
  if (scheme == "https") return parse_authority(GitProtocol::https, url, url.substr(8));
  if (scheme == "http") return parse_authority(GitProtocol::http, url, url.substr(7));
  if (scheme == "ssh") return parse_authority(GitProtocol::ssh, url, url.substr(6));
  if (!scheme.empty() || url.find("::") != std::string_view::npos) {
    return bad_url("trimtab does not support this protocol");
  }
  // user@host:path: the colon comes before any slash
  const auto colon = url.find(':');
  if (colon == std::string_view::npos || colon > url.find('/')) {
    return bad_url("it is neither a URL nor an absolute path");
  }
  const std::string_view login = url.substr(0, colon);
  const auto at = login.rfind('@');
  const std::string_view host = at == std::string_view::npos ? login : login.substr(at + 1);
  if (host.empty() || host.front() == '-' || login.front() == '-' || colon + 1 == url.size()) {
    return bad_url("it has no host or no repository");
  }
  return Remote{GitProtocol::ssh, std::string(url), std::string(host)};
}

std::vector<AdvertisedRef> parse_ls_remote(std::string_view output) {
  std::vector<AdvertisedRef> refs;
  for (const std::string& line : split(output, '\n')) {
    const auto tab = line.find('\t');
    if (tab != 40 && tab != 64) continue;
    if (line.substr(0, tab).find_first_not_of("0123456789abcdef") != std::string::npos) continue;
    refs.push_back({line.substr(0, tab), line.substr(tab + 1)});
  }
  return refs;
}

std::optional<RefTip> find_tip(const std::vector<AdvertisedRef>& refs, const WantedRef& wanted) {
  std::optional<RefTip> tip;
  if (!wanted.is_tag) {
    for (const AdvertisedRef& ref : refs) {
      if (ref.name == std::string(heads_prefix) + wanted.name) tip = RefTip{ref.name, ref.object};
    }
    return tip;
  }
  for (const AdvertisedRef& ref : refs) {
    if (!ref.name.starts_with(tags_prefix) || ref.name.ends_with("^{}")) continue;
    const std::string tag = ref.name.substr(tags_prefix.size());
    if (!wanted.matches_tag(tag)) continue;
    if (!tip || is_older_version(tip->name, ref.name)) tip = RefTip{ref.name, ref.object};
  }
  for (const AdvertisedRef& ref : refs) {
    if (tip && ref.name == tip->name + "^{}") tip->commit = ref.object;
  }
  return tip;
}

std::string basic_authorization(std::string_view token, std::string_view host) {
  std::string pair(token);
  if (token.find(':') == std::string_view::npos) {
    std::string user = "x-access-token";
    for (const std::string& label : split(host.substr(0, host.find(':')), '.')) {
      if (label == "gitlab") user = "oauth2";
      if (label == "bitbucket") user = "x-token-auth";
    }
    pair = user + ":" + pair;
  }
  return "Basic " + base64_encode(pair);
}

Result<std::string> web_authorization(const GitAccess& access, const Remote& remote) {
  if (access.token_file.empty()) return std::string();
  if (remote.protocol == GitProtocol::http) {
    const auto url = http::parse_url(remote.url);
    if (!url || !http::is_loopback_host(url->host)) {
      return Error{Errc::invalid, "git.token_file: http:// would send the token unencrypted",
                   "use https://"};
    }
  }
  auto token = read_secret_file(access.token_file);
  if (!token) {
    Error error = token.error().context("git.token_file");
    if (error.hint.empty()) error.hint = "write the access token into that file, mode 0600";
    return error;
  }
  return basic_authorization(*token, remote.host);
}

void add_git_config(std::map<std::string, std::string>& environment, const std::string& key,
                    const std::string& value) {
  std::string& count = environment["GIT_CONFIG_COUNT"];
  const std::string index = count.empty() ? "0" : count;
  environment["GIT_CONFIG_KEY_" + index] = key;
  environment["GIT_CONFIG_VALUE_" + index] = value;
  count = std::to_string(std::atoi(index.c_str()) + 1);
}

std::map<std::string, std::string> git_environment() {
  auto environment = minimal_environment();
  environment.insert({
      {"HOME", "/nonexistent"},
      {"GIT_CONFIG_NOSYSTEM", "1"},
      {"GIT_CONFIG_GLOBAL", "/dev/null"},
      {"GIT_ATTR_NOSYSTEM", "1"},
      {"GIT_TERMINAL_PROMPT", "0"},
      {"GIT_ASKPASS", "/bin/false"},
      {"SSH_ASKPASS_REQUIRE", "never"},
      {"GIT_ALLOW_PROTOCOL", "none"},
      {"GIT_NO_LAZY_FETCH", "1"},
      {"GIT_NO_REPLACE_OBJECTS", "1"},
      {"GIT_LITERAL_PATHSPECS", "1"},
      {"GIT_CEILING_DIRECTORIES", "/"},
  });
  const std::pair<const char*, const char*> settings[] = {
      {"safe.directory", "*"},  // every call names its directory; no repository is discovered
      {"core.hooksPath", "/dev/null"},
      {"core.fsmonitor", "false"},
      {"core.attributesFile", "/dev/null"},
      {"core.excludesFile", "/dev/null"},
      {"core.untrackedCache", "false"},
      {"core.autocrlf", "false"},
      {"core.fileMode", "true"},
      {"core.symlinks", "true"},
      {"core.quotePath", "false"},
      {"core.fsync", "committed,loose-object"},
      {"protocol.version", "2"},
      {"transfer.fsckObjects", "true"},
      // Old tools wrote these into histories that every forge serves; they are harmless.
      {"fetch.fsck.zeroPaddedFilemode", "ignore"},
      {"fetch.fsck.missingSpaceBeforeDate", "ignore"},
      {"fetch.fsck.badTimezone", "ignore"},
      {"transfer.bundleURI", "false"},
      {"fetch.unpackLimit", "1"},  // one pack to sync instead of many loose objects
      {"fetch.recurseSubmodules", "false"},
      {"submodule.recurse", "false"},
      {"credential.helper", ""},
      {"gc.auto", "0"},
      {"maintenance.auto", "false"},
      // A small host has neither cores nor memory to spare for packing.
      {"pack.threads", "1"},
      {"pack.windowMemory", "16m"},
      {"http.lowSpeedLimit", "1000"},
      {"http.lowSpeedTime", "30"},
  };
  for (const auto& [key, value] : settings) add_git_config(environment, key, value);
  return environment;
}

Result<std::map<std::string, std::string>> remote_environment(
    const GitAccess& access, const Remote& remote, const std::filesystem::path& global_file) {
  auto environment = git_environment();
  switch (remote.protocol) {
    case GitProtocol::https:
    case GitProtocol::http: {
      environment["GIT_ALLOW_PROTOCOL"] =
          remote.protocol == GitProtocol::https ? "https" : "http:https";
      if (auto added = add_web_access(access, remote, environment); !added) return added.error();
      break;
    }
    case GitProtocol::ssh: {
      auto command = ssh_command(access);
      if (!command) return command.error();
      environment["GIT_ALLOW_PROTOCOL"] = "ssh";
      environment["GIT_SSH_COMMAND"] = *command;
      environment["GIT_SSH_VARIANT"] = "ssh";
      break;
    }
    case GitProtocol::local:
      environment["GIT_ALLOW_PROTOCOL"] = "file";
      // Git does not pass settings from the environment to the upload-pack process.
      environment["GIT_CONFIG_GLOBAL"] = global_file.string();
      break;
  }
  return environment;
}

std::filesystem::path known_hosts_file(const GitAccess& access) {
  return access.known_hosts.empty() ? default_known_hosts : access.known_hosts;
}

}  // namespace trimtab
