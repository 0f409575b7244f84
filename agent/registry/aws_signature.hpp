// AWS Signature Version 4, with which Amazon's services authenticate requests.
#pragma once

#include <string>

#include "common/http.hpp"
#include "common/text.hpp"

namespace trimtab {

// Must never be printed or logged.
struct AwsKeys {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;  // only for temporary keys; otherwise empty
};

// The region and service for which a signature is valid.
struct AwsScope {
  std::string region;
  std::string service;
};

// Returns the headers to add to a request to `host` ("HOST" or "HOST:PORT", as in the Host header):
// X-Amz-Date, X-Amz-Security-Token if the keys have one, and Authorization, which signs these, all
// headers of the request and its body. The request's target must be percent-encoded, and its path
// must consist of unreserved characters without "." and ".." segments.
http::Headers aws_signature(const http::Request& request, const std::string& host,
                            const AwsKeys& keys, const AwsScope& scope, WallTime time);

}  // namespace trimtab
