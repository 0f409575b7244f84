// One call of the webhook: which stack it names, and whether the caller knows the secret. Pure.
// What the body says is never read: a call means no more than "look now".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/hash.hpp"
#include "common/http.hpp"

namespace trimtab {

// GitHub's limit, the highest of all senders'. Bodies are not kept, so that it costs no memory.
constexpr std::size_t max_hook_body = 25 * 1024 * 1024;

struct HookRefusal {
  int status = 0;
  std::string detail;  // for whoever set up the sender
};

class HookCall {
 public:
  // `head`: the request without its body. `secret` is not empty.
  HookCall(const http::Request& head, std::string_view secret);

  // A refusal that needs no body: another page, another method, nothing that proves anything.
  [[nodiscard]] std::optional<HookRefusal> refused_by_head() const;
  // The next piece of the body, which signatures are over.
  void add(std::string_view piece);
  // The verdict, once after the whole body; `stacks` are those that there are. Who does not know
  // the secret is not told which that is.
  std::optional<HookRefusal> refused(const std::vector<std::string>& stacks);
  // The stack that is named; "": all.
  [[nodiscard]] const std::string& stack() const { return stack_; }

 private:
  struct Signatures {
    std::optional<HmacSha256> hmac;  // where there is something to compare with
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
  Signatures plain_;     // of the body, in hex
  Signatures standard_;  // Standard Webhooks: of id, time and body, in base64
};

}  // namespace trimtab
