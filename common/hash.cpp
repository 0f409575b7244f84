#include "common/hash.hpp"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <exception>
#include <vector>

namespace trimtab {

namespace {

constexpr std::string_view hex_lower = "0123456789abcdef";

const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

constexpr std::size_t sha256_size = 32;

// A digest that could not be computed must not be used: an empty one equals any other empty one, so
// any secret would be accepted.
void require(bool computed, const char* what) {
  if (computed) return;
  std::array<char, 256> reason{};
  ERR_error_string_n(ERR_peek_last_error(), reason.data(), reason.size());
  std::fprintf(stderr, "OpenSSL cannot compute %s: %s; check its configuration, openssl.cnf\n",
               what, reason.data());
  std::terminate();
}

std::string sha256(std::string_view data) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  const int computed =
      EVP_Digest(data.data(), data.size(), digest.data(), &length, EVP_sha256(), nullptr);
  require(computed == 1 && length == sha256_size, "SHA-256");
  return {digest.begin(), digest.begin() + length};
}

}  // namespace

std::string hex_encode(std::string_view data) {
  std::string out;
  out.reserve(2 * data.size());
  for (const char c : data) {
    const auto byte = static_cast<unsigned char>(c);
    out += hex_lower[byte >> 4U];
    out += hex_lower[byte & 0xFU];
  }
  return out;
}

std::string sha256_hex(std::string_view data) {
  return hex_encode(sha256(data));
}

void HmacSha256::Free::operator()(evp_mac_ctx_st* context) const {
  EVP_MAC_CTX_free(context);
}

HmacSha256::HmacSha256(std::string_view key) {
  EVP_MAC* const hmac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  require(hmac != nullptr, "HMAC");
  context_.reset(EVP_MAC_CTX_new(hmac));
  EVP_MAC_free(hmac);  // the context holds its own reference
  std::string digest = "SHA256";
  const std::array parameters{OSSL_PARAM_construct_utf8_string("digest", digest.data(), 0),
                              OSSL_PARAM_construct_end()};
  if (key.data() == nullptr) key = "";  // OpenSSL would treat null as "no key"
  require(context_ != nullptr &&
              EVP_MAC_init(context_.get(), bytes(key), key.size(), parameters.data()) == 1,
          "HMAC-SHA256");
}

HmacSha256::~HmacSha256() = default;

void HmacSha256::add(std::string_view piece) {
  require(EVP_MAC_update(context_.get(), bytes(piece), piece.size()) == 1, "HMAC-SHA256");
}

std::string HmacSha256::finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> code{};
  std::size_t length = 0;
  const int computed = EVP_MAC_final(context_.get(), code.data(), &length, code.size());
  require(computed == 1 && length == sha256_size, "HMAC-SHA256");
  return {code.begin(), code.begin() + static_cast<std::ptrdiff_t>(length)};
}

std::string hmac_sha256(std::string_view key, std::string_view data) {
  HmacSha256 hmac(key);
  hmac.add(data);
  return hmac.finish();
}

bool equal_secrets(std::string_view one, std::string_view other) {
  // Compares digests, whose length does not depend on the secrets.
  const std::string left = sha256(one);
  const std::string right = sha256(other);
  return left.size() == sha256_size && right.size() == sha256_size &&
         CRYPTO_memcmp(left.data(), right.data(), sha256_size) == 0;
}

std::string base64_encode(std::string_view data) {
  std::vector<unsigned char> buffer(4 * ((data.size() + 2) / 3) + 1);
  const int length = EVP_EncodeBlock(buffer.data(), bytes(data), static_cast<int>(data.size()));
  return {buffer.begin(), buffer.begin() + length};
}

std::string base64url_encode(std::string_view data) {
  std::string out = base64_encode(data);
  std::replace(out.begin(), out.end(), '+', '-');
  std::replace(out.begin(), out.end(), '/', '_');
  return out;
}

std::optional<std::string> base64_decode(std::string_view text) {
  if (text.empty()) return std::string();
  if (text.size() % 4 != 0) return std::nullopt;
  // OpenSSL skips white space and accepts '=' anywhere; neither is valid base64.
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  if (text.substr(0, text.size() - padding).find_first_not_of(alphabet) != std::string_view::npos) {
    return std::nullopt;
  }
  std::vector<unsigned char> buffer(text.size() / 4 * 3);
  const int length = EVP_DecodeBlock(buffer.data(), bytes(text), static_cast<int>(text.size()));
  if (length < 0) return std::nullopt;
  return std::string(buffer.begin(), buffer.begin() + length - static_cast<int>(padding));
}

}  // namespace trimtab
