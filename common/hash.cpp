#include "common/hash.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <vector>

namespace trimtab {

namespace {

constexpr std::string_view hex_lower = "0123456789abcdef";
constexpr std::string_view hex_upper = "0123456789ABCDEF";

const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

std::string sha256_hex(std::string_view data) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  EVP_Digest(data.data(), data.size(), digest.data(), &length, EVP_sha256(), nullptr);
  std::string out;
  out.reserve(2 * std::size_t{length});
  for (unsigned i = 0; i < length; ++i) {
    out += hex_lower[digest[i] >> 4U];
    out += hex_lower[digest[i] & 0xFU];
  }
  return out;
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
  // OpenSSL skips white space and takes '=' anywhere; neither is base64.
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

std::string percent_encode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool unreserved = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                            (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
    if (unreserved) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += hex_upper[byte >> 4U];
    out += hex_upper[byte & 0xFU];
  }
  return out;
}

}  // namespace trimtab
