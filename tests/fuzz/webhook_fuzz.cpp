// Calls of the webhook by anybody: a request's head, an empty line, a body. Nobody gets in who does
// not have the secret, of which the input holds no part.
#include "agent/webhook/hook_call.hpp"
#include "common/text.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace trimtab::fuzz {

void run(std::string_view input) {
  http::Request head;
  head.method = "POST";
  const std::size_t end = input.find("\n\n");
  const std::string_view body = end == std::string_view::npos ? "" : input.substr(end + 2);
  for (const std::string& line : split(input.substr(0, end), '\n')) {
    if (head.target.empty()) {
      head.target = line;
      continue;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    head.headers.emplace_back(line.substr(0, colon),
                              trim(std::string_view(line).substr(colon + 1)));
  }
  for (const std::string_view secret :
       {"whsec_YSBzZWNyZXQgdGhhdCBub2JvZHkgZ3Vlc3Nlcw==", "a secret that nobody guesses"}) {
    if (input.find(secret) != std::string_view::npos) continue;
    HookCall call(head, secret);
    call.add(body);
    const auto refusal = call.refused({"shop"});
    require(refusal && (refusal->status == 401 || refusal->status == 404));
    const bool is_route = head.target.starts_with("/hooks");
    require(is_route || refusal->status == 404);
  }
}

}  // namespace trimtab::fuzz
