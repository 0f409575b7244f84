// SHA-256 and the encodings used with it. If OpenSSL fails to compute a digest (no provider, no
// memory), the process terminates with the reason, because there is no safe value to return.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

// OpenSSL's EVP_MAC_CTX.
struct evp_mac_ctx_st;

namespace trimtab {

// Returns the SHA-256 of `data` in lower-case hex.
std::string sha256_hex(std::string_view data);

// Computes the HMAC-SHA256 of a message that arrives in pieces.
class HmacSha256 {
 public:
  explicit HmacSha256(std::string_view key);
  HmacSha256(HmacSha256&&) = default;
  HmacSha256& operator=(HmacSha256&&) = default;
  ~HmacSha256();
  void add(std::string_view piece);
  // Returns the 32 bytes of the code. To be called once, after the last piece.
  std::string finish();

 private:
  struct Free {
    void operator()(evp_mac_ctx_st* context) const;
  };
  std::unique_ptr<evp_mac_ctx_st, Free> context_;
};

// Returns the 32 bytes of the HMAC-SHA256 of `data`.
std::string hmac_sha256(std::string_view key, std::string_view data);

// Returns lower-case hex.
std::string hex_encode(std::string_view data);

// Compares in constant time: reveals neither the position of a difference nor whether the lengths
// differ.
bool equal_secrets(std::string_view one, std::string_view other);

std::string base64_encode(std::string_view data);
// RFC 4648 section 5, with padding, as required for Docker's X-Registry-Auth.
std::string base64url_encode(std::string_view data);
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace trimtab
