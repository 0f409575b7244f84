#include "common/hash.hpp"

#include <gtest/gtest.h>

namespace trimtab {
namespace {

TEST(Hash, Sha256OfKnownTexts) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
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

TEST(Hash, PercentEncodesAllButUnreserved) {
  EXPECT_EQ(percent_encode("AZaz09-._~"), "AZaz09-._~");
  EXPECT_EQ(percent_encode("a b/c?\xc3\xa9"), "a%20b%2Fc%3F%C3%A9");
}

}  // namespace
}  // namespace trimtab
