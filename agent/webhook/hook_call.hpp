// One call of the webhook: which stack it names, and whether the caller knows the secret. Pure. The
// body is never interpreted: a call only means "poll now".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/hash.hpp"
#include "common/http.hpp"

namespace trimtab {

// GitHub's limit, the highest of all senders. Bodies are hashed but not stored, so this costs no
// memory.
constexpr std::size_t max_hook_body = 25 * 1024 * 1024;

struct HookRefusal {
  int status = 0;
  std::string detail;  // for whoever configures the sender
};

// More than 15 members: a token and two kinds of signatures are checked in one pass over the call.
class HookCall {
 public:
  // `head` is the request without its body. `secret` must not be empty.
  HookCall(const http::Request& head, std::string_view secret);

  // Returns a refusal that does not depend on the body: wrong path, wrong method, or no proof of
  // the secret.
  [[nodiscard]] std::optional<HookRefusal> refused_by_head() const;
  // Adds the next piece of the body, which signatures cover.
  void add(std::string_view piece);
  // Returns the final refusal, if any; to be called once, after the whole body. `stacks` are the
  // existing stacks; whether one exists is only revealed to callers who know the secret.
  std::optional<HookRefusal> refused(const std::vector<std::string>& stacks);
  // The stack that the call names; "": all.
  [[nodiscard]] const std::string& stack() const { return stack_; }

 private:
  struct Signatures {
    std::optional<HmacSha256> hmac;  // only if there is a signature to compare with
    std::vector<std::string> claimed;
  };
  void take_token(std::string_view token, std::string_view secret);
  void take_headers(const http::Headers& headers, std::string_view secret);
  void take_standard_signatures(const http::Headers& headers, std::string_view secret);
  bool proven();

  bool is_route_ = false;
  bool is_post_ = false;
  std::string stack_;
  bool has_token_ = false;
  bool token_holds_ = false;
  Signatures plain_;     // over the body, in hex
  Signatures standard_;  // Standard Webhooks: over id, time and body, in base64
};

}  // namespace trimtab
