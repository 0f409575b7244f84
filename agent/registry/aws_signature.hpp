// Signature Version 4: how Amazon's services know who asks.
#pragma once

#include <string>

#include "common/http.hpp"
#include "common/text.hpp"

namespace trimtab {

// Never printed, never logged.
struct AwsKeys {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;  // of temporary keys; else empty
};

// For what a signature counts.
struct AwsScope {
  std::string region;
  std::string service;
};

// The headers to add to a request to `host` ("HOST" or "HOST:PORT", as the Host header has it):
// X-Amz-Date, X-Amz-Security-Token where the keys have one, and Authorization, which signs these,
// all headers of the request and its body. The request's target must be in percent-encoding, its
// path without "." and ".." and of unreserved characters alone.
http::Headers aws_signature(const http::Request& request, const std::string& host,
                            const AwsKeys& keys, const AwsScope& scope, WallTime time);

}  // namespace trimtab
