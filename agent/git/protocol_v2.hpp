// What is said in version 2 of Git's protocol to learn where refs point: gitprotocol-v2(5). Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/git/remote.hpp"

namespace trimtab {

// What a server says of a repository before it is asked anything.
struct Advertisement {
  std::string object_format;  // sha1 or sha256; empty: it did not say, which means sha1
};

// invalid where the server speaks no version 2 or cannot list refs; the text completes "…: it is
// asked by the program git".
Result<Advertisement> parse_advertisement(std::string_view body);

// The question for all refs that begin with `prefix`, tags peeled.
std::string ls_refs_request(const Advertisement& server, const std::string& prefix);

// The answer to it, in which the server may name more refs than were asked for. A tag's peeled
// object follows it as NAME^{}. invalid where it is none, too_large where it names too many refs.
Result<std::vector<AdvertisedRef>> parse_refs(std::string_view body, const Advertisement& server);

}  // namespace trimtab
