// Parses remotes and builds the environment with which Git talks to them. All pure except for
// reading token and key files.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/git/git.hpp"
#include "agent/model/wanted_ref.hpp"

namespace trimtab {

enum class GitProtocol { https, http, ssh, local };

struct Remote {
  GitProtocol protocol = GitProtocol::local;
  std::string url;
  std::string host;  // with the port if the URL has one; empty for a local path
};

// Accepts https://, http://, ssh:// and file:// URLs, user@host:path and absolute paths. invalid
// for everything else: other protocols, transport helpers (ext::…), options (-…), URLs that contain
// a password.
Result<Remote> parse_remote(std::string_view url);

struct AdvertisedRef {
  std::string object;
  std::string name;  // refs/…; ends with ^{} for a peeled tag
};
// Parses the output of `git ls-remote`. Other lines are skipped.
std::vector<AdvertisedRef> parse_ls_remote(std::string_view output);

// The tip of the wanted branch or of the highest-versioned matching tag; nothing if there is none.
std::optional<RefTip> find_tip(const std::vector<AdvertisedRef>& refs, const WantedRef& wanted);

// The value of an Authorization header for a token ("token" or "user:token"). If the token has no
// user, uses the one that this host's forge expects.
std::string basic_authorization(std::string_view token, std::string_view host);

// The value of the Authorization header for this https:// or http:// remote; "" if no token is
// configured. Fails if the token file cannot be used or the token would be sent in clear text.
Result<std::string> web_authorization(const GitAccess& access, const Remote& remote);

// Adds one setting to Git's environment. It overrides every configuration file.
void add_git_config(std::map<std::string, std::string>& environment, const std::string& key,
                    const std::string& value);

// The environment of every git child: no user or system settings, no prompts, hooks or helpers.
std::map<std::string, std::string> git_environment();

// The environment of a git child that talks to the remote, including its credentials, which appear
// in no argument and no URL. `global_file` is a configuration file written by trimtab, used for
// local paths. Fails if a key or token file cannot be used.
Result<std::map<std::string, std::string>> remote_environment(
    const GitAccess& access, const Remote& remote, const std::filesystem::path& global_file);

// The file with the pinned host keys.
std::filesystem::path known_hosts_file(const GitAccess& access);

}  // namespace trimtab
