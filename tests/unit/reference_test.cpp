#include "agent/model/reference.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace trimtab {
namespace {

const std::string hex(64, 'a');
const std::string digest_64 = "sha256:" + hex;

TEST(Reference, IsReadIntoItsFullForm) {
  const struct {
    std::string text;
    ImageReference expected;
  } rows[] = {
      {"nginx", {"docker.io", "library/nginx", "latest", ""}},
      {"nginx:1.27", {"docker.io", "library/nginx", "1.27", ""}},
      {"acme/backend", {"docker.io", "acme/backend", "latest", ""}},
      {"docker.io/nginx", {"docker.io", "library/nginx", "latest", ""}},
      {"docker.io/library/nginx", {"docker.io", "library/nginx", "latest", ""}},
      {"index.docker.io/nginx:1", {"docker.io", "library/nginx", "1", ""}},
      {"ghcr.io/acme/shop/backend:main", {"ghcr.io", "acme/shop/backend", "main", ""}},
      {"ghcr.io/nginx", {"ghcr.io", "nginx", "latest", ""}},
      {"localhost/app", {"localhost", "app", "latest", ""}},
      {"localhost", {"docker.io", "library/localhost", "latest", ""}},
      {"example.com", {"docker.io", "library/example.com", "latest", ""}},
      {"example:5000", {"docker.io", "library/example", "5000", ""}},
      {"127.0.0.1:5000/app:v2", {"127.0.0.1:5000", "app", "v2", ""}},
      {"registry:5000/app", {"registry:5000", "app", "latest", ""}},
      {"[::1]:5000/app", {"[::1]:5000", "app", "latest", ""}},
      {"[fe80::1]/team/app:x", {"[fe80::1]", "team/app", "x", ""}},
      {"Registry/app", {"Registry", "app", "latest", ""}},
      {"nginx@" + digest_64, {"docker.io", "library/nginx", "", digest_64}},
      {"ghcr.io/a/b:1.2@" + digest_64, {"ghcr.io", "a/b", "1.2", digest_64}},
      {"a--b/c__d.e_f/g-h", {"docker.io", "a--b/c__d.e_f/g-h", "latest", ""}},
      {"app:_x.y-Z", {"docker.io", "library/app", "_x.y-Z", ""}},
      {"app:" + std::string(128, 't'), {"docker.io", "library/app", std::string(128, 't'), ""}},
      {"123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop:9",
       {"123456789012.dkr.ecr.eu-west-1.amazonaws.com", "shop", "9", ""}},
      {hex + "/app", {"docker.io", hex + "/app", "latest", ""}},
  };
  for (const auto& row : rows) {
    const auto parsed = parse_reference(row.text);
    ASSERT_TRUE(parsed) << row.text << ": " << parsed.error().text();
    EXPECT_EQ(*parsed, row.expected) << row.text;
  }
}

TEST(Reference, RefusesWhatIsNone) {
  const std::vector<std::string> rows = {
      "",
      " ",
      "/",
      "nginx ",
      "nginx:",
      "nginx:a b",
      "nginx:-x",
      "nginx:.x",
      "nginx:" + std::string(129, 't'),
      "nginx:1:2",
      "nginx@",
      "nginx@sha256:abc",
      "nginx@sha256:" + std::string(64, 'A'),
      "nginx@md5:" + hex,
      "nginx@" + digest_64 + "@" + digest_64,
      "@" + digest_64,
      ":tag",
      "Nginx",
      "docker.io/Nginx",
      "ghcr.io/",
      "ghcr.io//app",
      "ghcr.io/app/",
      "/app",
      "a..b",
      "a___b",
      "a_.b",
      "-a",
      "a-",
      "_a/b",
      hex,
      "docker.io/" + hex,
      "https://ghcr.io/app",
      "ghcr.io:/app",
      "ghcr.io:0/app",
      "ghcr.io:65536/app",
      "ghcr.io:5x/app",
      "ghcr..io/app",
      "-ghcr.io/app",
      "[::1/app",
      "[]:5000/app",
      "[::1]x/app",
      "user@ghcr.io/app",
      "${IMAGE}:latest",
      "acme/../etc",
      "nginx\n",
      std::string("nginx\0", 6),
      "ghcr.io/" + std::string(248, 'a'),
  };
  for (const auto& text : rows) {
    const auto parsed = parse_reference(text);
    ASSERT_FALSE(parsed) << text << " became " << parsed->tagged();
    EXPECT_EQ(parsed.error().code, Errc::invalid) << text;
    EXPECT_FALSE(parsed.error().message.empty()) << text;
    EXPECT_LT(parsed.error().message.size(), 400U) << text;
  }
}

TEST(Reference, SaysWhyItIsRefused) {
  EXPECT_EQ(parse_reference("acme/Backend:1").error().message,
            "\"acme/Backend:1\" is no image reference: a repository's name must be lower-case");
  EXPECT_EQ(parse_reference("nginx@sha256:12").error().text(),
            "\"nginx@sha256:12\" is no image reference: what follows @ is no digest; a digest is "
            "sha256: and 64 lower-case hexadecimal digits");
}

TEST(Reference, IsWrittenInItsFamiliarForm) {
  const struct {
    std::string text, familiar, tagged;
  } rows[] = {
      {"index.docker.io/ker.io/app:1", "docker.io/ker.io/app", "docker.io/ker.io/app:1"},
      {"docker.io/library/nginx:1.27", "nginx", "nginx:1.27"},
      {"acme/backend", "acme/backend", "acme/backend:latest"},
      {"docker.io/library/a/b", "library/a/b", "library/a/b:latest"},
      {"ghcr.io/library/nginx", "ghcr.io/library/nginx", "ghcr.io/library/nginx:latest"},
      {"nginx@" + digest_64, "nginx", "nginx"},
  };
  for (const auto& row : rows) {
    const auto parsed = parse_reference(row.text);
    ASSERT_TRUE(parsed) << row.text;
    EXPECT_EQ(parsed->familiar_name(), row.familiar);
    EXPECT_EQ(parsed->tagged(), row.tagged);
    EXPECT_EQ(parsed->pinned(digest_64), row.familiar + "@" + digest_64);
    // The familiar form means the same image.
    const auto again = parse_reference(row.tagged);
    ASSERT_TRUE(again) << row.tagged;
    EXPECT_EQ(again->repository, parsed->repository);
    EXPECT_EQ(again->registry, parsed->registry);
  }
}

TEST(Reference, TagsWithoutADigitMove) {
  for (const char* tag : {"latest", "main", "stable", "stable-alpine"})
    EXPECT_TRUE(is_moving_tag(tag)) << tag;
  for (const char* tag : {"", "1.27", "v2", "16-alpine", "sha-3f2c1ab"})
    EXPECT_FALSE(is_moving_tag(tag)) << tag;
}

TEST(Reference, DigestsAreSha256InLowerCase) {
  EXPECT_TRUE(is_digest(digest_64));
  EXPECT_FALSE(is_digest(""));
  EXPECT_FALSE(is_digest(hex));
  EXPECT_FALSE(is_digest(digest_64 + "a"));
  EXPECT_FALSE(is_digest("sha256:" + std::string(64, 'F')));
  EXPECT_FALSE(is_digest("sha512:" + hex));
}

TEST(Reference, DigestsAreShortenedForPeople) {
  EXPECT_EQ(short_digest("sha256:0123456789abcdef"), "0123456789ab");
  EXPECT_EQ(short_digest("0123456789abcdef"), "0123456789ab");
  EXPECT_EQ(short_digest("sha256:01"), "01");
}

}  // namespace
}  // namespace trimtab
