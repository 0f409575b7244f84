// What a remote is, and how Git is let at a remote: all pure but for reading the token.
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
  std::string host;  // with the port where one is given; empty for a local path
};

// https://, http://, ssh:// and file:// URLs, user@host:path, and absolute paths. invalid for all
// else: other protocols, transport helpers (ext::…), options (-…), URLs with a password in them.
Result<Remote> parse_remote(std::string_view url);

struct AdvertisedRef {
  std::string object;
  std::string name;  // refs/…; a peeled tag's ends with ^{}
};
// The lines of `git ls-remote`; others are skipped.
std::vector<AdvertisedRef> parse_ls_remote(std::string_view output);

// Where the wanted branch or the newest matching tag points; nothing where there is none.
std::optional<RefTip> find_tip(const std::vector<AdvertisedRef>& refs, const WantedRef& wanted);

// The value of an Authorization header for a token ("token" or "user:token"): the user that the
// forge on this host wants where the file names none.
std::string basic_authorization(std::string_view token, std::string_view host);

// The value of the Authorization header for this https:// or http:// remote; "" where no token is
// configured. Fails where the token file cannot be used, or the token would go in the clear.
Result<std::string> web_authorization(const GitAccess& access, const Remote& remote);

// Adds one setting to an environment for Git; it wins over every file.
void add_git_config(std::map<std::string, std::string>& environment, const std::string& key,
                    const std::string& value);

// What every Git child gets: no user's or system's settings, no prompts, no hooks or helpers.
std::map<std::string, std::string> git_environment();

// The same for talking to the remote, with its credentials: in no argument and no URL.
// `global_file` is a settings file of ours, for local paths. Fails where a key or token file cannot
// be used.
Result<std::map<std::string, std::string>> remote_environment(
    const GitAccess& access, const Remote& remote, const std::filesystem::path& global_file);

// The file with the pinned host keys.
std::filesystem::path known_hosts_file(const GitAccess& access);

}  // namespace trimtab
