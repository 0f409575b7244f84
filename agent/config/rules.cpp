#include "agent/config/rules.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "agent/config/address.hpp"
#include "common/text.hpp"
#include "common/url.hpp"

namespace trimtab {
namespace {

bool is_loopback_url(std::string_view web_url) {
  const Result<http::Url> url = http::parse_url(web_url);
  return url && http::is_loopback_host(url->host);
}

void check_git(const GitSettings& git, Document& document) {
  if (git.url.empty()) return;
  const GitTransport transport = git_transport(git.url);
  const bool is_ssh = transport == GitTransport::ssh;
  const bool is_web = transport == GitTransport::https || transport == GitTransport::http;
  if (is_ssh && !document.has("git.key")) {
    document.report_key("git.url",
                        "an SSH url needs git.key, the file of a private deploy key; `trimtab "
                        "init` creates one");
  }
  for (const char* key : {"git.key", "git.known_hosts"}) {
    if (document.has(key) && !is_ssh) {
      document.report_key(key, fmt::format("{} is only for SSH urls, and git.url is not one{}", key,
                                           is_web ? "; https takes git.token_file" : ""));
    }
  }
  for (const char* key : {"git.token_file", "git.ca_file"}) {
    if (document.has(key) && !is_web) {
      document.report_key(key, fmt::format("{} is only for https urls, and git.url is not one{}",
                                           key, is_ssh ? "; SSH takes git.key" : ""));
    }
  }
  if (transport == GitTransport::http && !is_loopback_url(git.url)) {
    const bool sends_token = document.has("git.token_file");
    document.report_key("git.url",
                        sends_token
                            ? "http:// would send the token unencrypted; use https://"
                            : "http:// is not encrypted: anybody on the network path could deploy "
                              "anything as root; use https:// (git.ca_file trusts a "
                              "certificate of your own) or SSH");
  }
}

void refuse_same(std::vector<LoadedStack>& stacks, const std::string& key,
                 const std::function<std::string(const StackSettings&)>& value) {
  std::map<std::string, std::vector<LoadedStack*>> by_value;
  for (LoadedStack& stack : stacks) by_value[value(stack.settings)].push_back(&stack);
  for (const auto& [same, group] : by_value) {
    for (LoadedStack* stack : group) {
      // None of the conflicting stacks is loaded, because nobody can tell which one is meant to
      // have the value.
      const LoadedStack* other = group.front() == stack ? group.back() : group.front();
      if (other == stack) continue;
      stack->document.report_key(
          key, fmt::format("{} {} is also used by {}; each stack needs its own", key,
                           in_quotes(same), other->document.file().string()));
    }
  }
}

// A stack's checkout would change, or remove, what another stack keeps in it.
void refuse_nested(std::vector<LoadedStack>& stacks) {
  for (LoadedStack& inner : stacks) {
    for (LoadedStack& outer : stacks) {
      const std::string above = outer.settings.directory.string() + "/";
      if (!inner.settings.directory.string().starts_with(above)) continue;
      inner.document.report_key("directory",
                                fmt::format("directory {} lies in that of {}",
                                            in_quotes(inner.settings.directory.string()),
                                            outer.document.file().string()));
      outer.document.report_key("directory",
                                fmt::format("directory {} contains that of {}",
                                            in_quotes(outer.settings.directory.string()),
                                            inner.document.file().string()));
    }
  }
}

}  // namespace

void check_daemon(const DaemonSettings& daemon, Document& document) {
  std::set<std::string> hosts;
  for (const RegistrySettings& registry : daemon.registries) {
    if (registry.host.empty() || hosts.insert(registry.host).second) continue;
    document.report_key("registries", in_quotes(registry.host) + " is listed twice");
  }
}

void check_stack(const StackSettings& stack, Document& document) {
  check_git(stack.git, document);
  if (stack.directory == "/") {
    document.report_key("directory", "the root directory cannot be a stack's checkout");
  }
  constexpr std::array shared = {"/bin", "/home", "/lib", "/media", "/mnt", "/opt",     "/root",
                                 "/run", "/sbin", "/srv", "/tmp",   "/var", "/var/lib", "/var/www"};
  if (std::find(shared.begin(), shared.end(), stack.directory) != shared.end()) {
    document.report_key(
        "directory",
        fmt::format("{} holds what is not the stack's; take a directory in it, such as {}",
                    stack.directory.string(), (stack.directory / stack.name).string()));
  }
  if (stack.directory.string().find(':') != std::string::npos) {
    document.report_key("directory", "\":\" is not allowed: Git and Docker separate paths by it");
  }
  const std::string directory = stack.directory.string() + "/";
  bool is_own = false;
  for (const char* own : {"/etc/trimtab/", "/var/lib/trimtab/"}) {
    if (directory.starts_with(own)) {
      is_own = true;
      document.report_key("directory", fmt::format("{} belongs to trimtab and is removed when its "
                                                   "package is purged; use /srv/{} or the like",
                                                   own, stack.name));
    }
  }
  for (const char* closed : {"/usr/", "/etc/", "/boot/", "/efi/", "/proc/", "/sys/", "/dev/"}) {
    if (!is_own && directory.starts_with(closed)) {
      document.report_key(
          "directory",
          fmt::format(
              "{} is not accessible to trimtabd because of its unit; use /srv/{} or the like",
              closed, stack.name));
    }
  }
  if (stack.gate.stable >= stack.gate.timeout) {
    const std::string key = document.has("gate.stable") ? "gate.stable" : "gate.timeout";
    document.report_key(
        key, fmt::format("gate.stable ({}) must be shorter than gate.timeout ({})",
                         format_duration(stack.gate.stable), format_duration(stack.gate.timeout)));
  }
}

void check_stacks(std::vector<LoadedStack>& stacks) {
  refuse_nested(stacks);
  refuse_same(stacks, "directory",
              [](const StackSettings& stack) { return stack.directory.string(); });
  refuse_same(stacks, "unit", [](const StackSettings& stack) { return stack.unit; });
  // The `name:` of a Compose file may change a default project name, but it is not known here.
  refuse_same(stacks, "project", [](const StackSettings& stack) {
    return stack.project.empty() ? stack.name : stack.project;
  });
}

}  // namespace trimtab
