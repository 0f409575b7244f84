// The registry client against Debian's docker-registry and nginx.
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "agent/registry/registry_client.hpp"
#include "common/files.hpp"
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
    const auto deadline = SteadyClock::now() + std::chrono::seconds(30);
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
  [[nodiscard]] RegistryClientOptions options() const {
    return RegistryClientOptions{config(), about("certificates"), {}, {}};
  }
  void use(RegistryClientOptions options) {
    client_->close();
    client_ = std::make_unique<RegistryClient>(std::move(options));
  }
  void use_certificates(const std::filesystem::path& folder) {
    auto changed = options();
    changed.certificates = folder;
    use(std::move(changed));
  }

  static std::unique_ptr<test::ServerScript> script_;
  test::TemporaryFolder folder_;
  asio::io_context loop_;
  std::unique_ptr<RegistryClient> client_ = std::make_unique<RegistryClient>(options());
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

TEST_F(RegistryClientTest, TrustsEveryCaOfTheRegistrysDirectory) {
  use_certificates(folder_ / "certs.d");
  std::filesystem::create_directories(folder_ / "certs.d" / address("tls"));
  std::filesystem::copy_file(about("ca"), folder_ / "certs.d" / address("tls") / "company.crt");
  EXPECT_DIGEST(ask("tls", "team/app:1"), pushed("team/app:1"));
}

TEST_F(RegistryClientTest, TakesAnyCertificateOfARegistryThatIsInsecureForTheEngine) {
  use_certificates(folder_ / "none");
  EXPECT_ERROR(ask("tls", "team/app:1"), Errc::untrusted, "certificate");
  client_->follow({.insecure = {address("tls")}});
  EXPECT_DIGEST(ask("tls", "team/app:1"), pushed("team/app:1"));
  client_->follow({});
  EXPECT_ERROR(ask("tls", "team/app:1"), Errc::untrusted, "certificate");
}

TEST_F(RegistryClientTest, AsksTheMirrorsOfDockerHubFirst) {
  const std::string digest = push("library/mirrored:1");
  // One that is away, one that has it.
  client_->follow({.mirrors = {"http://127.0.0.1:1", "http://" + address("plain")}});
  EXPECT_DIGEST(ask(parse_reference("mirrored:1").value()), digest);
  EXPECT_DIGEST(ask(parse_reference("mirrored:1").value()), digest);
  EXPECT_EQ(count("plain", "\"HEAD /v2/library/mirrored/manifests/1 ", 2), 2);
  // What no mirror has is asked of Docker Hub, which is out of reach here.
  EXPECT_ERROR(ask(parse_reference("unmirrored:1").value()), Errc::unavailable,
               "registry-1.docker");
  // Other registries have no mirror.
  EXPECT_ERROR(ask("tls", "library/none:1"), Errc::not_found, address("tls"));
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

TEST_F(RegistryClientTest, FiftyRoundsOfEightTagsTakeOneToken) {
  log_in("token");
  std::map<std::string, std::string> digests;
  for (int tag = 0; tag < 8; ++tag) {
    const std::string name = "eight/app:" + std::to_string(tag);
    digests[name] = push(name);
  }
  for (int round = 0; round < 50; ++round) {
    for (const auto& [name, digest] : digests) EXPECT_DIGEST(ask("token", name), digest);
  }
  EXPECT_EQ(count_in(about("token_log"), "scope=repository%3Aeight%2F"), 1);
  // One more, which had to learn of the token server.
  EXPECT_EQ(count("token", "\"HEAD /v2/eight/app/manifests/", 401), 401);
  EXPECT_EQ(count("token", "\"GET /v2/eight/", 0), 0);
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
    EXPECT_EQ(count(server, "\"HEAD /v2/" + server, 1), 1);
    EXPECT_EQ(count(server, "\"HEAD /v2/", 2), 2);
    EXPECT_ERROR(ask(server, "team/app:9"), Errc::not_found, "has no image team/app:9");
  }
}

TEST_F(RegistryClientTest, SaysWhenABusyRegistryWantsToBeAskedAgain) {
  EXPECT_ERROR(ask("busy", "team/app:1"), Errc::unavailable, "asks to retry in 7 s");
}

TEST_F(RegistryClientTest, FollowsARedirectWithoutTheLogin) {
  log_in("redirecting");
  EXPECT_DIGEST(ask("redirecting", "team/app:1"), pushed("team/app:1"));
}

TEST_F(RegistryClientTest, FollowsARedirectOnTheSameServerWithTheLogin) {
  log_in("moved");
  EXPECT_DIGEST(ask("moved", "team/old:1"), pushed("team/app:1"));
}

TEST_F(RegistryClientTest, ComesBackWithTheRegistry) {
  EXPECT_DIGEST(ask("tls", "team/app:1"), pushed("team/app:1"));
  EXPECT_TRUE(json_bool(script_->command("stop tls"), "ok"));
  EXPECT_ERROR(ask("tls", "team/app:1"), Errc::unavailable, address("tls"));
  EXPECT_TRUE(json_bool(script_->command("start tls"), "ok"));
  EXPECT_DIGEST(ask("tls", "team/app:1"), pushed("team/app:1"));
}

TEST_F(RegistryClientTest, GetsATokenForAnIdentityToken) {
  const auto log_in_with = [this](const std::string& token) {
    std::ofstream(folder_ / "next.json")
        << R"({"auths":{")" << address("token") << R"(":{"auth":"MDAwMDAwMDA6","identitytoken":")"
        << token << R"("}}})";
    std::filesystem::rename(folder_ / "next.json", config());
  };
  log_in_with(about("identity_token"));
  const std::string digest = push("identity/app:1");
  const int before = count_in(about("token_log"), "\"POST /token HTTP/1.1\" 200");
  for (int i = 0; i < 5; ++i) EXPECT_DIGEST(ask("token", "identity/app:1"), digest);
  EXPECT_EQ(count_in(about("token_log"), "\"POST /token HTTP/1.1\" 200"), before + 1);
  EXPECT_EQ(count_in(about("token_log"), "identity"), 0);
  log_in_with("battery");
  EXPECT_ERROR(ask("token", "identity/app:1"), Errc::denied, "invalid refresh token");
}

TEST_F(RegistryClientTest, PrefersTheLoginOfTheSettings) {
  const Json& login = json_object(script_->about(), "login");
  const auto password_file = folder_ / "password";
  RegistrySettings registry;
  registry.host = address("basic");
  registry.username = json_string(login, "username");
  registry.password_file = password_file;
  auto with_login = options();
  with_login.registries = {registry};
  use(std::move(with_login));
  log_in(address("basic"), "ana", "battery");

  EXPECT_ERROR(ask("basic", "team/app:1"), Errc::denied, password_file.string());
  ASSERT_TRUE(write_file_durably(password_file, json_string(login, "password") + "\n"));
  EXPECT_DIGEST(ask("basic", "team/app:1"), pushed("team/app:1"));
  ASSERT_TRUE(write_file_durably(password_file, "battery\n"));
  EXPECT_ERROR(ask("basic", "team/app:1"), Errc::denied, "to the login it was given");
  // As a reload of trimtab.yaml does.
  log_in("basic");
  client_->use({}, {});
  EXPECT_DIGEST(ask("basic", "team/app:1"), pushed("team/app:1"));
  client_->use({registry}, {});
  EXPECT_ERROR(ask("basic", "team/app:1"), Errc::denied, "to the login it was given");
  // Others have theirs in config.json as before.
  log_in("token");
  EXPECT_DIGEST(ask("token", "team/app:1"), pushed("team/app:1"));
}

// An environment variable for the time of a test.
class Variable {
 public:
  Variable(std::string name, const std::string& value) : name_(std::move(name)) {
    if (const char* const before = std::getenv(name_.c_str())) before_ = before;
    ::setenv(name_.c_str(), value.c_str(), 1);
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
  ~Variable() {
    if (before_) {
      ::setenv(name_.c_str(), before_->c_str(), 1);
    } else {
      ::unsetenv(name_.c_str());
    }
  }

 private:
  std::string name_;
  std::optional<std::string> before_;
};

// Credential helpers in a folder of their own, first in PATH.
class CredentialHelperTest : public RegistryClientTest {
 protected:
  // A shell script; it notes each of its runs.
  void write_helper(const std::string& name, const std::string& script) {
    const auto path = programs_ / ("docker-credential-" + name);
    std::ofstream(path) << "#!/bin/sh\necho \"$@\" >> " << runs_of(name).string() << "\n" << script;
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  }
  [[nodiscard]] std::filesystem::path runs_of(const std::string& name) const {
    return folder_ / ("runs-of-" + name);
  }
  [[nodiscard]] int runs(const std::string& name) const {
    return count_in(runs_of(name).string(), "get");
  }
  static std::string answer(const std::string& user, const std::string& secret) {
    Json login = Json::object();
    login["ServerURL"] = "x";
    login["Username"] = user;
    login["Secret"] = secret;
    return dump_json(login);
  }
  static std::string good_answer() {
    const Json& login = json_object(script_->about(), "login");
    return answer(json_string(login, "username"), json_string(login, "password"));
  }
  // {registry: NAME}
  void use_helpers(const std::map<std::string, std::string>& helpers) const {
    Json document = Json::object();
    document["credHelpers"] = helpers;
    std::ofstream(folder_ / "next.json") << dump_json(document);
    std::filesystem::rename(folder_ / "next.json", config());
  }

  test::TemporaryFolder programs_;
  Variable path_{"PATH", programs_.path().string() + ":" + std::getenv("PATH")};
};

TEST_F(CredentialHelperTest, IsAskedOnceForManyQuestions) {
  write_helper("good",
               "cat > " + (folder_ / "asked").string() + "\necho '" + good_answer() + "'\n");
  use_helpers({{address("basic"), "good"}});
  for (int i = 0; i < 5; ++i) EXPECT_DIGEST(ask("basic", "team/app:1"), pushed("team/app:1"));
  EXPECT_EQ(runs("good"), 1);
  EXPECT_EQ(count_in((folder_ / "asked").string(), address("basic")), 1);
  // `docker login` writes the file anew.
  use_helpers({{address("basic"), "good"}});
  EXPECT_DIGEST(ask("basic", "team/app:1"), pushed("team/app:1"));
  EXPECT_EQ(runs("good"), 2);
}

TEST_F(CredentialHelperTest, IsAskedAgainWhenItsLoginIsRefused) {
  const auto secret = folder_ / "secret.json";
  write_helper("changing", "cat " + secret.string() + "\n");
  use_helpers({{address("basic"), "changing"}, {address("token"), "changing"}});
  for (const char* server : {"basic", "token"}) {
    std::ofstream(secret) << answer("ana", "battery");
    EXPECT_ERROR(ask(server, "team/app:1"), Errc::denied, "docker login " + address(server));
    std::ofstream(secret) << good_answer();
    EXPECT_DIGEST(ask(server, "team/app:1"), pushed("team/app:1"));
  }
}

TEST_F(CredentialHelperTest, MayGiveAnIdentityToken) {
  write_helper("acr", "echo '" + answer("<token>", about("identity_token")) + "'\n");
  use_helpers({{address("token"), "acr"}});
  EXPECT_DIGEST(ask("token", "team/app:1"), pushed("team/app:1"));
}

TEST_F(CredentialHelperTest, GetsAClosedEnvironment) {
  const auto environment = (folder_ / "environment").string();
  const Variable ours("TRIMTAB_TEST_SECRET", "battery");
  const Variable amazons("AWS_PROFILE", "shop");
  write_helper("good", "env > " + environment + "\necho '" + good_answer() + "'\n");
  use_helpers({{address("basic"), "good"}});
  EXPECT_DIGEST(ask("basic", "team/app:1"), pushed("team/app:1"));
  EXPECT_EQ(count_in(environment, "AWS_PROFILE=shop"), 1);
  EXPECT_EQ(count_in(environment, "HOME="), 1);
  EXPECT_EQ(count_in(environment, "battery"), 0);
}

TEST_F(CredentialHelperTest, ThatFailsIsToldInItsWords) {
  const struct {
    const char *name, *script;
    Errc code;
    const char* said;
  } rows[] = {
      {"none", "echo credentials not found in native keychain; exit 1", Errc::denied,
       "without a login"},
      {"words", "echo no AWS keys; echo noise >&2; exit 1", Errc::unavailable, "no AWS keys"},
      {"errors", "echo gpg is locked >&2; exit 2", Errc::unavailable, "gpg is locked"},
      {"leaky", "echo '{\"Secret\":\"battery\"}'; exit 1", Errc::unavailable, "exit code 1"},
      {"floods", "head -c 1000000 /dev/zero", Errc::denied, "something that is not a login"},
      {"broken", "echo battery", Errc::denied, "something that is not a login"},
  };
  for (const auto& row : rows) {
    write_helper(row.name, std::string(row.script) + "\n");
    use_helpers({{address("basic"), row.name}});
    EXPECT_ERROR(ask("basic", "team/app:1"), row.code, row.said);
    EXPECT_EQ(runs(row.name), 1) << row.name;
  }
  use_helpers({{address("basic"), "missing"}});
  EXPECT_ERROR(ask("basic", "team/app:1"), Errc::denied,
               "docker-credential-missing, which is not installed");
  use_helpers({{address("basic"), "../../bin/sh"}});
  EXPECT_ERROR(ask("basic", "team/app:1"), Errc::denied, "is not a helper's name");
}

TEST_F(CredentialHelperTest, ThatHangsIsEndedAndHoldsUpNobodyElse) {
  const auto child = (folder_ / "child").string();
  write_helper("hangs", "sleep 1000 &\necho $! > " + child + "\nwait\n");
  use_helpers({{address("basic"), "hangs"}});
  std::optional<Result<std::string>> hung;
  const auto keep = [&](const std::exception_ptr& failure, Result<std::string> result) {
    EXPECT_FALSE(failure);
    hung = std::move(result);
  };
  const auto begun = SteadyClock::now();
  asio::co_spawn(loop_, client_->digest_of(image("basic", "team/app:1")), keep);
  while (!std::filesystem::exists(child)) {
    ASSERT_LT(SteadyClock::now() - begun, std::chrono::seconds(9));
    loop_.run_one_for(std::chrono::milliseconds(10));
  }
  EXPECT_DIGEST(ask("plain", "team/app:1"), pushed("team/app:1"));
  EXPECT_FALSE(hung);
  while (!hung && SteadyClock::now() - begun < std::chrono::seconds(25))
    loop_.run_one_for(std::chrono::milliseconds(100));
  ASSERT_TRUE(hung);
  EXPECT_ERROR(*hung, Errc::timed_out, "docker-credential-hangs did not finish within 10 s");
  EXPECT_NE(hung->error().hint.find("passphrase"), std::string::npos);
  // The next question does not wait again.
  EXPECT_ERROR(ask("basic", "team/app:1"), Errc::timed_out, "did not finish within 10 s");
  EXPECT_EQ(runs("hangs"), 1);
  pid_t started = 0;
  std::ifstream(child) >> started;
  ASSERT_GT(started, 0);
  EXPECT_FALSE(std::filesystem::exists("/proc/" + std::to_string(started) + "/exe") &&
               ::kill(started, 0) == 0);
}

// Amazon ECR on loopback: its registry is `basic`, reached through a proxy by a name of Amazon's.
class EcrTest : public RegistryClientTest {
 protected:
  static void SetUpTestSuite() {
    RegistryClientTest::SetUpTestSuite();
    amazon_ = std::make_unique<test::ServerScript>("ecr_server");
    obey("accept " + address("basic") + " " + about("htpasswd"));
  }
  static void TearDownTestSuite() {
    amazon_.reset();
    RegistryClientTest::TearDownTestSuite();
  }
  void SetUp() override {
    for (const char* command : {"lifetime 43200", "clock 0", "fail 0"}) obey(command);
    write_keys(key("access_key_id"), key("secret_access_key"));
    auto proxied = options();
    proxied.proxies.https = "http://" + json_string(amazon_->about(), "address");
    use(std::move(proxied));
    logins_before_ = given("logins");
  }

  static void obey(const std::string& command) {
    EXPECT_TRUE(json_bool(amazon_->command(command), "ok")) << command;
  }
  static std::int64_t given(const char* what) { return json_int(amazon_->command("count"), what); }
  [[nodiscard]] std::int64_t logins() const { return given("logins") - logins_before_; }
  static std::string key(const char* part) {
    return json_string(json_object(amazon_->about(), "keys"), part);
  }
  [[nodiscard]] std::filesystem::path keys() const { return folder_ / ".aws" / "credentials"; }
  void write_keys(const std::string& id, const std::string& secret,
                  const std::string& more = {}) const {
    std::filesystem::create_directories(keys().parent_path());
    std::ofstream(keys()) << "[default]\naws_access_key_id = " << id
                          << "\naws_secret_access_key = " << secret << "\n"
                          << more;
  }
  Result<std::string> ask_ecr() {
    return ask(parse_reference(about("ecr_name") + "/team/app:1").value());
  }

  static std::unique_ptr<test::ServerScript> amazon_;
  std::int64_t logins_before_ = 0;
  Variable endpoint_{"AWS_ENDPOINT_URL_ECR", "http://" + json_string(amazon_->about(), "address")};
  Variable home_{"HOME", folder_.path().string()};
};

std::unique_ptr<test::ServerScript> EcrTest::amazon_;

TEST_F(EcrTest, GivesALoginThatServesManyQuestions) {
  for (int i = 0; i < 10; ++i) EXPECT_DIGEST(ask_ecr(), pushed("team/app:1"));
  EXPECT_EQ(logins(), 1);
}

TEST_F(EcrTest, GivesOneLoginToThoseWhoAskAtOnce) {
  int answered = 0;
  const auto note = [&](const std::exception_ptr& failure,
                        Result<std::optional<RegistryLogin>> login) {
    EXPECT_FALSE(failure);
    ++answered;
    ASSERT_TRUE(login) << login.error().text();
    ASSERT_TRUE(*login);
    EXPECT_EQ((*login)->username, "AWS");
  };
  for (int i = 0; i < 4; ++i) asio::co_spawn(loop_, client_->login_for(about("ecr_name")), note);
  test::run_loop(loop_);
  EXPECT_EQ(answered, 4);
  EXPECT_EQ(logins(), 1);
}

TEST_F(EcrTest, TakesTemporaryKeysWithTheirToken) {
  write_keys(json_string(amazon_->about(), "temporary_key_id"), key("secret_access_key"),
             "aws_session_token = " + key("session_token") + "\n");
  EXPECT_DIGEST(ask_ecr(), pushed("team/app:1"));
}

TEST_F(EcrTest, TakesTheKeysThatTheSettingsName) {
  std::filesystem::rename(keys(), folder_ / "shop-keys");
  RegistrySettings registry;
  registry.host = about("ecr_name");
  registry.aws_credentials_file = folder_ / "shop-keys";
  auto with_keys = options();
  with_keys.proxies.https = "http://" + json_string(amazon_->about(), "address");
  with_keys.registries = {registry};
  use(std::move(with_keys));
  // Not even asked: the settings name the registry.
  log_in(about("ecr_name"), "AWS", "battery");
  EXPECT_DIGEST(ask_ecr(), pushed("team/app:1"));
  EXPECT_EQ(logins(), 1);
}

TEST_F(EcrTest, MakesANewLoginBeforeTheOldOneEnds) {
  obey("lifetime 0");
  EXPECT_DIGEST(ask_ecr(), pushed("team/app:1"));
  obey("lifetime 43200");
  EXPECT_DIGEST(ask_ecr(), pushed("team/app:1"));
  EXPECT_EQ(logins(), 2);
  EXPECT_DIGEST(ask_ecr(), pushed("team/app:1"));
  EXPECT_EQ(logins(), 2);
}

TEST_F(EcrTest, MakesANewLoginWhenTheOldOneIsRefused) {
  EXPECT_DIGEST(ask_ecr(), pushed("team/app:1"));
  obey("revoke");
  EXPECT_DIGEST(ask_ecr(), pushed("team/app:1"));
  EXPECT_EQ(logins(), 2);
  // As the Engine's refusal makes it.
  client_->forget_login(about("ecr_name"));
  EXPECT_DIGEST(ask_ecr(), pushed("team/app:1"));
  EXPECT_EQ(logins(), 3);
}

TEST_F(EcrTest, UsesTheLastLoginWhileAmazonGivesNone) {
  obey("lifetime 10");
  EXPECT_DIGEST(ask_ecr(), pushed("team/app:1"));
  obey("fail 500");
  const auto before = given("requests");
  const auto deadline = SteadyClock::now() + std::chrono::seconds(20);
  while (given("requests") == before) {
    ASSERT_LT(SteadyClock::now(), deadline) << "no new login was asked for";
    EXPECT_DIGEST(ask_ecr(), pushed("team/app:1"));
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_EQ(logins(), 1);
  client_->forget_login(about("ecr_name"));
  EXPECT_ERROR(ask_ecr(), Errc::unavailable, "returns no login at the moment (500");
}

TEST_F(EcrTest, UsesTheLoginOfConfigUntilItIsRefused) {
  const Json& login = json_object(script_->about(), "login");
  log_in(about("ecr_name"), json_string(login, "username"), json_string(login, "password"));
  EXPECT_DIGEST(ask_ecr(), pushed("team/app:1"));
  EXPECT_EQ(logins(), 0);
  // `aws ecr get-login-password | docker login` half a day ago.
  log_in(about("ecr_name"), "AWS", "battery");
  EXPECT_DIGEST(ask_ecr(), pushed("team/app:1"));
  EXPECT_EQ(logins(), 1);
  std::filesystem::remove(keys());
  client_->forget_login(about("ecr_name"));
  EXPECT_ERROR(ask_ecr(), Errc::denied, "expires after 12 hours");
}

TEST_F(EcrTest, SaysWhatIsWrongWithTheKeysAndReadsThemAnew) {
  write_keys(key("access_key_id"), "battery");
  EXPECT_ERROR(ask_ecr(), Errc::denied, "secret key does not belong to its id");
  write_keys("AKIAUNKNOWN", key("secret_access_key"));
  EXPECT_ERROR(ask_ecr(), Errc::denied, "does not know the AWS access key");
  write_keys(json_string(amazon_->about(), "temporary_key_id"), key("secret_access_key"));
  EXPECT_ERROR(ask_ecr(), Errc::denied, "does not know the AWS access key");
  std::filesystem::remove(keys());
  EXPECT_ERROR(ask_ecr(), Errc::denied, "there are no AWS keys: " + keys().string());
  write_keys(key("access_key_id"), key("secret_access_key"));
  for (const char* clock : {"clock 400", "clock -400"}) {
    obey(clock);
    EXPECT_ERROR(ask_ecr(), Errc::denied, "clock is wrong");
  }
  obey("clock 0");
  EXPECT_DIGEST(ask_ecr(), pushed("team/app:1"));
}

TEST_F(EcrTest, SendsNoRequestUnencryptedToOtherHosts) {
  const Variable moved("AWS_ENDPOINT_URL_ECR", "http://ecr.example.com");
  EXPECT_ERROR(ask_ecr(), Errc::denied, "AWS_ENDPOINT_URL_ECR is not https");
}

}  // namespace
}  // namespace trimtab
