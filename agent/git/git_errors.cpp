#include "agent/git/git_errors.hpp"

#include <fmt/core.h>

#include <string>
#include <vector>

#include "common/retry_after.hpp"
#include "common/text.hpp"

namespace trimtab {

namespace {

// Applies if Git's message contains one of `needles`. In message and hint {url}, {host}, {key},
// {known_hosts} and {words} are replaced by the values of this remote.
struct Rule {
  std::vector<std::string_view> needles;
  Errc code;
  std::string_view message;
  std::string_view hint;
};

const std::vector<Rule>& disk_rules() {
  static const std::vector<Rule> known_rules = {
      {{"No space left on device", "Disk quota exceeded"},
       Errc::no_space,
       "the disk is full",
       "free some space; `df -h` shows which disk is full"},
      {{"Read-only file system"},
       Errc::failed,
       "the file system is mounted read-only",
       "often after a disk error: see `dmesg`"},
      {{"Cannot allocate memory", "Out of memory", "died of signal 9"},
       Errc::unavailable,
       "Git ran out of memory",
       "this is retried; add swap if it keeps happening"},
  };
  return known_rules;
}

// The first matching rule wins, so a specific cause comes before a message that only reports a
// failure.
const std::vector<Rule>& remote_rules() {
  static const std::vector<Rule> known_rules = {
      {{"REMOTE HOST IDENTIFICATION HAS CHANGED"},
       Errc::untrusted,
       "the SSH host key of {host} differs from the one pinned in {known_hosts}",
       "the connection may be intercepted; if the host has published a new key, replace its line "
       "there"},
      {{"Host key verification failed", "host key is known for"},
       Errc::untrusted,
       "no SSH host key of {host} is pinned in {known_hosts}",
       "compare the output of `ssh-keyscan` with the key that the host publishes, then add it "
       "there"},
      {{"UNPROTECTED PRIVATE KEY FILE", "bad permissions"},
       Errc::denied,
       "ssh does not use {key}: it is readable by others",
       "chmod 600 {key}"},
      {{"error in libcrypto", "invalid format"},
       Errc::denied,
       "{key} is not a private SSH key without a passphrase",
       "`trimtab init` creates one"},
      {{"Permission denied ("},
       Errc::denied,
       "{host} refuses the SSH key {key}",
       "add its public key to the repository's deploy keys"},
      {{"certificate verification failed", "SSL certificate problem", "certificate subject name",
        "no alternative certificate", "unable to get local issuer", "certificate has expired",
        "SSL: certificate", "error setting certificate"},
       Errc::untrusted,
       "the TLS certificate of {host} cannot be verified",
       "set git.ca_file to the CA that signed it; check the clock with `timedatectl`"},
      {{"Authentication failed", "could not read Username", "could not read Password",
        "terminal prompts disabled", "returned error: 401", "returned error: 403",
        "HTTP Basic: Access denied"},
       Errc::denied,
       "{host} denies access to {url}: the token is missing, wrong or expired, or lacks read "
       "permission",
       "put a new token into git.token_file"},
      {{"unable to update url base from redirection", "returned error: 301", "returned error: 302",
        "returned error: 307", "returned error: 308"},
       Errc::invalid,
       "{url} redirects to another address, where the token is not sent",
       "set git.url to the new address"},
      {{"returned error: 404", "Repository not found", "' not found", "repository not found",
        "does not appear to be a git repository", "could not be found", "not a git repository",
        "no such repository", "does not exist"},
       Errc::not_found,
       "there is no repository at {url}, or these credentials cannot see it",
       "check git.url and the access of the key or token"},
      {{"returned error: 429"},
       Errc::unavailable,
       "{host} limits the rate of requests (429)",
       "this is retried later; a longer git.interval may help"},
      {{"couldn't find remote ref", "no such remote ref"},
       Errc::not_found,
       "the ref was deleted from {url} while it was being fetched",
       "this is retried"},
      {{"not our ref", "unadvertised object"},
       Errc::unavailable,
       "the ref moved while it was being fetched from {url}",
       "this is retried"},
      {{"transport '"},
       Errc::invalid,
       "{url} uses a protocol that trimtab does not support",
       "use https:// or ssh"},
      {{"Could not resolve host",
        "Name or service not known",
        "name resolution",
        "Failed to connect",
        "Couldn't connect",
        "Connection refused",
        "Connection timed out",
        "Operation timed out",
        "Network is unreachable",
        "No route to host",
        "Connection reset",
        "Connection closed",
        "kex_exchange_identification",
        "early EOF",
        "remote end hung up",
        "unexpected disconnect",
        "Operation too slow",
        "transfer closed",
        "RPC failed",
        "returned error: 5",
        "Could not read from remote repository",
        "Recv failure",
        "Empty reply",
        "Timeout was reached",
        "timed out"},
       Errc::unavailable,
       "{url} cannot be reached: {words}",
       ""},
      {{"fsck error", "missing object", "bad object", "did not send all necessary objects",
        "pack is corrupted", "index-pack failed", "invalid index-pack output"},
       Errc::failed,
       "{url} sent objects that Git refuses: {words}",
       "run `git fsck` in a clone of it"},
  };
  return known_rules;
}

// Returns the most informative line: what the remote said, or else Git's last fatal or error line.
std::string telling_line(std::string_view text) {
  std::string best;
  for (const std::string& raw : split(printable(text), '\n')) {
    std::string line(trim(raw));
    for (const std::string_view prefix : {"fatal: ", "error: ", "ssh: "}) {
      if (line.starts_with(prefix)) line.erase(0, prefix.size());
    }
    // Not shown: these messages quote lines of objects/info/alternates, which the owner of a clone
    // may have made a link to any file.
    const bool foreign = line.find("alternate") != std::string::npos;
    const bool general = line.starts_with("Could not read from remote repository") ||
                         line.starts_with("Please make sure you have") ||
                         line.starts_with("and the repository exists") || line.empty() || foreign;
    if (!general && best.empty()) best = line;
  }
  if (best.empty()) return "git exited without a message; `dmesg` shows whether memory ran out";
  return best.substr(0, 300);
}

const Rule* find_rule(const std::vector<Rule>& rules, std::string_view words) {
  for (const Rule& rule : rules) {
    for (const std::string_view needle : rule.needles) {
      if (words.find(needle) != std::string_view::npos) return &rule;
    }
  }
  return nullptr;
}

}  // namespace

Error explain_remote_failure(std::string_view standard_error, const Remote& remote,
                             const GitAccess& access) {
  const Rule* rule = find_rule(disk_rules(), standard_error);
  if (rule == nullptr) rule = find_rule(remote_rules(), standard_error);
  const std::string words = telling_line(standard_error);
  if (rule == nullptr) {
    return Error{Errc::failed, fmt::format("git could not read {}: {}", remote.url, words), {}};
  }
  Error error{rule->code, std::string(rule->message), std::string(rule->hint)};
  for (std::string* const text : {&error.message, &error.hint}) {
    *text = replace_all(std::move(*text), "{url}", remote.url);
    *text = replace_all(std::move(*text), "{host}", remote.host.empty() ? remote.url : remote.host);
    *text = replace_all(std::move(*text), "{key}",
                        access.key.empty() ? "(git.key is not set)" : access.key.string());
    *text = replace_all(std::move(*text), "{known_hosts}", known_hosts_file(access).string());
    *text = replace_all(std::move(*text), "{words}", words);
  }
  return error;
}

Error explain_status(const http::Response& response, const Remote& remote,
                     const GitAccess& access) {
  const int status = response.status;
  const bool clear =
      status == 401 || status == 403 || status == 404 || status == 429 || status / 100 == 5;
  if (!clear) {
    const std::string number = std::to_string(status);
    return Error{Errc::invalid, status / 100 == 3 ? "it redirects" : "it answers " + number, {}};
  }
  // Phrased as Git phrases it, so that one table explains both.
  Error error = explain_remote_failure(
      "The requested URL returned error: " + std::to_string(status), remote, access);
  error.retry_after = http::retry_after(response.header("Retry-After"), wall_now());
  return error;
}

Error explain_connection_failure(const Error& failure, const Remote& remote,
                                 const GitAccess& access) {
  switch (failure.code) {
    case Errc::untrusted:
      return explain_remote_failure("SSL certificate problem", remote, access);
    case Errc::timed_out:
      return no_answer_in_time(remote);
    case Errc::invalid:
    case Errc::too_large:
    case Errc::cancelled:
      return failure;
    default:
      return failure.context(remote.url + " cannot be reached");
  }
}

Error no_answer_in_time(const Remote& remote) {
  return Error{Errc::timed_out, remote.url + " did not answer in time", "this is retried"};
}

Error explain_local_failure(const std::string& what, std::string_view standard_error) {
  if (const Rule* const rule = find_rule(disk_rules(), standard_error)) {
    return Error{rule->code, fmt::format("cannot {}: {}", what, rule->message),
                 std::string(rule->hint)};
  }
  return Error{Errc::failed, fmt::format("cannot {}: {}", what, telling_line(standard_error)), {}};
}

}  // namespace trimtab
