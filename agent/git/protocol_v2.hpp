// The part of Git's protocol version 2 that resolves refs: gitprotocol-v2(5), capability
// advertisement and ls-refs. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/git/remote.hpp"

namespace trimtab {

// The server's capability advertisement.
struct Advertisement {
  std::string object_format;  // sha1 or sha256; empty: not advertised, which means sha1
};

// invalid if the server does not support version 2 or cannot list refs; the text completes "…: it
// is asked by the program git".
Result<Advertisement> parse_advertisement(std::string_view body);

// The ls-refs request for all refs that begin with `prefix`, with tags peeled.
std::string ls_refs_request(const Advertisement& server, const std::string& prefix);

// Parses the ls-refs response. The server may return more refs than requested. A tag's peeled
// object follows it as NAME^{}. invalid if malformed, too_large if it names too many refs.
Result<std::vector<AdvertisedRef>> parse_refs(std::string_view body, const Advertisement& server);

}  // namespace trimtab
