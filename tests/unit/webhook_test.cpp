// Which calls of the webhook are let in, sender by sender. The signatures were made with other
// programs (Python's hmac, openssl dgst).
#include <gtest/gtest.h>

#include "agent/webhook/hook_call.hpp"

namespace trimtab {
namespace {

constexpr std::string_view secret = "s3cret-of-the-shop";
constexpr std::string_view body = R"({"ref":"refs/heads/main"})";
// With `secret`, of `body`.
const std::string code = "b5404a68e557f3d6eb272d5c0cc43ed4d31d4fdf57e3dd7bd05fc6a37bbf4cf8";
const std::string sha1_code = "7f66689dce72b2a5834a91b7b7f74ca435c1d48d";

// The key is the bytes 0 to 31.
constexpr std::string_view standard_secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const std::string standard_code = "AUez94tM/tEHV9puM+KrGR6YFZfhevCRXkvptRHN7WM=";
const std::string standard_code_of_plain_secret = "yB1pQkycw6M2CjRodVF9iwgA3o/dO2iFfm82btMvpLc=";

http::Request request(std::string target, http::Headers headers, std::string method = "POST") {
  return {std::move(method), std::move(target), std::move(headers), {}};
}

// 202, or the status of the refusal. The body comes in pieces of `piece` bytes.
int status_of(const http::Request& head, std::string_view key, std::string_view payload = body,
              std::size_t piece = 7) {
  HookCall call(head, key);
  if (const auto refusal = call.refused_by_head()) return refusal->status;
  for (; !payload.empty(); payload.remove_prefix(std::min(piece, payload.size()))) {
    call.add(payload.substr(0, piece));
  }
  const auto refusal = call.refused({"blog", "shop"});
  return refusal ? refusal->status : 202;
}

http::Headers standard(std::string signatures, std::string id = "msg_1") {
  return {{"webhook-id", std::move(id)},
          {"webhook-timestamp", "1700000000"},
          {"webhook-signature", std::move(signatures)}};
}

TEST(Webhook, TakesGitHubsDocumentedExample) {
  const http::Request head = request(
      "/hooks/shop", {{"X-Hub-Signature-256",
                       "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}});
  EXPECT_EQ(status_of(head, "It's a Secret to Everybody", "Hello, World!"), 202);
  EXPECT_EQ(status_of(head, "It's a Secret to Everybody", "Hello, World?"), 401);
  EXPECT_EQ(status_of(head, "It's no Secret to Everybody", "Hello, World!"), 401);
}

TEST(Webhook, TakesTheProofOfEachSender) {
  const struct {
    const char* sender;
    http::Headers headers;
    std::string_view key = secret;
  } rows[] = {
      {"GitHub",
       {{"X-Hub-Signature", "sha1=" + sha1_code}, {"X-Hub-Signature-256", "sha256=" + code}}},
      {"header names have no case", {{"x-hub-signature-256", "sha256=" + code}}},
      {"GitLab", {{"X-Gitlab-Event", "Push Hook"}, {"X-Gitlab-Token", std::string(secret)}}},
      {"GitLab, signed", standard("v1," + standard_code), standard_secret},
      {"GitLab, with both",
       [] {
         http::Headers headers = standard("v1," + standard_code_of_plain_secret);
         headers.emplace_back("X-Gitlab-Token", secret);
         return headers;
       }()},
      {"Standard Webhooks, a rotated key", standard("v1,AAAA v1a,BBBB v1," + standard_code),
       standard_secret},
      {"Standard Webhooks, a secret without prefix",
       standard("v1," + standard_code_of_plain_secret)},
      {"Gitea", {{"X-Gitea-Signature", code}, {"X-Hub-Signature-256", "sha256=" + code}}},
      {"Gitea, older", {{"X-Gitea-Signature", code}}},
      {"Forgejo", {{"X-Forgejo-Signature", code}}},
      {"Bitbucket", {{"X-Hub-Signature", "sha256=" + code}}},
      {"distribution", {{"Authorization", "Bearer " + std::string(secret)}}},
      {"schemes have no case", {{"Authorization", "bearer  " + std::string(secret)}}},
      {"one proof is enough", {{"X-Gitlab-Token", "wrong"}, {"X-Gitea-Signature", code}}},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(status_of(request("/hooks/shop", row.headers), row.key), 202) << row.sender;
    EXPECT_EQ(status_of(request("/hooks", row.headers), row.key), 202) << row.sender;
    EXPECT_EQ(status_of(request("/hooks/shop", row.headers), "another secret"), 401) << row.sender;
  }
}

TEST(Webhook, RefusesWhoDoesNotProveToKnowTheSecret) {
  const std::string other(64, '0');
  const struct {
    const char* what;
    http::Headers headers;
  } rows[] = {
      {"nothing", {}},
      {"an empty token", {{"X-Gitlab-Token", ""}}},
      {"a longer token", {{"X-Gitlab-Token", std::string(secret) + "x"}}},
      {"the start of the token", {{"X-Gitlab-Token", std::string(secret.substr(0, 5))}}},
      {"another signature", {{"X-Hub-Signature-256", "sha256=" + other}}},
      {"a signature that is cut", {{"X-Hub-Signature-256", "sha256=" + code.substr(0, 32)}}},
      {"a longer signature", {{"X-Hub-Signature-256", "sha256=" + code + "00"}}},
      {"an empty signature", {{"X-Hub-Signature-256", "sha256="}}},
      {"a signature without its kind", {{"X-Hub-Signature-256", code}}},
      {"a kind where none belongs", {{"X-Gitea-Signature", "sha256=" + code}}},
      {"SHA-1", {{"X-Hub-Signature", "sha1=" + sha1_code}}},
      {"another scheme", {{"Authorization", "Basic " + std::string(secret)}}},
      {"no scheme", {{"Authorization", std::string(secret)}}},
      {"the secret where a signature belongs", {{"X-Gitea-Signature", std::string(secret)}}},
      {"another id", standard("v1," + standard_code_of_plain_secret, "msg_2")},
      {"another version", standard("v2," + standard_code_of_plain_secret)},
      {"an empty standard signature", standard("v1,")},
  };
  for (const auto& row : rows) {
    for (const char* const target : {"/hooks/shop", "/hooks/nobody", "/hooks"}) {
      EXPECT_EQ(status_of(request(target, row.headers), secret), 401) << row.what << " " << target;
    }
  }
  // Of another body.
  EXPECT_EQ(status_of(request("/hooks/shop", {{"X-Gitea-Signature", code}}), secret, "{}"), 401);
  // A key that cannot be read signs nothing, not even with the empty key.
  EXPECT_EQ(status_of(request("/hooks/shop", standard("v1," + standard_code)), "whsec_%%%"), 401);
  EXPECT_EQ(status_of(request("/hooks/shop", standard("v1," + standard_code)), "whsec_"), 401);
}

TEST(Webhook, RoutesByPathAndMethod) {
  const struct {
    std::string method;
    std::string target;
    bool with_secret;
    int status;
    std::string stack;
  } rows[] = {
      {"POST", "/hooks/shop", true, 202, "shop"},
      {"POST", "/hooks/shop/", true, 202, "shop"},
      {"POST", "/hooks", true, 202, ""},
      {"POST", "/hooks/", true, 202, ""},
      {"POST", "/hooks/nobody", true, 404, "nobody"},
      {"POST", "/hooks/nobody", false, 401, "nobody"},
      {"POST", "/hooks/shop/deploy", true, 404, "shop/deploy"},
      {"POST", "/hooks/SHOP", true, 404, "SHOP"},
      {"POST", "/hooks/%73hop", true, 202, "shop"},
      {"POST", "/hooksshop", true, 404, ""},
      {"POST", "//hooks/shop", true, 404, ""},
      {"POST", "/%68ooks/shop", true, 404, ""},
      {"POST", "/", true, 404, ""},
      {"POST", "", true, 404, ""},
      {"POST", "/v1/stacks/shop/deploy", true, 404, ""},
      {"GET", "/v1/status", true, 404, ""},
      {"GET", "/hooks/shop", true, 405, ""},
      {"GET", "/hooks/shop", false, 405, ""},
      {"GET", "/hooks/nobody", false, 405, ""},
      {"PUT", "/hooks", true, 405, ""},
  };
  for (const auto& row : rows) {
    http::Headers headers;
    if (row.with_secret) headers = {{"X-Gitlab-Token", std::string(secret)}};
    const http::Request head = request(row.target, headers, row.method);
    EXPECT_EQ(status_of(head, secret), row.status) << row.method << " " << row.target;
    EXPECT_EQ(HookCall(head, secret).stack(), row.stack) << row.method << " " << row.target;
  }
}

TEST(Webhook, TakesTheSecretInTheAddressForSendersThatCannotSign) {
  const struct {
    std::string target;
    std::string_view key;
    int status;
  } rows[] = {
      {"/hooks/shop?token=s3cret-of-the-shop", secret, 202},
      {"/hooks/shop?a=b&token=s3cret-of-the-shop&c", secret, 202},
      {"/hooks?token=s3cret%2Dof-the-shop", secret, 202},
      {"/hooks/shop?token=a+b%2Fc", "a+b/c", 202},
      {"/hooks/nobody?token=s3cret-of-the-shop", secret, 404},
      {"/hooks/shop?token=wrong", secret, 401},
      {"/hooks/shop?token=", secret, 401},
      {"/hooks/shop?token", secret, 401},
      {"/hooks/shop?token=%zz", secret, 404},
      {"/hooks/shop?mytoken=s3cret-of-the-shop", secret, 401},
      {"/hooks/s3cret-of-the-shop", secret, 401},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(status_of(request(row.target, {}), row.key), row.status) << row.target;
  }
}

TEST(Webhook, TakesABodyInPiecesOfAnySize) {
  const http::Request head = request("/hooks/shop", {{"X-Gitea-Signature", code}});
  for (const std::size_t piece : {1U, 2U, 24U, 25U, 1000U}) {
    EXPECT_EQ(status_of(head, secret, body, piece), 202) << piece;
  }
}

TEST(Webhook, NeverQuotesASecretOrAToken) {
  for (const std::string& target : {std::string("/hooks/shop?token=wrong-one"),
                                    std::string("/hooks/nobody?token=") + std::string(secret)}) {
    HookCall call(request(target, {}), secret);
    const auto refusal = call.refused({"shop"});
    ASSERT_TRUE(refusal);
    EXPECT_EQ(refusal->detail.find("wrong-one"), std::string::npos) << refusal->detail;
    EXPECT_EQ(refusal->detail.find(secret), std::string::npos) << refusal->detail;
  }
}

}  // namespace
}  // namespace trimtab
