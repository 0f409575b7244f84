#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "agent/registry/credential_helper.hpp"
#include "agent/registry/docker_config.hpp"
#include "agent/registry/rate_limit.hpp"
#include "agent/registry/registry_errors.hpp"
#include "agent/registry/registry_token.hpp"
#include "agent/registry/www_authenticate.hpp"
#include "common/hash.hpp"
#include "common/log.hpp"

namespace trimtab {
namespace {

using namespace std::chrono_literals;
using Challenges = std::vector<Challenge>;

TEST(WwwAuthenticate, IsReadAsChallenges) {
  const struct {
    std::string header;
    Challenges expected;
  } rows[] = {
      {"", {}},
      {" , ,", {}},
      {"Basic realm=\"Registry\"", {{"basic", {{"realm", "Registry"}}}}},
      {"Basic", {{"basic", {}}}},
      {"BEARER Realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\","
       "scope=\"repository:library/nginx:pull\"",
       {{"bearer",
         {{"realm", "https://auth.docker.io/token"},
          {"service", "registry.docker.io"},
          {"scope", "repository:library/nginx:pull"}}}}},
      {"Bearer realm=\"r\",scope=\"repository:a:pull,push repository:b:pull\"",
       {{"bearer", {{"realm", "r"}, {"scope", "repository:a:pull,push repository:b:pull"}}}}},
      {"Bearer realm = r , error=insufficient_scope",
       {{"bearer", {{"realm", "r"}, {"error", "insufficient_scope"}}}}},
      {"Basic realm=\"a \\\"b\\\" \\\\\"", {{"basic", {{"realm", "a \"b\" \\"}}}}},
      {"Bearer realm=\"r\", Basic realm=\"x, Bearer realm=y\"",
       {{"bearer", {{"realm", "r"}}}, {"basic", {{"realm", "x, Bearer realm=y"}}}}},
      {"Negotiate YWJj/+==, Basic realm=x", {{"negotiate", {}}, {"basic", {{"realm", "x"}}}}},
      {"Negotiate, Bearer realm=r", {{"negotiate", {}}, {"bearer", {{"realm", "r"}}}}},
      // The first of two equal names counts.
      {"Bearer realm=a,realm=b", {{"bearer", {{"realm", "a"}}}}},
      // What cannot be read ends it; the rest is kept.
      {"Bearer realm=\"r\",scope=\"unfinished", {{"bearer", {{"realm", "r"}}}}},
      {"Bearer realm=\"r\\", {{"bearer", {}}}},
      {"Bearer realm=", {{"bearer", {}}}},
      {"=x", {}},
      {"\"Bearer\" realm=x", {}},
  };
  for (const auto& row : rows) {
    const auto challenges = parse_challenges(row.header);
    ASSERT_EQ(challenges.size(), row.expected.size()) << row.header;
    for (std::size_t i = 0; i < challenges.size(); ++i) {
      EXPECT_EQ(challenges[i].scheme, row.expected[i].scheme) << row.header;
      EXPECT_EQ(challenges[i].parameters, row.expected[i].parameters) << row.header;
    }
  }
}

TEST(TokenTarget, AsksForTheChallengesScopes) {
  const auto realm = http::parse_url("https://auth.example.com/token").value();
  const auto with_query = http::parse_url("https://auth.example.com/token?kind=pull").value();
  const struct {
    http::Url realm;
    Challenge challenge;
    std::string username, expected;
  } rows[] = {
      {realm,
       {"bearer", {{"service", "registry.docker.io"}, {"scope", "repository:a/b:pull"}}},
       "",
       "/token?service=registry.docker.io&scope=repository%3Aa%2Fb%3Apull"},
      {realm, {"bearer", {}}, "", "/token?scope=repository%3Aacme%2Fbackend%3Apull"},
      {with_query,
       {"bearer", {{"scope", "one two"}}},
       "robot$x&y",
       "/token?kind=pull&scope=one&scope=two&account=robot%24x%26y"},
  };
  for (const auto& row : rows)
    EXPECT_EQ(token_target(row.realm, row.challenge, "acme/backend", row.username), row.expected);
}

TEST(TokenForm, GivesTheIdentityTokenInExchange) {
  const Challenge challenge{
      "bearer", {{"service", "test registry"}, {"scope", "repository:a:pull repository:b:pull"}}};
  EXPECT_EQ(token_form(challenge, "acme/backend", "a+b/c="),
            "grant_type=refresh_token&client_id=trimtab&service=test%20registry"
            "&scope=repository%3Aa%3Apull%20repository%3Ab%3Apull&refresh_token=a%2Bb%2Fc%3D");
  EXPECT_NE(token_form({"bearer", {}}, "acme/backend", "x").find("acme%2Fbackend%3Apull"),
            std::string::npos);
}

TEST(Token, IsReadWithItsLifetime) {
  const struct {
    std::string body, text;
    int seconds;
  } rows[] = {
      {R"({"token":"abc"})", "abc", 60},
      {R"({"access_token":"abc","expires_in":300,"issued_at":"2001-01-01T00:00:00Z"})", "abc", 300},
      {R"({"token":"abc","access_token":"other","expires_in":0})", "abc", 0},
      {R"({"token":"abc","expires_in":-5})", "abc", 0},
      {R"({"token":"abc","expires_in":9223372036854775807})", "abc", 604800},
      {R"({"token":"abc","expires_in":"soon"})", "abc", 60},
  };
  for (const auto& row : rows) {
    const auto token = parse_token(row.body);
    ASSERT_TRUE(token) << row.body;
    EXPECT_EQ(token->text, row.text);
    EXPECT_EQ(token->lifetime.count(), row.seconds) << row.body;
  }
}

TEST(Token, IsRefusedWithoutQuotingTheAnswer) {
  for (const char* body : {"", "[]", "{}", "secret", R"({"token":""})", R"({"token":7})",
                           R"({"token":"secret\r\nX: y"})", R"({"token":"secret word"})"}) {
    const auto token = parse_token(body);
    ASSERT_FALSE(token) << body;
    EXPECT_EQ(token.error().code, Errc::invalid);
    EXPECT_EQ(token.error().text().find("secret"), std::string::npos) << body;
  }
}

Json config_of(const char* text) {
  return parse_json(text).value();
}

TEST(DockerConfig, FindsTheLoginOfARegistry) {
  const struct {
    const char* config;
    std::string registry, username, password, server;
  } rows[] = {
      {R"({"auths":{"ghcr.io":{"auth":"YW5hOnB3"}}})", "ghcr.io", "ana", "pw", "ghcr.io"},
      // A colon in the password, and the padding that some versions of Docker wrote.
      {R"({"auths":{"ghcr.io":{"auth":"YW5hOnA6dwAA"}}})", "ghcr.io", "ana", "p:w", "ghcr.io"},
      {R"({"auths":{"r.example:5000":{"username":"ana","password":"pw"}}})", "r.example:5000",
       "ana", "pw", "r.example:5000"},
      {R"({"auths":{"r.example":{"username":"x","password":"y","auth":"YW5hOnB3"}}})", "r.example",
       "ana", "pw", "r.example"},
      {R"({"auths":{"https://r.example/v1/":{"auth":"YW5hOnB3"}}})", "r.example", "ana", "pw",
       "r.example"},
      {R"({"auths":{"https://r.example":{"auth":"eDp5"},"r.example":{"auth":"YW5hOnB3"}}})",
       "r.example", "ana", "pw", "r.example"},
      {R"({"auths":{"https://index.docker.io/v1/":{"auth":"YW5hOnB3"}}})", "docker.io", "ana", "pw",
       "https://index.docker.io/v1/"},
      {R"({"auths":{"docker.io":{"auth":"YW5hOnB3"}}})", "docker.io", "ana", "pw",
       "https://index.docker.io/v1/"},
      // A store holds the logins of others; this one is in the file.
      {R"({"credsStore":"pass","auths":{"ghcr.io":{"auth":"YW5hOnB3"},"quay.io":{}}})", "ghcr.io",
       "ana", "pw", "ghcr.io"},
      {R"({"credHelpers":{"quay.io":"pass"},"auths":{"ghcr.io":{"auth":"YW5hOnB3"}}})", "ghcr.io",
       "ana", "pw", "ghcr.io"},
      // No helper of its own.
      {R"({"credHelpers":{"ghcr.io":""},"auths":{"ghcr.io":{"auth":"YW5hOnB3"}}})", "ghcr.io",
       "ana", "pw", "ghcr.io"},
  };
  for (const auto& row : rows) {
    const auto stored = find_login(config_of(row.config), row.registry);
    ASSERT_TRUE(stored) << row.config << stored.error().text();
    const RegistryLogin expected{row.username, row.password, "", row.server};
    EXPECT_EQ(stored->login, expected) << row.config;
    EXPECT_TRUE(stored->named) << row.config;
    EXPECT_EQ(stored->helper, "") << row.config;
  }
}

TEST(DockerConfig, FindsAnIdentityToken) {
  for (const char* config :
       {R"({"auths":{"ghcr.io":{"identitytoken":"eyJ.x"}}})",
        R"({"auths":{"ghcr.io":{"auth":"MDAwMDAwMDA6","identitytoken":"eyJ.x"}}})"}) {
    const auto stored = find_login(config_of(config), "ghcr.io");
    ASSERT_TRUE(stored) << config;
    const RegistryLogin expected{"", "", "eyJ.x", "ghcr.io"};
    EXPECT_EQ(stored->login, expected) << config;
  }
}

TEST(DockerConfig, FindsTheHelperThatHasTheLogin) {
  const struct {
    const char *config, *registry, *helper;
    bool named;
  } rows[] = {
      {R"({"credHelpers":{"r.example":"ecr-login"}})", "r.example", "ecr-login", true},
      {R"({"credHelpers":{"https://index.docker.io/v1/":"pass"}})", "docker.io", "pass", true},
      {R"({"credHelpers":{"r.example":"one"},"credsStore":"two",
           "auths":{"r.example":{"auth":"YW5hOnB3"}}})",
       "r.example", "one", true},
      {R"({"credsStore":"pass","auths":{"ghcr.io":{}}})", "ghcr.io", "pass", true},
      {R"({"credsStore":"pass"})", "ghcr.io", "pass", false},
      {R"({"credsStore":"pass","credHelpers":{"quay.io":"x"}})", "ghcr.io", "pass", false},
  };
  for (const auto& row : rows) {
    const auto stored = find_login(config_of(row.config), row.registry);
    ASSERT_TRUE(stored) << row.config << stored.error().text();
    EXPECT_EQ(stored->helper, row.helper) << row.config;
    EXPECT_EQ(stored->named, row.named) << row.config;
    EXPECT_FALSE(stored->login) << row.config;
  }
}

TEST(DockerConfig, HasNoLoginForOtherRegistries) {
  const struct {
    const char *config, *registry;
  } rows[] = {
      {"{}", "ghcr.io"},
      {R"({"auths":[]})", "ghcr.io"},
      {R"({"auths":{"ghcr.io":{}}})", "ghcr.io"},
      {R"({"auths":{"ghcr.io":{"auth":"YW5hOnB3"}}})", "docker.io"},
      {R"({"auths":{"ghcr.io.example":{"auth":"YW5hOnB3"}}})", "ghcr.io"},
      {R"({"auths":{"r.example:5000":{"auth":"YW5hOnB3"}}})", "r.example"},
      {R"({"auths":{"index.docker.io":{"auth":"YW5hOnB3"}}})", "ghcr.io"},
      {R"({"credHelpers":{"quay.io":"pass"}})", "ghcr.io"},
  };
  for (const auto& row : rows) {
    const auto stored = find_login(config_of(row.config), row.registry);
    ASSERT_TRUE(stored) << row.config << stored.error().text();
    EXPECT_FALSE(stored->login) << row.config;
    EXPECT_EQ(stored->helper, "") << row.config;
  }
}

TEST(DockerConfig, SaysWhichEntryItCannotUse) {
  const struct {
    const char *config, *registry, *said;
  } rows[] = {
      {R"({"credHelpers":{"ghcr.io":{"secret":7}}})", "ghcr.io", "not a name"},
      {R"({"auths":{"ghcr.io":{"auth":"secret!"}}})", "ghcr.io", "base64"},
      {R"({"auths":{"ghcr.io":{"auth":"c2VjcmV0"}}})", "ghcr.io", "user:password"},
      {R"({"auths":{"ghcr.io":{"auth":"OnNlY3JldA=="}}})", "ghcr.io", "user:password"},
      {R"({"auths":{"ghcr.io":{"password":"secret"}}})", "ghcr.io", "no user name"},
      {R"({"auths":{"ghcr.io":"secret"}})", "ghcr.io", "not an object"},
  };
  for (const auto& row : rows) {
    const auto login = find_login(config_of(row.config), row.registry);
    ASSERT_FALSE(login) << row.config;
    EXPECT_EQ(login.error().code, Errc::invalid) << row.config;
    EXPECT_NE(login.error().message.find(row.said), std::string::npos) << login.error().text();
    EXPECT_FALSE(login.error().hint.empty());
    EXPECT_EQ(login.error().text().find("secret"), std::string::npos) << login.error().text();
  }
}

TEST(CredentialHelper, AnswersWithALogin) {
  const struct {
    Exit exit;
    std::optional<RegistryLogin> expected;
  } rows[] = {
      {{0, 0,
        R"({"ServerURL":"ghcr.io","Username":"ana","Secret":"p:w"})"
        "\n",
        "a warning"},
       RegistryLogin{"ana", "p:w", "", "ghcr.io"}},
      {{0, 0, R"({"Username":"<token>","Secret":"eyJ.x"})", ""},
       RegistryLogin{"", "", "eyJ.x", "ghcr.io"}},
      {{1, 0, "credentials not found in native keychain\n", ""}, std::nullopt},
  };
  for (const auto& row : rows) {
    const auto login = parse_helper_answer("pass", "ghcr.io", row.exit);
    ASSERT_TRUE(login) << row.exit.out << login.error().text();
    EXPECT_EQ(*login, row.expected) << row.exit.out;
  }
}

TEST(CredentialHelper, IsNotQuotedWhereItMayHaveSaidASecret) {
  const struct {
    Exit exit;
    Errc code;
    const char* said;
  } rows[] = {
      {{1, 0, "", "gpg: decryption failed"}, Errc::unavailable, ": gpg: decryption failed"},
      {{1, 0, "no AWS\ncredentials\n", "debug"}, Errc::unavailable, ": no AWS credentials"},
      {{1, 0, R"({"Secret":"secret"})", ""}, Errc::unavailable, "(exit code 1)"},
      {{139, 11, "", ""}, Errc::unavailable, "(exit code 139)"},
      {{0, 0, "", ""}, Errc::invalid, "something that is not a login"},
      {{0, 0, "secret", ""}, Errc::invalid, "something that is not a login"},
      {{0, 0, R"(["secret"])", ""}, Errc::invalid, "something that is not a login"},
      {{0, 0, R"({"Username":"","Secret":"secret"})", ""},
       Errc::invalid,
       "something that is not a login"},
      {{0, 0, R"({"Username":"ana","Secret":""})", ""},
       Errc::invalid,
       "something that is not a login"},
      {{0, 0, R"({"Username":"ana","Secret":"secret"})", "", true},
       Errc::invalid,
       "is not a login"},
  };
  for (const auto& row : rows) {
    const auto login = parse_helper_answer("pass", "ghcr.io", row.exit);
    ASSERT_FALSE(login) << row.exit.out;
    EXPECT_EQ(login.error().code, row.code) << row.exit.out;
    EXPECT_NE(login.error().message.find("docker-credential-pass"), std::string::npos);
    EXPECT_NE(login.error().message.find(row.said), std::string::npos) << login.error().text();
    EXPECT_FALSE(login.error().hint.empty());
    EXPECT_EQ(login.error().text().find("secret"), std::string::npos) << login.error().text();
  }
}

// A config.json in a folder of its own, and what is logged meanwhile.
class DockerConfigFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "trimtab-registry-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    before_ = spdlog::default_logger();
    spdlog::set_default_logger(std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_st>(log_)));
  }
  void TearDown() override {
    spdlog::set_default_logger(before_);
    std::filesystem::remove_all(folder_);
  }

  [[nodiscard]] std::filesystem::path path() const { return folder_ / "config.json"; }
  // As editors and `docker login` do: another inode.
  void replace(const std::string& text) const {
    std::ofstream(folder_ / "new") << text;
    std::filesystem::rename(folder_ / "new", path());
  }
  static std::string config_with(const std::string& user) {
    return R"({"auths":{"ghcr.io":{"auth":")" + base64_encode(user + ":pw") + R"("}}})";
  }
  // "" for none, "!" for an error.
  std::string user() {
    const auto stored = file_.find("ghcr.io");
    if (!stored) return "!";
    return stored->login ? stored->login->username : std::string();
  }
  [[nodiscard]] int warnings() const {
    int count = 0;
    std::istringstream lines(log_.str());
    for (std::string line; std::getline(lines, line);)
      count += line.find("warning") != std::string::npos;
    return count;
  }

  std::filesystem::path folder_;
  std::ostringstream log_;
  std::shared_ptr<spdlog::logger> before_;
  DockerConfigFile file_{std::filesystem::path()};
};

TEST_F(DockerConfigFileTest, IsReadAnewWhenItWasReplaced) {
  file_ = DockerConfigFile(path());
  EXPECT_EQ(user(), "");
  replace(config_with("ana"));
  EXPECT_EQ(user(), "ana");
  replace(config_with("eva"));  // of the same size
  EXPECT_EQ(user(), "eva");
  std::filesystem::remove(path());
  EXPECT_EQ(user(), "");
  EXPECT_EQ(warnings(), 0);
}

TEST_F(DockerConfigFileTest, IsReadAnewWhenItWasEditedInPlace) {
  file_ = DockerConfigFile(path());
  replace(config_with("ana"));
  EXPECT_EQ(user(), "ana");
  std::ofstream(path()) << config_with("eva");
  // The kernel's clock of files ticks coarsely: say what a later edit would show.
  std::filesystem::last_write_time(
      path(), std::filesystem::last_write_time(path()) + std::chrono::seconds(1));
  EXPECT_EQ(user(), "eva");
}

TEST_F(DockerConfigFileTest, KeepsTheLastGoodContentWhileItIsHalfWritten) {
  file_ = DockerConfigFile(path());
  replace(config_with("ana"));
  EXPECT_EQ(user(), "ana");
  for (const std::string& text :
       {config_with("eva").substr(0, 20), std::string(), std::string("7")}) {
    const int before = warnings();
    replace(text);
    EXPECT_EQ(user(), "ana") << text;
    EXPECT_EQ(user(), "ana") << text;
    EXPECT_EQ(warnings(), before + 1) << log_.str();
  }
  replace(config_with("eva"));
  EXPECT_EQ(user(), "eva");
  EXPECT_EQ(log_.str().find("cHc="), std::string::npos);
}

TEST_F(DockerConfigFileTest, SaysWhatIsWrongWhereItWasNeverGood) {
  file_ = DockerConfigFile(path());
  replace("{");
  const auto stored = file_.find("ghcr.io");
  ASSERT_FALSE(stored);
  EXPECT_EQ(stored.error().code, Errc::invalid);
  EXPECT_EQ(stored.error().message, path().string() + ": not valid JSON");
  EXPECT_EQ(warnings(), 1);
}

TEST_F(DockerConfigFileTest, IsBounded) {
  file_ = DockerConfigFile(path());
  replace("{\"x\":\"" + std::string(2 * 1024 * 1024, 'x') + "\"}");
  EXPECT_EQ(user(), "!");
}

ImageReference image(const char* text) {
  return parse_reference(text).value();
}

TEST(RegistryErrors, SayWhatHappenedAndWhatToDo) {
  const http::Headers json = {{"Content-Type", "application/json"}};
  const struct {
    const char* image;
    http::Response response;
    bool login;
    Errc code;
    const char* message;
  } rows[] = {
      {"ghcr.io/acme/backend",
       {404, json, ""},
       false,
       Errc::not_found,
       "ghcr.io has no image acme/backend:latest"},
      {"nginx:9.9", {404, {}, ""}, true, Errc::not_found, "docker.io has no image nginx:9.9"},
      {"ghcr.io/acme/backend:1",
       {401, json, R"({"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]})"},
       false,
       Errc::denied,
       "ghcr.io refuses acme/backend:1 without a login: authentication required"},
      {"acme/backend:1",
       {403, {}, ""},
       true,
       Errc::denied,
       "docker.io refuses acme/backend:1 to the login it was given"},
      {"nginx",
       {429, {{"retry-after", "30"}}, R"({"message":"toomanyrequests"})"},
       false,
       Errc::unavailable,
       "docker.io limits the rate of requests (429) and asks to retry in 30 s: toomanyrequests"},
      {"nginx",
       {429, {{"Retry-After", "Wed, 21 Oct 2020 07:28:00 GMT"}}, ""},
       false,
       Errc::unavailable,
       "docker.io limits the rate of requests (429)"},
      {"ghcr.io/a/b",
       {503, {}, "<html>busy</html>"},
       false,
       Errc::unavailable,
       "ghcr.io has an internal problem (503)"},
      {"example.com/a/b",
       {200, {}, "<html>"},
       false,
       Errc::failed,
       "example.com does not answer like a registry (200)"},
      {"example.com/a/b",
       {302, {}, ""},
       false,
       Errc::failed,
       "example.com does not answer like a registry (302)"},
  };
  for (const auto& row : rows) {
    const auto error = refusal(image(row.image), row.response, row.login);
    EXPECT_EQ(error.code, row.code) << row.message;
    EXPECT_EQ(error.message, row.message);
    EXPECT_FALSE(error.hint.empty()) << row.message;
  }
}

TEST(RegistryErrors, SayForAmazonThatItsLoginsEnd) {
  const auto backend = image("123456789012.dkr.ecr.eu-central-1.amazonaws.com/acme/backend");
  EXPECT_NE(refusal(backend, {403, {}, ""}, true).hint.find("12 hours"), std::string::npos);
  EXPECT_NE(refusal(backend, {401, {}, ""}, false).hint.find("AWS keys"), std::string::npos);
}

TEST(RegistryErrors, TellAWrongLoginFromNone) {
  const http::Response refused{401, {}, R"({"details":"incorrect username or password"})"};
  const auto wrong = token_refusal(image("acme/backend"), "auth.docker.io", refused, true);
  EXPECT_EQ(wrong.code, Errc::denied);
  EXPECT_EQ(wrong.message, "the login for docker.io is refused: incorrect username or password");
  const auto none = token_refusal(image("acme/backend"), "auth.docker.io", refused, false);
  EXPECT_EQ(none.code, Errc::denied);
  EXPECT_NE(none.message.find("without a login"), std::string::npos);
  const auto busy = token_refusal(image("acme/backend"), "auth.docker.io", {500, {}, ""}, true);
  EXPECT_EQ(busy.code, Errc::unavailable);
  EXPECT_EQ(busy.message, "auth.docker.io has an internal problem (500)");
}

TEST(RegistryErrors, BoundAndCleanTheRegistrysWords) {
  EXPECT_EQ(registry_message(""), "");
  EXPECT_EQ(registry_message("<html>"), "");
  EXPECT_EQ(registry_message("[]"), "");
  EXPECT_EQ(registry_message(R"({"errors":[]})"), "");
  EXPECT_EQ(registry_message(R"({"errors":["x"]})"), "");
  EXPECT_EQ(registry_message(R"({"errors":[{"code":"DENIED"}]})"), "DENIED");
  EXPECT_EQ(registry_message(R"({"errors":[{"message":"a\nb\n"}]})"), "a b");
  EXPECT_EQ(registry_message(R"({"message":"\u001b[31mred"})").find('\x1b'), std::string::npos);
  const std::string lengthy = R"({"message":")" + std::string(5000, 'x') + R"("})";
  EXPECT_LE(registry_message(lengthy).size(), 300U);
}

TEST(RateLimit, APauseLastsUntilPullsAreThereAgain) {
  const auto now = *parse_time("2026-11-23T07:00:00.000Z");
  const auto epoch = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch());
  struct Row {
    http::Headers headers;
    std::chrono::seconds pause;
  };
  for (const Row& row : {
           Row{{}, 0s},
           Row{{{"RateLimit-Remaining", "20;w=21600"}}, 0s},
           Row{{{"ratelimit-remaining", "0;w=21600"}}, 900s},
           Row{{{"RateLimit-Remaining", "0"}}, 900s},
           Row{{{"RateLimit-Remaining", "0x"}}, 0s},
           Row{{{"RateLimit-Remaining", "none"}}, 0s},
           Row{{{"RateLimit-Remaining", "0"}, {"RateLimit-Reset", "40"}}, 40s},
           Row{{{"RateLimit-Remaining", "0"}, {"RateLimit-Reset", "999999"}}, 3600s},
           Row{{{"RateLimit-Remaining", "0"},
                {"RateLimit-Reset", std::to_string(epoch.count() + 60)}},
               60s},
           Row{{{"RateLimit-Remaining", "0"}, {"RateLimit-Reset", "1500000000"}}, 0s},
           Row{{{"RateLimit-Remaining", "7"}, {"RateLimit-Reset", "40"}}, 0s},
       }) {
    EXPECT_EQ(pause_of_pulls(row.headers, now), row.pause)
        << (row.headers.empty() ? "" : row.headers.back().second);
  }
}

}  // namespace
}  // namespace trimtab
