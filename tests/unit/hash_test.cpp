#include "common/hash.hpp"

#include <gtest/gtest.h>
#include <openssl/provider.h>

#include <cstdio>

namespace trimtab {
namespace {

TEST(Hash, Sha256OfKnownTexts) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Hash, HmacOfRfc4231) {
  const struct {
    std::string key;
    std::string data;
    std::string_view code;
  } rows[] = {{std::string(20, '\x0b'), "Hi There",
               "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
              {"Jefe", "what do ya want for nothing?",
               "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
              {std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First",
               "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"}};
  for (const auto& row : rows) {
    EXPECT_EQ(hex_encode(hmac_sha256(row.key, row.data)), row.code);
    HmacSha256 in_pieces(row.key);
    for (const char c : row.data) in_pieces.add(std::string_view(&c, 1));
    EXPECT_EQ(hex_encode(in_pieces.finish()), row.code);
  }
}

TEST(Hash, ComparesSecretsOfAnyLength) {
  EXPECT_TRUE(equal_secrets("tok3n", "tok3n"));
  for (const auto* const other : {"", "tok3", "tok3nn", "Tok3n"}) {
    EXPECT_FALSE(equal_secrets("tok3n", other)) << other;
  }
}

// As with an openssl.cnf that leaves no provider of SHA-256. Each in a process of its own.
TEST(HashDeathTest, EndsWhereNothingCanBeComputed) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const struct {
    const char* what;
    bool (*holds)();
  } rows[] = {
      {"OpenSSL cannot compute SHA-256", [] { return equal_secrets("tok3n", "another"); }},
      {"OpenSSL cannot compute SHA-256", [] { return sha256_hex("abc").empty(); }},
      {"OpenSSL cannot compute HMAC", [] { return hmac_sha256("key", "data").empty(); }},
  };
  for (const auto& row : rows) {
    EXPECT_DEATH(
        {
          OSSL_PROVIDER_load(nullptr, "null");
          std::fprintf(stderr, "went on: %d\n", static_cast<int>(row.holds()));
        },
        row.what);
  }
}

TEST(Hash, Base64OfTheRfc) {
  const struct {
    std::string_view plain;
    std::string_view encoded;
  } rows[] = {{"", ""},        {"f", "Zg=="},         {"fo", "Zm8="},
              {"foo", "Zm9v"}, {"foob", "Zm9vYg=="},  {"fooba", "Zm9vYmE="},
              {"a:b", "YTpi"}, {"foobar", "Zm9vYmFy"}};
  for (const auto& row : rows) {
    EXPECT_EQ(base64_encode(row.plain), row.encoded);
    EXPECT_EQ(base64_decode(row.encoded), row.plain);
  }
  EXPECT_EQ(base64url_encode("\xfb\xff\xfe"), "-__-");
  EXPECT_EQ(base64_encode("\xfb\xff\xfe"), "+//+");
}

TEST(Hash, RefusesWhatIsNotBase64) {
  for (const auto* const text :
       {"Zg", "Zg=", "Z===", "Zg==Zg==", "Z m9v", "Zm9v\n", "Zm9%", "=AAA"}) {
    EXPECT_EQ(base64_decode(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace trimtab
