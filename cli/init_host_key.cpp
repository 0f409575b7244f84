#include "cli/init_host_key.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "common/hash.hpp"
#include "common/text.hpp"

namespace trimtab::cli {

namespace {

struct PublishedKeys {
  std::array<std::string_view, 2> hosts;  // the second one answers on port 443
  std::string_view where;
  std::array<std::string_view, 3> fingerprints;  // Ed25519, ECDSA, RSA
};

constexpr PublishedKeys published_keys[] = {
    {{"github.com", "ssh.github.com"},
     "https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/"
     "githubs-ssh-key-fingerprints",
     {"SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU",
      "SHA256:p2QAMXNIC1TJYWeIOttrVc98/R1BUFWu3/LiyKgUfQM",
      "SHA256:uNiVztksCsDhcc0u9e8BujQXVUpKZIDTMczCvj3tD2s"}},
    {{"gitlab.com", "altssh.gitlab.com"},
     "https://docs.gitlab.com/user/gitlab_com/#ssh-host-keys-fingerprints",
     {"SHA256:eUXGGm1YGsMAS7vkcx6JOJdOGHPem5gQp4taiCfCLB8",
      "SHA256:HbW3g8zUjNSksFbqTiUWPWg2Bq1x8xdGUrliXFzSnUw",
      "SHA256:ROQFvPThGrW4RuWLoL9tq9I9zJ42fK4XywyRtbOz/EQ"}},
    {{"bitbucket.org", "altssh.bitbucket.org"},
     "https://support.atlassian.com/bitbucket-cloud/docs/configure-ssh-and-two-step-verification/",
     {"SHA256:ybgmFkzwOSotHTHLJgHO0QN8L0xErw6vd0VhFA9m3SM",
      "SHA256:FC73VB6C4OQLSCrjEayhMp9UMxS97caD/Yyi2bhW/J0",
      "SHA256:46OSHA1Rmj8E8ERTC6xkNcmGOw9oFxYr0WF6zWW8l1E"}},
};

const PublishedKeys* find_published(std::string_view host) {
  for (const PublishedKeys& keys : published_keys) {
    if (std::find(keys.hosts.begin(), keys.hosts.end(), host) != keys.hosts.end()) return &keys;
  }
  return nullptr;
}

// Best type first. type_of returns "" for types that are not pinned.
constexpr std::array<std::string_view, 3> types = {"ed25519", "ecdsa", "rsa"};

std::string type_of(std::string_view name) {
  if (name == "ssh-ed25519") return "ed25519";
  if (name.starts_with("ecdsa-sha2-")) return "ecdsa";
  return name == "ssh-rsa" ? "rsa" : "";
}

std::string fingerprint_of(std::string_view key) {
  std::string digest;
  const std::string hex = sha256_hex(key);
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    digest += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  std::string text = base64_encode(digest);
  while (text.ends_with('=')) text.pop_back();
  return "SHA256:" + text;
}

std::string names_of(const std::vector<HostKey>& keys) {
  std::vector<std::string> names;
  for (const HostKey& key : keys) names.push_back(key.fingerprint + " (" + key.type + ")");
  return join(names, ", ");
}

}  // namespace

std::vector<HostKey> parse_host_keys(std::string_view lines) {
  std::vector<HostKey> keys;
  for (const std::string& line : split(lines, '\n')) {
    const auto words = split(trim(line), ' ');
    // "#" begins a comment, "@" a marker such as @revoked.
    if (words.size() < 3 || words[0].starts_with('#') || words[0].starts_with('@')) continue;
    const std::string type = type_of(words[1]);
    const auto key = base64_decode(words[2]);
    if (type.empty() || !key) continue;
    keys.push_back({words[0] + " " + words[1] + " " + words[2], type, fingerprint_of(*key)});
  }
  const auto rank = [](const HostKey& key) {
    return std::find(types.begin(), types.end(), key.type) - types.begin();
  };
  std::stable_sort(keys.begin(), keys.end(),
                   [&](const HostKey& a, const HostKey& b) { return rank(a) < rank(b); });
  return keys;
}

std::string HostAddress::known_as() const {
  return port == "22" ? host : "[" + host + "]:" + port;
}

HostAddress parse_host_address(std::string_view host_and_port) {
  HostAddress address;
  const bool bracketed = host_and_port.starts_with('[');
  const auto end = bracketed ? host_and_port.find(']') : host_and_port.find(':');
  address.host = host_and_port.substr(0, end);
  if (bracketed) address.host.erase(0, 1);
  std::transform(address.host.begin(), address.host.end(), address.host.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (end == std::string_view::npos) return address;
  std::string_view rest = host_and_port.substr(bracketed ? end + 1 : end);
  if (rest.size() > 1 && rest.front() == ':') address.port = rest.substr(1);
  return address;
}

Result<VerifiedKey> verify_host_keys(const std::string& host, const std::vector<HostKey>& keys,
                                     const std::string& fingerprint) {
  if (keys.empty()) {
    return Error{Errc::unavailable, host + " presented no SSH host key of a supported type", {}};
  }
  if (!fingerprint.empty()) {
    for (const HostKey& key : keys) {
      if (key.fingerprint == fingerprint) return VerifiedKey{key, Trust::given};
    }
    return Error{Errc::untrusted,
                 fmt::format("the SSH host keys of {} are not {}: it presented {}", host,
                             fingerprint, names_of(keys)),
                 "do not continue unless its operator confirms one of these; nothing was pinned"};
  }
  const PublishedKeys* const published = find_published(host);
  if (published == nullptr) return VerifiedKey{keys.front(), Trust::unknown};
  for (const HostKey& key : keys) {
    const auto& known = published->fingerprints;
    if (std::find(known.begin(), known.end(), key.fingerprint) != known.end()) {
      return VerifiedKey{key, Trust::published};
    }
  }
  return Error{Errc::untrusted,
               fmt::format("{} presented an SSH host key that it has not published: {}", host,
                           names_of(keys)),
               fmt::format("the connection may be intercepted; if {} lists it now, pass that "
                           "fingerprint as --host-fingerprint",
                           published->where)};
}

}  // namespace trimtab::cli
