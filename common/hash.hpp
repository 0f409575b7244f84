// SHA-256 and the encodings around it. Where OpenSSL fails to compute a digest (no provider, no
// memory), the process is terminated with the reason: there is no safe value to return.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

// OpenSSL's EVP_MAC_CTX.
struct evp_mac_ctx_st;

namespace trimtab {

// Lower-case hex of the SHA-256 of `data`.
std::string sha256_hex(std::string_view data);

// HMAC-SHA256 of a message that comes in pieces.
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

// The 32 bytes of the HMAC-SHA256 of `data`.
std::string hmac_sha256(std::string_view key, std::string_view data);

// Lower-case hex.
std::string hex_encode(std::string_view data);

// Compares in a time that tells nothing of where, or whether in their length, the two differ.
bool equal_secrets(std::string_view one, std::string_view other);

std::string base64_encode(std::string_view data);
// RFC 4648 section 5, with padding, as Docker's X-Registry-Auth wants it.
std::string base64url_encode(std::string_view data);
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace trimtab
