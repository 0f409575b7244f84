#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "agent/registry/aws_credentials.hpp"
#include "agent/registry/aws_signature.hpp"
#include "agent/registry/ecr.hpp"
#include "common/hash.hpp"
#include "common/json.hpp"
#include "tests/lib/temporary_folder.hpp"

namespace trimtab {
namespace {

// The keys and the time of the cases that AWS publishes.
const AwsKeys example_keys{"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", ""};
const AwsScope example_scope{"us-east-1", "service"};
const char* const example_host = "example.amazonaws.com";

WallTime example_time() {
  return parse_time("2015-08-30T12:36:00Z").value();
}

http::Headers sign(const http::Request& request, const AwsKeys& keys = example_keys) {
  return aws_signature(request, example_host, keys, example_scope, example_time());
}

TEST(AwsSignature, IsThatOfTheCasesThatAwsPublishes) {
  const std::string form_hash = "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e";
  const struct {
    const char* name;
    http::Request request;
    std::string signed_headers, signature;
  } rows[] = {
      {"get-vanilla",
       {"GET", "/", {}, ""},
       "host;x-amz-date",
       "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
      {"get-vanilla-query-order-key-case",
       {"GET", "/?Param2=value2&Param1=value1", {}, ""},
       "host;x-amz-date",
       "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
      {"get-vanilla-query-order-encoded",
       {"GET", "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1", {}, ""},
       "host;x-amz-date",
       "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"},
      {"get-header-key-duplicate",
       {"GET",
        "/",
        {{"My-Header1", "value2"}, {"My-Header1", "value2"}, {"My-Header1", "value1"}},
        ""},
       "host;my-header1;x-amz-date",
       "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
      {"get-header-value-order",
       {"GET",
        "/",
        {{"My-Header1", "value4"},
         {"My-Header1", "value1"},
         {"My-Header1", "value3"},
         {"My-Header1", "value2"}},
        ""},
       "host;my-header1;x-amz-date",
       "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"},
      {"get-header-value-trim",
       {"GET", "/", {{"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\""}}, ""},
       "host;my-header1;my-header2;x-amz-date",
       "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
      {"post-vanilla",
       {"POST", "/", {}, ""},
       "host;x-amz-date",
       "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
      {"post-vanilla-query",
       {"POST", "/?Param1=value1", {}, ""},
       "host;x-amz-date",
       "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
      {"post-header-key-sort",
       {"POST", "/", {{"My-Header1", "value1"}}, ""},
       "host;my-header1;x-amz-date",
       "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
      {"post-header-value-case",
       {"POST", "/", {{"My-Header1", "VALUE1"}}, ""},
       "host;my-header1;x-amz-date",
       "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"},
      {"post-x-www-form-urlencoded",
       {"POST",
        "/",
        {{"Content-Type", "application/x-www-form-urlencoded"},
         {"Content-Length", "13"},
         {"X-Amz-Content-Sha256", form_hash}},
        "Param1=value1"},
       "content-length;content-type;host;x-amz-content-sha256;x-amz-date",
       "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b"},
      {"post-x-www-form-urlencoded-parameters",
       {"POST",
        "/",
        {{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"},
         {"Content-Length", "13"},
         {"X-Amz-Content-Sha256", form_hash}},
        "Param1=value1"},
       "content-length;content-type;host;x-amz-content-sha256;x-amz-date",
       "328d1b9eaadca9f5818ef05e8392801e091653bafec24fcab71e7344e7f51422"},
  };
  for (const auto& row : rows) {
    const http::Headers expected = {
        {"X-Amz-Date", "20150830T123600Z"},
        {"Authorization",
         "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
         "SignedHeaders=" +
             row.signed_headers + ", Signature=" + row.signature}};
    EXPECT_EQ(sign(row.request), expected) << row.name;
  }
}

TEST(AwsSignature, CountsForOneServiceAndRegion) {
  // The example of AWS's documentation.
  const http::Request request{
      "GET",
      "/?Action=ListUsers&Version=2010-05-08",
      {{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}},
      ""};
  const auto headers = aws_signature(request, "iam.amazonaws.com", example_keys,
                                     AwsScope{"us-east-1", "iam"}, example_time());
  EXPECT_EQ(http::find_header(headers, "Authorization"),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
            "SignedHeaders=content-type;host;x-amz-date, "
            "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
}

TEST(AwsSignature, CoversTheTokenOfTemporaryKeys) {
  AwsKeys keys = example_keys;
  keys.session_token =
      "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSP"
      "fIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT"
      "7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlz"
      "m8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";
  const auto headers = sign(http::Request{"POST", "/", {}, ""}, keys);
  EXPECT_EQ(http::find_header(headers, "X-Amz-Security-Token"), keys.session_token);
  EXPECT_EQ(http::find_header(headers, "Authorization"),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
            "SignedHeaders=host;x-amz-date;x-amz-security-token, "
            "Signature=85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead");
}

TEST(AwsCredentials, AreReadByProfile) {
  const struct {
    const char* text;
    AwsKeys expected;
  } rows[] = {
      {"[default]\naws_access_key_id = AKIA1\naws_secret_access_key = a/b+c=\n",
       {"AKIA1", "a/b+c=", ""}},
      {"# mine\r\n[other]\r\naws_access_key_id=X\r\naws_secret_access_key=Y\r\n\r\n"
       "[default]\r\naws_access_key_id=AKIA1\r\naws_secret_access_key=s\r\n"
       "aws_session_token=t==\r\nregion=eu-central-1\r\n",
       {"AKIA1", "s", "t=="}},
      // As the file of AWS's settings names them; without a newline at the end.
      {"[profile default]\n; keys\n  aws_access_key_id = AKIA1\n  aws_secret_access_key = s",
       {"AKIA1", "s", ""}},
      {"[ default ]\naws_access_key_id = old\naws_access_key_id = AKIA1\n"
       "aws_secret_access_key=s\n[z]\naws_access_key_id = Z\n",
       {"AKIA1", "s", ""}},
  };
  for (const auto& row : rows) {
    const auto keys = parse_aws_credentials(row.text, "default");
    ASSERT_TRUE(keys) << row.text << keys.error().text();
    EXPECT_EQ(keys->access_key_id, row.expected.access_key_id) << row.text;
    EXPECT_EQ(keys->secret_access_key, row.expected.secret_access_key) << row.text;
    EXPECT_EQ(keys->session_token, row.expected.session_token) << row.text;
  }
}

TEST(AwsCredentials, AreMissedInWordsThatQuoteNoKey) {
  const struct {
    const char* text;
    Errc code;
    const char* said;
  } rows[] = {
      {"", Errc::not_found, "no profile default"},
      {"[other]\naws_access_key_id=SECRET\n", Errc::not_found, "no profile default"},
      {"aws_access_key_id=SECRET\naws_secret_access_key=SECRET", Errc::not_found, "no profile"},
      {"[default]\naws_access_key_id=SECRET\n", Errc::invalid,
       "profile default has no aws_secret_access_key"},
      {"[default]\naws_secret_access_key=SECRET\n", Errc::invalid,
       "profile default has no aws_access_key_id"},
      {"[default]\nrole_arn=SECRET\nsource_profile=x\n", Errc::invalid, "role_arn"},
      {"[default]\nsso_session=SECRET\n", Errc::invalid, "sso_session"},
      {"[default]\naws_access_key_id=AKIA\naws_secret_access_key=SECRET and more\n", Errc::invalid,
       "spaces"},
      {"[default]\naws_access_key_id=SEC/RET\naws_secret_access_key=SECRET\n", Errc::invalid,
       "spaces or other invalid characters"},
  };
  for (const auto& row : rows) {
    const auto keys = parse_aws_credentials(row.text, "default");
    ASSERT_FALSE(keys) << row.text;
    EXPECT_EQ(keys.error().code, row.code) << row.text;
    EXPECT_NE(keys.error().message.find(row.said), std::string::npos) << keys.error().text();
    EXPECT_FALSE(keys.error().hint.empty()) << row.text;
    EXPECT_EQ(keys.error().text().find("SEC"), std::string::npos) << keys.error().text();
  }
}

// An environment without AWS in it, and a home of its own.
class AwsKeysTest : public testing::Test {
 protected:
  void SetUp() override {
    const char* const home = std::getenv("HOME");
    if (home != nullptr) home_ = home;
    ::setenv("HOME", folder_.path().c_str(), 1);
    clear();
  }
  void TearDown() override {
    clear();
    ::setenv("HOME", home_.c_str(), 1);
  }
  static void clear() {
    for (const char* const name :
         {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"})
      ::unsetenv(name);
  }
  static std::string keys_of(const std::string& profile, const std::string& id) {
    return "[" + profile + "]\naws_access_key_id=" + id + "\naws_secret_access_key=s\n";
  }
  // The id of the keys that are found; "!" and the error's text where there are none.
  static std::string id(const RegistrySettings& settings = {}) {
    const auto keys = find_aws_keys(settings);
    return keys ? keys->access_key_id : "!" + keys.error().text();
  }
  void write_home(const std::string& text) const {
    std::filesystem::create_directories(folder_ / ".aws");
    std::ofstream(folder_ / ".aws" / "credentials") << text;
  }

  test::TemporaryFolder folder_;
  std::string home_;
};

TEST_F(AwsKeysTest, ComeFromTheFileOfTheSettingsBeforeTheEnvironmentBeforeTheHome) {
  const std::string place = (folder_ / ".aws" / "credentials").string();
  EXPECT_NE(id().find("there are no AWS keys: " + place + " does not exist"), std::string::npos);
  EXPECT_EQ(find_aws_keys({}).error().code, Errc::not_found);

  write_home(keys_of("default", "HOME") + keys_of("shop", "SHOP"));
  EXPECT_EQ(id(), "HOME");
  ::setenv("AWS_PROFILE", "shop", 1);
  EXPECT_EQ(id(), "SHOP");
  ::setenv("AWS_ACCESS_KEY_ID", "ENV", 1);
  EXPECT_NE(id().find("the environment has no aws_secret_access_key"), std::string::npos);
  ::setenv("AWS_SECRET_ACCESS_KEY", "s", 1);
  EXPECT_EQ(id(), "ENV");

  RegistrySettings settings;
  settings.aws_profile = "default";
  EXPECT_EQ(id(settings), "HOME");
  settings.aws_credentials_file = folder_ / "keys";
  EXPECT_NE(id(settings).find((folder_ / "keys").string()), std::string::npos);
  std::ofstream(folder_ / "keys") << keys_of("default", "FILE");
  EXPECT_EQ(id(settings), "FILE");
  settings.aws_profile = "none";
  EXPECT_NE(id(settings).find((folder_ / "keys").string() + ": it has no profile none"),
            std::string::npos);
}

TEST(EcrRegistry, IsToldByItsName) {
  const struct {
    const char *registry, *region, *api_host;
  } rows[] = {
      {"123456789012.dkr.ecr.eu-central-1.amazonaws.com", "eu-central-1",
       "api.ecr.eu-central-1.amazonaws.com"},
      {"123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1",
       "api.ecr-fips.us-gov-west-1.amazonaws.com"},
      {"123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1",
       "api.ecr.cn-north-1.amazonaws.com.cn"},
      {"123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1",
       "api.ecr.eusc-de-east-1.amazonaws.eu"},
      {"123456789012.dkr-ecr.us-east-1.on.aws", "us-east-1", "ecr.us-east-1.api.aws"},
      {"123456789012.dkr-ecr-fips.us-east-1.on.aws", "us-east-1", "ecr-fips.us-east-1.api.aws"},
      {"123456789012.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn", "cn-north-1",
       "ecr.cn-north-1.api.amazonwebservices.com.cn"},
  };
  for (const auto& row : rows) {
    const auto ecr = parse_ecr_registry(row.registry);
    ASSERT_TRUE(ecr) << row.registry;
    EXPECT_EQ(*ecr, (EcrRegistry{row.region, row.api_host})) << row.registry;
  }
  for (const char* other :
       {"", "docker.io", "public.ecr.aws", "dkr.ecr.eu-central-1.amazonaws.com",
        "12345678901.dkr.ecr.eu-central-1.amazonaws.com",
        "12345678901x.dkr.ecr.eu-central-1.amazonaws.com", "123456789012.dkr.ecr.amazonaws.com",
        "123456789012.dkr.ecr..amazonaws.com", "123456789012.dkr.ecr.a.evil.amazonaws.com",
        "123456789012.dkr.ecr.eu-central-1.amazonaws.com.evil.example",
        "123456789012.dkr.ecr.eu-central-1.amazonaws.example",
        "123456789012.s3.eu-central-1.amazonaws.com", "123456789012.dkr.ecr.eu-central-1.on.aws"})
    EXPECT_FALSE(parse_ecr_registry(other)) << other;
}

TEST(EcrLogin, IsReadFromTheAnswer) {
  const auto body = [](const std::string& token, const std::string& expires) {
    return R"({"authorizationData":[{"authorizationToken":")" + token + R"(","expiresAt":)" +
           expires + R"(,"proxyEndpoint":"https://1.dkr.ecr.x.amazonaws.com"}]})";
  };
  const std::string good = base64_encode("AWS:pass:word");
  const struct {
    const char* expires;
    const char* time;
  } rows[] = {{"1440938160", "2015-08-30T12:36:00.000Z"},
              {"1.44093816025E9", "2015-08-30T12:36:00.250Z"},
              {"-5", "1970-01-01T00:00:00.000Z"},
              {"9e300", "2100-01-01T00:00:00.000Z"}};
  for (const auto& row : rows) {
    const auto login = parse_ecr_login(body(good, row.expires));
    ASSERT_TRUE(login) << row.expires;
    EXPECT_EQ(login->username, "AWS");
    EXPECT_EQ(login->password, "pass:word");
    EXPECT_EQ(format_time(login->expires_at), row.time);
  }
  for (const std::string& wrong :
       {std::string(), std::string("[]"), std::string("{}"),
        std::string(R"({"authorizationData":[]})"), std::string(R"({"authorizationData":[7]})"),
        body("sec ret", "1"), body(base64_encode("secret"), "1"),
        body(base64_encode(":secret"), "1"), body(base64_encode("secret:"), "1"),
        body(good, "\"secret\""), body(good, "null")}) {
    const auto login = parse_ecr_login(wrong);
    ASSERT_FALSE(login) << wrong;
    EXPECT_EQ(login.error().code, Errc::invalid);
    EXPECT_EQ(login.error().text().find("secret"), std::string::npos);
  }
}

TEST(EcrRefusal, SaysWhatToDo) {
  const struct {
    int status;
    const char *type, *message;
    Errc code;
    const char* said;
  } rows[] = {
      {400, "UnrecognizedClientException", "The security token included in the request is invalid.",
       Errc::denied, "does not know the AWS access key"},
      {400, "com.amazon.coral.service#UnrecognizedClientException", "", Errc::denied,
       "does not know the AWS access key"},
      {403, "InvalidSignatureException",
       "The request signature we calculated does not match. x-amz-security-token:secret",
       Errc::denied, "secret key does not belong"},
      {403, "InvalidSignatureException",
       "Signature expired: 20150830T123600Z is now earlier than 20150830T124000Z", Errc::denied,
       "clock is wrong"},
      {403, "InvalidSignatureException", "Signature not yet current: 20150830T123600Z",
       Errc::denied, "clock is wrong"},
      {400, "RequestExpired", "", Errc::denied, "clock is wrong"},
      {400, "ExpiredTokenException", "The security token included in the request is expired",
       Errc::denied, "temporary AWS keys have expired"},
      {400, "AccessDeniedException", "User: arn:aws:iam::1:user/x is not authorized", Errc::denied,
       "lack the permission to log in to Amazon ECR: User: arn:aws:iam::1:user/x is not "
       "authorized"},
      {400, "ThrottlingException", "Rate exceeded", Errc::unavailable,
       "returns no login at the moment"},
      {429, "", "", Errc::unavailable, "(429)"},
      {500, "ServerException", "", Errc::unavailable, "(500, ServerException)"},
      {404, "UnknownOperationException", "", Errc::failed, "(404, UnknownOperationException)"},
  };
  for (const auto& row : rows) {
    Json body = Json::object();
    body["__type"] = row.type;
    body["message"] = row.message;
    const auto error = ecr_refusal("api.ecr.example", {row.status, {}, dump_json(body)});
    EXPECT_EQ(error.code, row.code) << row.type;
    EXPECT_NE(error.message.find(row.said), std::string::npos) << error.text();
    EXPECT_FALSE(error.hint.empty()) << row.type;
    EXPECT_EQ(error.text().find("x-amz-security-token"), std::string::npos) << error.text();
  }
  EXPECT_EQ(ecr_refusal("x", {400, {}, "<html>"}).code, Errc::failed);
  EXPECT_NE(ecr_refusal("x", {400, {}, R"({"__type":"AccessDenied","Message":"not you"})"})
                .message.find("not you"),
            std::string::npos);
}

}  // namespace
}  // namespace trimtab
