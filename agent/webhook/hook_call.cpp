#include "agent/webhook/hook_call.hpp"

#include <strings.h>

#include <algorithm>
#include <array>

#include "common/text.hpp"
#include "common/url.hpp"

namespace trimtab {
namespace {

constexpr std::string_view route = "hooks";
constexpr std::string_view beginning = "/hooks";

struct SignatureHeader {
  std::string_view name;
  std::string_view prefix;
};

// Headers with the hex HMAC-SHA256 of the body, keyed with the secret. A sender may send several.
constexpr std::array signature_headers{
    SignatureHeader{"X-Hub-Signature-256", "sha256="},  // GitHub, Gitea, Forgejo
    SignatureHeader{"X-Hub-Signature", "sha256="},      // Bitbucket; SHA-1 of others is refused
    SignatureHeader{"X-Gitea-Signature", ""},
    SignatureHeader{"X-Forgejo-Signature", ""},
};

// Returns the key of Standard Webhooks signatures: base64 behind a prefix.
std::string standard_key(std::string_view secret) {
  constexpr std::string_view prefix = "whsec_";
  if (!secret.starts_with(prefix)) return std::string(secret);
  return base64_decode(secret.substr(prefix.size())).value_or("");
}

}  // namespace

HookCall::HookCall(const http::Request& head, std::string_view secret)
    : is_post_(head.method == "POST") {
  const auto target = http::parse_target(head.target, http::Plus::is_plus);
  // Compared byte for byte with the documented route, as a proxy that only lets that through would.
  is_route_ = head.target.starts_with(beginning) && target && target->path.front() == route;
  if (!is_route_ || !is_post_) return;
  const std::vector<std::string> stack(target->path.begin() + 1, target->path.end());
  stack_ = join(stack, "/");
  // For senders that can do no more than call a URL.
  const auto token = std::find_if(target->query.begin(), target->query.end(),
                                  [](const auto& parameter) { return parameter.first == "token"; });
  if (token != target->query.end()) take_token(token->second, secret);
  take_headers(head.headers, secret);
  take_standard_signatures(head.headers, secret);
}

void HookCall::take_token(std::string_view token, std::string_view secret) {
  if (token.empty()) return;
  has_token_ = true;
  if (equal_secrets(token, secret)) token_holds_ = true;
}

void HookCall::take_headers(const http::Headers& headers, std::string_view secret) {
  take_token(http::find_header(headers, "X-Gitlab-Token"), secret);
  constexpr std::string_view bearer = "Bearer ";
  const std::string_view authorization = http::find_header(headers, "Authorization");
  if (authorization.size() > bearer.size() &&
      ::strncasecmp(authorization.data(), bearer.data(), bearer.size()) == 0) {
    take_token(trim(authorization.substr(bearer.size())), secret);
  }
  for (const auto& [name, prefix] : signature_headers) {
    const std::string_view value = http::find_header(headers, name);
    if (!value.starts_with(prefix) || value.size() == prefix.size()) continue;
    plain_.claimed.emplace_back(value.substr(prefix.size()));
  }
  if (!plain_.claimed.empty()) plain_.hmac.emplace(secret);
}

// The timestamp is not checked: a replayed call only causes one more poll.
void HookCall::take_standard_signatures(const http::Headers& headers, std::string_view secret) {
  constexpr std::string_view version = "v1,";
  const std::string key = standard_key(secret);
  if (key.empty()) return;
  for (const std::string& signature : split(http::find_header(headers, "webhook-signature"), ' ')) {
    if (!signature.starts_with(version) || signature.size() == version.size()) continue;
    standard_.claimed.push_back(signature.substr(version.size()));
  }
  if (standard_.claimed.empty()) return;
  standard_.hmac.emplace(key);
  standard_.hmac->add(http::find_header(headers, "webhook-id"));
  standard_.hmac->add(".");
  standard_.hmac->add(http::find_header(headers, "webhook-timestamp"));
  standard_.hmac->add(".");
}

std::optional<HookRefusal> HookCall::refused_by_head() const {
  if (!is_route_) return HookRefusal{404, "there is only /hooks/STACK here"};
  if (!is_post_) return HookRefusal{405, "only POST is allowed here"};
  if (!has_token_ && plain_.claimed.empty() && standard_.claimed.empty()) {
    return HookRefusal{401,
                       "the call carries no signature and no token: enter the secret where "
                       "the webhook is set up"};
  }
  return std::nullopt;
}

void HookCall::add(std::string_view piece) {
  if (plain_.hmac) plain_.hmac->add(piece);
  if (standard_.hmac) standard_.hmac->add(piece);
}

bool HookCall::proven() {
  const auto holds = [](const Signatures& signatures, const std::string& right) {
    return std::any_of(
        signatures.claimed.begin(), signatures.claimed.end(),
        [&right](const std::string& claimed) { return equal_secrets(claimed, right); });
  };
  if (token_holds_) return true;
  if (plain_.hmac && holds(plain_, hex_encode(plain_.hmac->finish()))) return true;
  return standard_.hmac && holds(standard_, base64_encode(standard_.hmac->finish()));
}

std::optional<HookRefusal> HookCall::refused(const std::vector<std::string>& stacks) {
  if (auto refusal = refused_by_head()) return refusal;
  if (!proven()) {
    return HookRefusal{401,
                       "the signature or token does not match the secret: enter the same "
                       "secret here and where the webhook is set up"};
  }
  const bool known =
      stack_.empty() || std::find(stacks.begin(), stacks.end(), stack_) != stacks.end();
  if (!known) return HookRefusal{404, "there is no stack " + printable(stack_)};
  return std::nullopt;
}

}  // namespace trimtab
