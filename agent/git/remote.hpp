// What a remote and a ref are, and how Git is let at a remote: all pure but for reading the token.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/git/git.hpp"

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

// What a stack follows: a branch, or the newest of the tags that match a pattern.
struct WantedRef {
  bool is_tag = false;
  std::string name;  // the branch, or the pattern; without refs/heads/ or refs/tags/

  [[nodiscard]] bool matches_tag(const std::string& tag) const;
  // How all the refs that it may mean begin: refs/heads/production, refs/tags/v for v*.
  [[nodiscard]] std::string prefix() const;
};

// A branch name (production, refs/heads/production), or a tag pattern: with * or ? in it, or behind
// refs/tags/. invalid where Git would not take it as a name.
Result<WantedRef> parse_ref(std::string_view text);

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
