// The registry client against Debian's docker-registry and nginx.
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "agent/registry/registry_client.hpp"
#include "common/hash.hpp"
#include "common/json.hpp"
#include "tests/lib/loop.hpp"
#include "tests/lib/server_script.hpp"
#include "tests/lib/temporary_folder.hpp"

namespace trimtab {
namespace {

class RegistryClientTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    script_ = std::make_unique<test::ServerScript>("registry_servers");
  }
  static void TearDownTestSuite() { script_.reset(); }

  static std::string about(const char* key) { return json_string(script_->about(), key); }
  static const Json& server(const std::string& name) {
    return json_object(json_object(script_->about(), "servers"), name);
  }
  static std::string address(const std::string& name) {
    return json_string(server(name), "address");
  }
  static std::string pushed(const std::string& image) {
    return json_string(json_object(script_->about(), "images"), image);
  }

  // An image that no other test asks for, so that its requests can be counted.
  static std::string push(const std::string& name) {
    const Json answer = script_->command("push " + name + " one");
    EXPECT_TRUE(is_digest(json_string(answer, "digest")));
    return json_string(answer, "digest");
  }

  static int count_in(const std::string& path, const std::string& text) {
    std::ifstream log(path);
    int count = 0;
    for (std::string line; std::getline(log, line);) count += line.find(text) != std::string::npos;
    return count;
  }
  // How many lines of a server's access log hold the text, once there are so many: servers answer
  // first and log then.
  static int count(const std::string& name, const std::string& text, int expected) {
    const auto deadline = SteadyClock::now() + std::chrono::seconds(10);
    int found = 0;
    do {
      found = count_in(json_string(server(name), "log"), text);
      if (found < expected) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    } while (found < expected && SteadyClock::now() < deadline);
    return found;
  }

  static ImageReference image(const std::string& server_name, const std::string& name) {
    return parse_reference(address(server_name) + "/" + name).value();
  }

  // As `docker login` does: another file in its place.
  void log_in(const std::string& registry, const std::string& user, const std::string& password) {
    const auto next = folder_ / "next.json";
    std::ofstream(next) << R"({"auths":{")" << registry << R"(":{"auth":")"
                        << base64_encode(user + ":" + password) << R"("}}})";
    std::filesystem::rename(next, config());
  }
  void log_in(const std::string& server_name) {
    const Json& login = json_object(script_->about(), "login");
    log_in(address(server_name), json_string(login, "username"), json_string(login, "password"));
  }

  // Connections stay open between two questions, as in the daemon: the loop has work left then.
  Result<std::string> ask(const ImageReference& reference) {
    Result<std::string> answer;
    bool answered = false;
    const auto keep = [&](const std::exception_ptr& failure, Result<std::string> result) {
      if (failure) std::rethrow_exception(failure);
      answer = std::move(result);
      answered = true;
    };
    asio::co_spawn(loop_, client_->digest_of(reference), keep);
    const auto deadline = SteadyClock::now() + std::chrono::seconds(60);
    loop_.restart();
    while (!answered && SteadyClock::now() < deadline)
      loop_.run_one_for(std::chrono::milliseconds(100));
    return answered ? answer : Error{Errc::timed_out, "the test waited for a minute", {}};
  }
  Result<std::string> ask(const std::string& server_name, const std::string& name) {
    return ask(image(server_name, name));
  }

  void TearDown() override {
    client_->close();
    test::run_loop(loop_);  // throws where something keeps the daemon from ending
  }

  [[nodiscard]] std::filesystem::path config() const { return folder_ / "config.json"; }
  void use_certificates(const std::filesystem::path& folder) {
    client_->close();
    client_ = std::make_unique<RegistryClient>(config(), folder);
  }

  static std::unique_ptr<test::ServerScript> script_;
  test::TemporaryFolder folder_;
  asio::io_context loop_;
  std::unique_ptr<RegistryClient> client_ =
      std::make_unique<RegistryClient>(config(), about("certificates"));
};

std::unique_ptr<test::ServerScript> RegistryClientTest::script_;

#define EXPECT_DIGEST(answer, expected)         \
  do {                                          \
    const auto& value = (answer);               \
    ASSERT_TRUE(value) << value.error().text(); \
    EXPECT_EQ(*value, expected);                \
  } while (false)

#define EXPECT_ERROR(answer, expected_code, part)                                          \
  do {                                                                                     \
    const auto& value = (answer);                                                          \
    ASSERT_FALSE(value) << *value;                                                         \
    EXPECT_EQ(value.error().code, expected_code) << value.error().text();                  \
    EXPECT_NE(value.error().text().find(part), std::string::npos) << value.error().text(); \
    EXPECT_EQ(value.error().text().find("battery"), std::string::npos);                    \
  } while (false)

TEST_F(RegistryClientTest, TellsTheDigestThatWasPushed) {
  for (const char* server : {"plain", "tls"}) {
    EXPECT_DIGEST(ask(server, "team/app:1"), pushed("team/app:1"));
    EXPECT_DIGEST(ask(server, "team/app"), pushed("team/app:latest"));
  }
}

TEST_F(RegistryClientTest, TellsTheDigestOfAListOfPlatforms) {
  EXPECT_DIGEST(ask("tls", "team/multi"), pushed("team/multi:latest"));
}

TEST_F(RegistryClientTest, SeesATagMove) {
  const auto first = script_->command("push moving/app:main one");
  EXPECT_DIGEST(ask("plain", "moving/app:main"), json_string(first, "digest"));
  const auto second = script_->command("push moving/app:main two");
  EXPECT_NE(json_string(first, "digest"), json_string(second, "digest"));
  EXPECT_DIGEST(ask("plain", "moving/app:main"), json_string(second, "digest"));
}

TEST_F(RegistryClientTest, FiftyQuestionsAreFiftyHeads) {
  log_in("basic");
  const std::string digest = push("fifty/app:1");
  for (int i = 0; i < 50; ++i) {
    EXPECT_DIGEST(ask("plain", "fifty/app:1"), digest);
    EXPECT_DIGEST(ask("basic", "fifty/app:1"), digest);
  }
  EXPECT_EQ(count("plain", "\"HEAD /v2/fifty/app/manifests/1 ", 50), 50);
  // The first question had to learn that a login is wanted.
  EXPECT_EQ(count("basic", "\"HEAD /v2/fifty/app/manifests/1 ", 51), 51);
  EXPECT_EQ(count("plain", "\"GET /v2/fifty/app/manifests/", 0), 0);
  EXPECT_EQ(count("basic", "\"GET /v2/fifty/app/manifests/", 0), 0);
}

TEST_F(RegistryClientTest, QuestionsAtOnceWaitForEachOther) {
  int answered = 0;
  const auto note = [&](const std::exception_ptr& failure, Result<std::string> answer) {
    EXPECT_FALSE(failure);
    EXPECT_DIGEST(answer, pushed("team/app:1"));
    if (++answered == 8) client_->close();
  };
  for (int i = 0; i < 8; ++i)
    asio::co_spawn(loop_, client_->digest_of(image("tls", "team/app:1")), note);
  test::run_loop(loop_);
  EXPECT_EQ(answered, 8);
}

TEST_F(RegistryClientTest, DoesNotTrustACertificateOfAnUnknownCa) {
  use_certificates(folder_ / "none");
  push("untrusted/app:1");
  const auto answer = ask("tls", "untrusted/app:1");
  EXPECT_ERROR(answer, Errc::untrusted, "certificate");
  const auto wanted = folder_ / "none" / address("tls") / "ca.crt";
  EXPECT_ERROR(answer, Errc::untrusted, wanted.string());
  EXPECT_EQ(count("tls", "/v2/untrusted/", 0), 0);
}

TEST_F(RegistryClientTest, FindsACaThatWasPutThereLater) {
  use_certificates(folder_ / "certs.d");
  EXPECT_ERROR(ask("tls", "team/app:1"), Errc::untrusted, "certificate");
  std::filesystem::create_directories(folder_ / "certs.d" / address("tls"));
  std::filesystem::copy_file(about("ca"), folder_ / "certs.d" / address("tls") / "ca.crt");
  EXPECT_DIGEST(ask("tls", "team/app:1"), pushed("team/app:1"));
}

TEST_F(RegistryClientTest, LogsInWithAPassword) {
  log_in("basic");
  EXPECT_DIGEST(ask("basic", "team/app:1"), pushed("team/app:1"));
  EXPECT_ERROR(ask("basic", "team/app:9"), Errc::not_found, "has no image team/app:9");
}

TEST_F(RegistryClientTest, IsDeniedWithoutALogin) {
  EXPECT_ERROR(ask("basic", "team/app:1"), Errc::denied,
               "without a login: authentication required");
  EXPECT_ERROR(ask("token", "team/app:1"), Errc::denied, "without a login");
}

TEST_F(RegistryClientTest, IsDeniedWithAWrongLogin) {
  log_in(address("basic"), "ana", "battery");
  EXPECT_ERROR(ask("basic", "team/app:1"), Errc::denied, "docker login " + address("basic"));
  log_in(address("token"), "ana", "battery");
  EXPECT_ERROR(ask("token", "team/app:1"), Errc::denied, "incorrect username or password");
}

TEST_F(RegistryClientTest, PicksUpALoginThatWasReplacedMeanwhile) {
  for (const char* server : {"basic", "token"}) {
    log_in(address(server), "ana", "battery");
    EXPECT_ERROR(ask(server, "team/app:1"), Errc::denied, "docker login");
    log_in(server);
    EXPECT_DIGEST(ask(server, "team/app:1"), pushed("team/app:1"));
    log_in(address(server), "ana", "battery");
    EXPECT_ERROR(ask(server, "team/app:1"), Errc::denied, "docker login");
  }
}

TEST_F(RegistryClientTest, UsesTheLastGoodLoginWhileConfigIsHalfWritten) {
  log_in("basic");
  EXPECT_DIGEST(ask("basic", "team/app:1"), pushed("team/app:1"));
  std::ofstream(config()) << "{\"auths\":{";
  EXPECT_DIGEST(ask("basic", "team/app:1"), pushed("team/app:1"));
}

TEST_F(RegistryClientTest, NamesTheHelperThatWouldHaveTheLogin) {
  std::ofstream(config()) << R"({"credHelpers":{")" << address("basic") << R"(":"pass",")"
                          << address("plain") << R"(":"pass"}})";
  EXPECT_ERROR(ask("basic", "team/app:1"), Errc::denied, "docker-credential-pass");
  // It is not missed where nobody asks for a login.
  EXPECT_DIGEST(ask("plain", "team/app:1"), pushed("team/app:1"));
}

TEST_F(RegistryClientTest, GetsATokenAndKeepsIt) {
  log_in("token");
  const std::string one = push("kept/one:1");
  const std::string two = push("kept/two:1");
  for (int i = 0; i < 10; ++i) {
    EXPECT_DIGEST(ask("token", "kept/one:1"), one);
    EXPECT_DIGEST(ask("token", "kept/two:1"), two);
  }
  EXPECT_EQ(count_in(about("token_log"), "scope=repository%3Akept%2F"), 2);
  // One more for each repository, which had to learn of the token server.
  EXPECT_EQ(count("token", "\"HEAD /v2/kept/", 22), 22);
  EXPECT_EQ(count("token", "\"GET /v2/kept/", 0), 0);
}

TEST_F(RegistryClientTest, GetsATokenWithoutALoginForAPublicImage) {
  EXPECT_DIGEST(ask("token", "public/app:1"), pushed("public/app:1"));
}

TEST_F(RegistryClientTest, GetsANewTokenWhenTheOldOneIsRefused) {
  log_in("stale");
  const std::string digest = push("stale/app:1");
  const std::string asked = "GET /stale?service=test%20registry&scope=repository%3Astale%2Fapp";
  const auto deadline = SteadyClock::now() + std::chrono::seconds(30);
  while (count_in(about("token_log"), asked) < 2) {
    ASSERT_LT(SteadyClock::now(), deadline) << "no token was refused";
    EXPECT_DIGEST(ask("stale", "stale/app:1"), digest);
  }
  EXPECT_EQ(count("stale", "\"HEAD /v2/stale/app/manifests/1 HTTP/1.1\" 401", 2), 2);
}

TEST_F(RegistryClientTest, SendsNoLoginToAnUnencryptedTokenServer) {
  log_in("open_realm");
  push("open/app:1");
  EXPECT_ERROR(ask("open_realm", "open/app:1"), Errc::untrusted, "plain HTTP");
  EXPECT_EQ(count_in(about("token_log"), "open%2Fapp"), 0);
}

TEST_F(RegistryClientTest, SaysThatThereIsNoSuchImage) {
  push("missing/app:1");
  for (const char* server : {"plain", "tls"}) {
    EXPECT_ERROR(ask(server, "missing/app:9"), Errc::not_found,
                 address(server) + " has no image missing/app:9");
    EXPECT_ERROR(ask(server, "missing/none"), Errc::not_found,
                 address(server) + " has no image missing/none:latest");
  }
  EXPECT_EQ(count("plain", "\"HEAD /v2/missing/app/manifests/9 ", 1), 1);
  EXPECT_EQ(count("plain", "\"HEAD /v2/missing/none/manifests/latest ", 1), 1);
  EXPECT_EQ(count("plain", "\"GET /v2/missing/", 0), 0);
}

TEST_F(RegistryClientTest, AsksByGetWhereHeadDoesNotWork) {
  for (const std::string server : {"no_head", "no_digest"}) {
    const std::string digest = push(server + "/app:1");
    for (int i = 0; i < 3; ++i) EXPECT_DIGEST(ask(server, server + "/app:1"), digest);
    EXPECT_DIGEST(ask(server, "team/multi:latest"), pushed("team/multi:latest"));
    EXPECT_EQ(count(server, "\"GET /v2/" + server + "/app/manifests/1 ", 3), 3);
    EXPECT_EQ(count(server, "\"HEAD /v2/", 1), 1);
    EXPECT_ERROR(ask(server, "team/app:9"), Errc::not_found, "has no image team/app:9");
  }
}

TEST_F(RegistryClientTest, SaysWhenABusyRegistryWantsToBeAskedAgain) {
  EXPECT_ERROR(ask("busy", "team/app:1"), Errc::unavailable, "asks to come back in 7 s");
}

TEST_F(RegistryClientTest, FollowsARedirectWithoutTheLogin) {
  log_in("redirecting");
  EXPECT_DIGEST(ask("redirecting", "team/app:1"), pushed("team/app:1"));
}

TEST_F(RegistryClientTest, ComesBackWithTheRegistry) {
  EXPECT_DIGEST(ask("tls", "team/app:1"), pushed("team/app:1"));
  EXPECT_TRUE(json_bool(script_->command("stop tls"), "ok"));
  EXPECT_ERROR(ask("tls", "team/app:1"), Errc::unavailable, address("tls"));
  EXPECT_TRUE(json_bool(script_->command("start tls"), "ok"));
  EXPECT_DIGEST(ask("tls", "team/app:1"), pushed("team/app:1"));
}

}  // namespace
}  // namespace trimtab
