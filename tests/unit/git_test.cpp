#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>

#include "agent/git/git_errors.hpp"
#include "agent/git/git_program.hpp"
#include "agent/git/live_clone.hpp"
#include "agent/git/pkt_line.hpp"
#include "agent/git/protocol_v2.hpp"
#include "agent/git/remote.hpp"
#include "agent/git/version_order.hpp"
#include "common/files.hpp"
#include "common/hash.hpp"
#include "common/text.hpp"
#include "tests/lib/loop.hpp"
#include "tests/lib/temporary_folder.hpp"

namespace trimtab {
namespace {

using test::TemporaryFolder;

TEST(VersionOrder, OrdersTags) {
  const std::vector<std::string> sorted = {"v0.9",      "v1.0-alpha", "v1.0-rc1",   "v1.0-rc2",
                                           "v1.0-rc10", "v1.0",       "v1.0.1",     "v1.2",
                                           "v1.9",      "v1.10-rc1",  "v1.10",      "v2",
                                           "v2.0",      "v10",        "v2026.11.9", "v2026.11.10"};
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    for (std::size_t j = 0; j < sorted.size(); ++j) {
      EXPECT_EQ(is_older_version(sorted[i], sorted[j]), i < j) << sorted[i] << " " << sorted[j];
    }
  }
  EXPECT_NE(is_older_version("v1.01", "v1.1"), is_older_version("v1.1", "v1.01"));
}

TEST(Remote, KnowsTheKindsOfUrls) {
  const struct {
    std::string_view url;
    GitProtocol protocol;
    std::string_view host;
  } rows[] = {
      {"https://github.com/acme/shop.git", GitProtocol::https, "github.com"},
      {"https://git.example:8443/shop", GitProtocol::https, "git.example:8443"},
      {"http://127.0.0.1:3000/a/b", GitProtocol::http, "127.0.0.1:3000"},
      {"ssh://git@host:2222/srv/shop.git", GitProtocol::ssh, "host:2222"},
      {"git@github.com:acme/shop.git", GitProtocol::ssh, "github.com"},
      {"github.com:acme/shop.git", GitProtocol::ssh, "github.com"},
      {"/srv/git/my shop.git", GitProtocol::local, ""},
      {"file:///srv/git/shop.git", GitProtocol::local, ""},
  };
  for (const auto& row : rows) {
    const auto remote = parse_remote(row.url);
    ASSERT_TRUE(remote) << row.url << ": " << remote.error().text();
    EXPECT_EQ(remote->protocol, row.protocol) << row.url;
    EXPECT_EQ(remote->host, row.host) << row.url;
    EXPECT_EQ(remote->url, row.url);
  }
}

TEST(Remote, RefusesOtherUrls) {
  for (const std::string_view url : {"",
                                     "-oProxyCommand=x",
                                     "--upload-pack=touch /tmp/x",
                                     "ext::sh -c touch% /tmp/x",
                                     "fd::3",
                                     "git://host/x",
                                     "ftp://host/x",
                                     "shop",
                                     "./shop",
                                     "../shop",
                                     "https://",
                                     "https://host",
                                     "https://host/",
                                     "https:///x",
                                     "https://user:password@host/x",
                                     "https://token@host/x",
                                     "ssh://user:password@host/x",
                                     "ssh://-oProxyCommand=x/y",
                                     "-oProxyCommand=x:y",
                                     "git@-oProxyCommand=x:y",
                                     "git@host:",
                                     ":x",
                                     "https://host/a b",
                                     "https://host/a\nb",
                                     "/srv/a\nb",
                                     "file://host/x",
                                     "a::b:c"}) {
    const auto remote = parse_remote(url);
    ASSERT_FALSE(remote) << url;
    EXPECT_EQ(remote.error().code, Errc::invalid) << url;
    EXPECT_EQ(remote.error().text().find("password@"), std::string::npos);
  }
}

TEST(Ref, IsABranchOrAPatternOfTags) {
  const struct {
    std::string_view text;
    bool is_tag;
    std::string_view name;
  } rows[] = {
      {"production", false, "production"}, {"feature/x-1", false, "feature/x-1"},
      {"refs/heads/main", false, "main"},  {"v*", true, "v*"},
      {"release-?", true, "release-?"},    {"refs/tags/v1.0", true, "v1.0"},
      {"refs/tags/v*", true, "v*"},
  };
  for (const auto& row : rows) {
    const auto ref = parse_ref(row.text);
    ASSERT_TRUE(ref) << row.text;
    EXPECT_EQ(ref->is_tag, row.is_tag) << row.text;
    EXPECT_EQ(ref->name, row.name) << row.text;
  }
}

TEST(Ref, RefusesWhatIsNone) {
  for (const std::string_view text : {"",
                                      "--upload-pack=touch /tmp/x",
                                      "-x",
                                      "a b",
                                      ";rm",
                                      "`id`",
                                      "$(id)",
                                      "a..b",
                                      "a:b",
                                      "a~1",
                                      "a^",
                                      "@",
                                      "HEAD",
                                      "a@{1}",
                                      "refs/heads/",
                                      "refs/notes/x",
                                      "refs/heads/refs/x",
                                      "/a",
                                      "a/",
                                      "a//b",
                                      ".a",
                                      "a/.b",
                                      "a.lock",
                                      "a.",
                                      "a\\b",
                                      "a[b]",
                                      "a\nb",
                                      "a\x7f"}) {
    const auto ref = parse_ref(text);
    ASSERT_FALSE(ref) << text;
    EXPECT_EQ(ref.error().code, Errc::invalid) << text;
  }
  EXPECT_FALSE(parse_ref(std::string(300, 'a')));
}

const std::string kA(40, 'a');
const std::string kB(40, 'b');
const std::string kC(40, 'c');

TEST(LsRemote, ReadsRefsAndNothingElse) {
  const auto refs = parse_ls_remote("warning: x\n" + kA + "\trefs/heads/main\nshort\trefs/x\n" +
                                    std::string(40, 'G') + "\trefs/heads/bad\n");
  ASSERT_EQ(refs.size(), 1U);
  EXPECT_EQ(refs[0].name, "refs/heads/main");
}

TEST(LsRemote, FindsTheBranchExactly) {
  const std::vector<AdvertisedRef> refs = {{kA, "refs/heads/main2"}, {kB, "refs/heads/x/main"}};
  EXPECT_EQ(find_tip(refs, {false, "main"}), std::nullopt);
  EXPECT_EQ(find_tip(refs, {false, "main2"}), (RefTip{"refs/heads/main2", kA}));
}

TEST(LsRemote, FindsTheNewestTagAndPeelsIt) {
  const std::vector<AdvertisedRef> refs = {{kA, "refs/tags/v1.10"},
                                           {kB, "refs/tags/v1.10^{}"},
                                           {kC, "refs/tags/v1.9"},
                                           {kC, "refs/tags/w2"}};
  EXPECT_EQ(find_tip(refs, {true, "v*"}), (RefTip{"refs/tags/v1.10", kB}));
  EXPECT_EQ(find_tip(refs, {true, "v1.?"}), (RefTip{"refs/tags/v1.9", kC}));
  EXPECT_EQ(find_tip(refs, {true, "x*"}), std::nullopt);
}

TEST(PktLines, AreReadWithTheirSpecialFrames) {
  using Kind = PktLine::Kind;
  const std::string bytes = "0009peel\n000100080bin00040000" + pkt_line("x") + "0002";
  const auto lines = parse_pkt_lines(bytes);
  ASSERT_TRUE(lines) << lines.error().text();
  const std::vector<PktLine> expected = {
      {Kind::data, "peel"}, {Kind::delimiter, ""}, {Kind::data, "0bin"},     {Kind::data, ""},
      {Kind::flush, ""},    {Kind::data, "x"},     {Kind::response_end, ""},
  };
  EXPECT_EQ(*lines, expected);
  EXPECT_TRUE(parse_pkt_lines("").value().empty());
  EXPECT_EQ(pkt_line("command=ls-refs"), "0014command=ls-refs\n");
  const std::string longest(65515, 'x');
  EXPECT_EQ(parse_pkt_lines(pkt_line(longest)).value().front().text, longest);
}

TEST(PktLines, RefuseOtherBytes) {
  for (const std::string& bytes :
       {std::string("0"), std::string("000"), std::string("0003"), std::string("0005"),
        std::string("0009peel"), std::string("xyz0"), std::string("-001"), std::string("+001"),
        std::string(" 001"), std::string("0x10"), std::string("<html><body>log in</body></html>"),
        "fff1" + std::string(65517, 'x'), "ffff" + std::string(70000, 'x'),
        std::string("0000\0", 5)}) {
    const auto lines = parse_pkt_lines(bytes);
    ASSERT_FALSE(lines) << bytes.substr(0, 40);
    EXPECT_EQ(lines.error().code, Errc::invalid);
  }
}

TEST(Advertisement, IsReadInBothForms) {
  const std::string capabilities = pkt_line("version 2") + pkt_line("agent=git/2.39.5") +
                                   pkt_line("ls-refs=unborn") + pkt_line("fetch=shallow") +
                                   pkt_line("object-format=sha256") + "0000";
  EXPECT_EQ(parse_advertisement(capabilities).value().object_format, "sha256");
  EXPECT_EQ(parse_advertisement(pkt_line("# service=git-upload-pack") + "0000" + capabilities)
                .value()
                .object_format,
            "sha256");
  // Older servers know of no formats.
  EXPECT_EQ(parse_advertisement(pkt_line("version 2") + pkt_line("ls-refs") + "0000")
                .value()
                .object_format,
            "");
}

TEST(Advertisement, OfAnotherKindSaysWhy) {
  const std::string id(40, 'a');
  const struct {
    std::string body;
    std::string_view part;
  } rows[] = {
      {"", "empty"},
      {"0000", "version 2"},
      {pkt_line("# service=git-upload-pack") + "0000", "empty"},
      {pkt_line("# service=git-upload-pack") + "0000" + pkt_line("version 1") +
           pkt_line(id + " HEAD") + "0000",
       "does not support version 2"},
      {pkt_line(id + " HEAD\0multi_ack") + "0000", "does not support version 2"},
      {pkt_line("version 2") + pkt_line("fetch") + "0000", "offers no ls-refs"},
      {pkt_line("version 2") + pkt_line("ls-refs"), "its end is missing"},
      {pkt_line("version 2") + pkt_line("ls-refs") + pkt_line("object-format=md5") + "0000",
       "unknown way"},
      {pkt_line("ERR go\x1b[1m away"), "it says: go?[1m away"},
      {id + "\trefs/heads/main\n", "not in Git's format"},
      {"<!DOCTYPE html>", "not in Git's format"},
  };
  for (const auto& row : rows) {
    const auto server = parse_advertisement(row.body);
    ASSERT_FALSE(server) << row.body;
    EXPECT_EQ(server.error().code, Errc::invalid);
    EXPECT_NE(server.error().message.find(row.part), std::string::npos) << server.error().text();
  }
}

TEST(LsRefs, AsksForAPrefix) {
  EXPECT_EQ(ls_refs_request({"sha1"}, "refs/heads/main"),
            "0014command=ls-refs\n0017object-format=sha1\n0001"
            "0009peel\n001fref-prefix refs/heads/main\n0000");
  EXPECT_EQ(ls_refs_request({""}, "refs/tags/v"),
            "0014command=ls-refs\n00010009peel\n001bref-prefix refs/tags/v\n0000");
}

TEST(LsRefs, ReadsTheAnswer) {
  const std::string id(40, 'a');
  const std::string commit(40, 'b');
  const auto refs = parse_refs(pkt_line(id + " HEAD symref-target:refs/heads/main") +
                                   pkt_line(id + " refs/heads/main") +
                                   pkt_line(id + " refs/tags/v1 peeled:" + commit) + "0000",
                               {"sha1"});
  ASSERT_TRUE(refs) << refs.error().text();
  ASSERT_EQ(refs->size(), 4U);
  EXPECT_EQ((*refs)[1].name, "refs/heads/main");
  EXPECT_EQ((*refs)[2].object, id);
  EXPECT_EQ((*refs)[3].name, "refs/tags/v1^{}");
  EXPECT_EQ((*refs)[3].object, commit);
  EXPECT_TRUE(parse_refs("0000", {""}).value().empty());
  const std::string long_id(64, 'c');
  EXPECT_EQ(parse_refs(pkt_line(long_id + " refs/heads/x") + "0000", {"sha256"}).value()[0].object,
            long_id);
}

TEST(LsRefs, RefusesOtherAnswers) {
  const std::string id(40, 'a');
  const std::string good = pkt_line(id + " refs/heads/main");
  const struct {
    std::string body;
    std::string_view part;
  } rows[] = {
      {"", "empty"},
      {good, "its end is missing"},
      {good + "0000" + good + "0000", "separator"},
      {good + "00010000", "separator"},
      {pkt_line("unborn HEAD symref-target:refs/heads/main") + "0000", "no ref"},
      {pkt_line(id) + "0000", "no ref"},
      {pkt_line(std::string(40, 'A') + " refs/heads/main") + "0000", "no ref"},
      {pkt_line(std::string(64, 'a') + " refs/heads/main") + "0000", "no ref"},
      {pkt_line(id + " main") + "0000", "no ref"},
      {pkt_line(id + " refs/tags/v1:refs/heads/x") + "0000", "no ref"},
      {pkt_line(id + " refs/tags/v1\n") + "0000", "no ref"},
      {pkt_line(id + " refs/tags/../v1") + "0000", "no ref"},
      {pkt_line(id + " refs/tags/" + std::string(2000, 'x')) + "0000", "no ref"},
      {pkt_line(id + " refs/tags/v1 peeled:x") + "0000", "points to no object"},
      {pkt_line("ERR upload-pack: not here"), "it says: upload-pack: not here"},
  };
  for (const auto& row : rows) {
    const auto refs = parse_refs(row.body, {"sha1"});
    ASSERT_FALSE(refs) << row.body;
    EXPECT_EQ(refs.error().code, Errc::invalid);
    EXPECT_NE(refs.error().message.find(row.part), std::string::npos) << refs.error().text();
  }
  std::string many;
  for (int i = 0; i < 100'001; ++i) many += good;
  EXPECT_EQ(parse_refs(many + "0000", {"sha1"}).error().code, Errc::too_large);
}

TEST(Ref, HasTheLongestPrefixOfWhatItMayMean) {
  const struct {
    std::string_view ref;
    std::string_view prefix;
  } rows[] = {
      {"production", "refs/heads/production"},
      {"refs/heads/a/b", "refs/heads/a/b"},
      {"v*", "refs/tags/v"},
      {"*", "refs/tags/"},
      {"release-?.*", "refs/tags/release-"},
      {"refs/tags/v1", "refs/tags/v1"},
      {"api/v*", "refs/tags/api/v"},
  };
  for (const auto& row : rows) {
    const auto wanted = parse_ref(row.ref);
    ASSERT_TRUE(wanted) << row.ref;
    EXPECT_EQ(wanted->prefix(), row.prefix) << row.ref;
  }
}

TEST(Credentials, TakeTheUserThatTheForgeWants) {
  const struct {
    std::string_view token;
    std::string_view host;
    std::string_view pair;
  } rows[] = {
      {"t", "github.com", "x-access-token:t"},       {"t", "gitlab.com", "oauth2:t"},
      {"t", "gitlab.acme.example:8443", "oauth2:t"}, {"t", "notgitlab.example", "x-access-token:t"},
      {"t", "bitbucket.org", "x-token-auth:t"},      {"user:t", "gitlab.com", "user:t"},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(basic_authorization(row.token, row.host), "Basic " + base64_encode(row.pair));
  }
}

// The settings in an environment, as Git will see them.
std::map<std::string, std::string> settings(const std::map<std::string, std::string>& environment) {
  std::map<std::string, std::string> found;
  const int count = std::stoi(environment.at("GIT_CONFIG_COUNT"));
  for (int i = 0; i < count; ++i) {
    found[environment.at("GIT_CONFIG_KEY_" + std::to_string(i))] =
        environment.at("GIT_CONFIG_VALUE_" + std::to_string(i));
  }
  return found;
}

TEST(GitEnvironment, HidesTheUsersSettingsAndAllowsNoTransport) {
  const auto environment = git_environment();
  EXPECT_EQ(environment.at("GIT_CONFIG_GLOBAL"), "/dev/null");
  EXPECT_EQ(environment.at("GIT_CONFIG_NOSYSTEM"), "1");
  EXPECT_EQ(environment.at("GIT_TERMINAL_PROMPT"), "0");
  EXPECT_EQ(environment.at("GIT_ALLOW_PROTOCOL"), "none");
  const auto config = settings(environment);
  EXPECT_EQ(config.at("core.hooksPath"), "/dev/null");
  EXPECT_EQ(config.at("credential.helper"), "");
  EXPECT_EQ(config.at("transfer.fsckObjects"), "true");
}

TEST(GitEnvironment, GivesTheTokenToItsServerAlone) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_file_durably(folder / "token", "s3cret\n"));
  GitAccess access;
  access.url = "https://git.example:8443/shop.git";
  access.token_file = folder / "token";
  const auto environment = remote_environment(access, parse_remote(access.url).value(), "/none");
  ASSERT_TRUE(environment);
  EXPECT_EQ(environment->at("GIT_ALLOW_PROTOCOL"), "https");
  const auto config = settings(*environment);
  EXPECT_EQ(config.at("http.https://git.example:8443/.extraHeader"),
            "Authorization: Basic " + base64_encode("x-access-token:s3cret"));
  EXPECT_EQ(config.at("http.followRedirects"), "false");
}

TEST(GitEnvironment, DoesNotSendATokenInTheClear) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_file_durably(folder / "token", "s3cret\n"));
  GitAccess access;
  access.url = "http://git.example/shop.git";
  access.token_file = folder / "token";
  const auto environment = remote_environment(access, parse_remote(access.url).value(), "/none");
  ASSERT_FALSE(environment);
  EXPECT_EQ(environment.error().code, Errc::invalid);
  access.url = "http://127.0.0.1:8080/shop.git";
  EXPECT_TRUE(remote_environment(access, parse_remote(access.url).value(), "/none"));
  access.token_file = folder / "absent";
  EXPECT_EQ(remote_environment(access, parse_remote(access.url).value(), "/none").error().code,
            Errc::not_found);
}

TEST(GitEnvironment, PinsSshHostKeys) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_file_durably(folder / "key", "key"));
  GitAccess access;
  access.url = "git@host:shop.git";
  access.key = folder / "key";
  const auto remote = parse_remote(access.url).value();
  const auto environment = remote_environment(access, remote, "/none");
  ASSERT_TRUE(environment);
  EXPECT_EQ(environment->at("GIT_ALLOW_PROTOCOL"), "ssh");
  const std::string& command = environment->at("GIT_SSH_COMMAND");
  for (const std::string& part : {std::string("-F /dev/null"), std::string("BatchMode=yes"),
                                  std::string("StrictHostKeyChecking=yes"),
                                  std::string("UserKnownHostsFile=/etc/trimtab/known_hosts"),
                                  "IdentityFile=" + (folder / "key").string()}) {
    EXPECT_NE(command.find(part), std::string::npos) << part << " in " << command;
  }
  ::chmod((folder / "key").c_str(), 0640);
  const auto open_key = remote_environment(access, remote, "/none");
  ASSERT_FALSE(open_key);
  EXPECT_EQ(open_key.error().code, Errc::untrusted);
  EXPECT_NE(open_key.error().hint.find("chmod 600"), std::string::npos) << open_key.error().text();
  for (const char* const path :
       {"/etc/my key", "/etc/$(id)", "/etc/k;x", "key", "/etc/%h", "/a'b"}) {
    access.key = path;
    const auto refused = remote_environment(access, remote, "/none");
    ASSERT_FALSE(refused) << path;
    EXPECT_EQ(refused.error().code, Errc::invalid) << path;
  }
}

TEST(GitErrors, SayWhatGitsWordsMean) {
  GitAccess access;
  access.key = "/etc/trimtab/keys/shop";
  const Remote remote{GitProtocol::ssh, "git@github.com:acme/shop.git", "github.com"};
  const struct {
    std::string_view words;
    Errc code;
    std::string_view part;
  } rows[] = {
      {"@@@@@@\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nHost key verification "
       "failed.\nfatal: Could not read from remote repository.",
       Errc::untrusted, "differs from the one pinned in /etc/trimtab/known_hosts"},
      {"No ED25519 host key is known for github.com and you have requested strict checking.\nHost "
       "key verification failed.\nfatal: Could not read from remote repository.",
       Errc::untrusted, "no SSH host key of github.com is pinned"},
      {"git@github.com: Permission denied (publickey).\nfatal: Could not read from remote "
       "repository.",
       Errc::denied, "github.com refuses the SSH key /etc/trimtab/keys/shop"},
      {"Permissions 0644 for '/k' are too open.\nWARNING: UNPROTECTED PRIVATE KEY FILE!\n"
       "Permission denied (publickey).",
       Errc::denied, "it is readable by others"},
      {"ssh: Could not resolve hostname nowhere: Name or service not known\nfatal: Could not read "
       "from remote repository.",
       Errc::unavailable, "Could not resolve hostname nowhere"},
      {"ssh: connect to host 127.0.0.1 port 1: Connection refused\r\nfatal: Could not read from "
       "remote repository.",
       Errc::unavailable, "Connection refused"},
      {"ERROR: Repository not found.\nfatal: Could not read from remote repository.",
       Errc::not_found, "there is no repository at"},
      {"fatal: repository 'https://x/y.git/' not found", Errc::not_found, "no repository"},
      {"fatal: '/srv/x' does not appear to be a git repository\nfatal: Could not read from remote "
       "repository.",
       Errc::not_found, "no repository"},
      {"fatal: could not read Username for 'https://github.com': terminal prompts disabled",
       Errc::denied, "denies access"},
      {"fatal: Authentication failed for 'https://x/'", Errc::denied, "denies access"},
      {"fatal: unable to access 'https://x/': The requested URL returned error: 403", Errc::denied,
       "denies access"},
      {"fatal: unable to access 'https://x/': server certificate verification failed. CAfile: none "
       "CRLfile: none",
       Errc::untrusted, "certificate of github.com"},
      {"fatal: unable to access 'https://x/': SSL: no alternative certificate subject name matches "
       "target host name 'x'",
       Errc::untrusted, "certificate"},
      {"fatal: unable to access 'https://x/': The requested URL returned error: 503",
       Errc::unavailable, "cannot be reached"},
      {"fatal: unable to access 'https://x/': The requested URL returned error: 429",
       Errc::unavailable, "limits the rate of requests (429)"},
      {"fatal: unable to access 'https://x/': The requested URL returned error: 302", Errc::invalid,
       "redirects"},
      {"error: RPC failed; curl 56 Recv failure: Connection reset by peer\nfatal: early EOF",
       Errc::unavailable, "Connection reset by peer"},
      {"fatal: couldn't find remote ref refs/heads/x", Errc::not_found, "was deleted from"},
      {"fatal: transport 'ext' not allowed", Errc::invalid, "protocol"},
      {"fatal: write error: No space left on device\nfatal: fetch-pack: invalid index-pack output",
       Errc::no_space, "the disk is full"},
      {"error: object 1234: hasDotgit: contains '.git'\nfatal: fsck error in packed object",
       Errc::failed, "objects that Git refuses"},
      {"fatal: something new", Errc::failed, "something new"},
  };
  for (const auto& row : rows) {
    const Error error = explain_remote_failure(row.words, remote, access);
    EXPECT_EQ(error.code, row.code) << row.words << "\n" << error.text();
    EXPECT_NE(error.message.find(row.part), std::string::npos) << error.text();
    EXPECT_EQ(error.text().find('{'), std::string::npos) << error.text();
  }
}

TEST(GitErrors, SayWhatAnAnswerMeans) {
  const Remote remote{GitProtocol::https, "https://x.example/y.git", "x.example"};
  const struct {
    int status;
    const char* retry_after;
    Errc code;
    std::string_view part;
    int seconds;
  } rows[] = {
      {401, "", Errc::denied, "x.example denies access to https://x.example/y.git: the token", 0},
      {403, "", Errc::denied, "denies access", 0},
      {403, "60", Errc::denied, "denies access", 60},
      {404, "", Errc::not_found, "there is no repository at https://x.example/y.git", 0},
      {429, "17", Errc::unavailable, "x.example limits the rate of requests (429)", 17},
      {429, "", Errc::unavailable, "limits the rate", 0},
      {500, "", Errc::unavailable, "returned error: 500", 0},
      {503, "3600", Errc::unavailable, "returned error: 503", 3600},
      // For the program git to make something of.
      {301, "", Errc::invalid, "it redirects", 0},
      {302, "5", Errc::invalid, "it redirects", 0},
      {204, "", Errc::invalid, "it answers 204", 0},
      {400, "", Errc::invalid, "it answers 400", 0},
      {405, "", Errc::invalid, "it answers 405", 0},
  };
  for (const auto& row : rows) {
    http::Response response;
    response.status = row.status;
    if (*row.retry_after != '\0') response.headers.emplace_back("Retry-After", row.retry_after);
    const Error error = explain_status(response, remote, GitAccess{});
    EXPECT_EQ(error.code, row.code) << row.status;
    EXPECT_NE(error.message.find(row.part), std::string::npos) << error.text();
    EXPECT_EQ(error.retry_after, std::chrono::seconds(row.code == Errc::invalid ? 0 : row.seconds))
        << row.status;
  }
}

TEST(GitErrors, SayWhatAFailedConnectionMeans) {
  const Remote remote{GitProtocol::https, "https://x.example/y.git", "x.example"};
  const struct {
    Errc code;
    Errc expected;
    std::string_view text;
  } rows[] = {
      {Errc::unavailable, Errc::unavailable,
       "https://x.example/y.git cannot be reached: why; advice"},
      {Errc::denied, Errc::denied, "https://x.example/y.git cannot be reached: why; advice"},
      {Errc::untrusted, Errc::untrusted,
       "the TLS certificate of x.example cannot be verified; set git.ca_file to the CA that signed "
       "it; check the clock with `timedatectl`"},
      {Errc::timed_out, Errc::timed_out,
       "https://x.example/y.git did not answer in time; this is retried"},
      {Errc::cancelled, Errc::cancelled, "why; advice"},
      {Errc::invalid, Errc::invalid, "why; advice"},
  };
  for (const auto& row : rows) {
    const Error failure{row.code, "why", "advice"};
    const Error error = explain_connection_failure(failure, remote, GitAccess{});
    EXPECT_EQ(error.code, row.expected);
    EXPECT_EQ(error.text(), row.text);
  }
}

TEST(GitErrors, OfOurOwnRepository) {
  const Error full = explain_local_failure("check out x", "fatal: No space left on device");
  EXPECT_EQ(full.code, Errc::no_space);
  EXPECT_EQ(full.message, "cannot check out x: the disk is full");
  const Error other = explain_local_failure("check out x", "fatal: bad\x1b[31m tree\n");
  EXPECT_EQ(other.message, "cannot check out x: bad?[31m tree");
}

TEST(GitTree, ReadsEntriesWithAnyPath) {
  using namespace std::string_literals;
  const auto entries =
      parse_tree("100644 blob " + kA + "\ta b\n\xc3\xa9\0"s + "160000 commit " + kB + "\tsub\0"s);
  ASSERT_TRUE(entries);
  ASSERT_EQ(entries->size(), 2U);
  EXPECT_EQ((*entries)[0].path, "a b\n\xc3\xa9");
  EXPECT_EQ((*entries)[1].mode, "160000");
  EXPECT_TRUE(parse_tree("").value().empty());
  EXPECT_FALSE(parse_tree("100644 blob\tx"));
}

TEST(LiveClone, FollowsWhatItIsMadeFrom) {
  const std::string core =
      "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n"
      "\tlogallrefupdates = true\n";
  const std::string fetch = "\tfetch = +refs/heads/*:refs/remotes/origin/*\n";
  const std::string url = "[remote \"origin\"]\n\turl = \"https://example.org/shop.git\"\n";
  EXPECT_EQ(
      clone_settings("https://example.org/shop.git", *parse_ref("main")),
      core + url + fetch + "[branch \"main\"]\n\tremote = origin\n\tmerge = \"refs/heads/main\"\n");
  EXPECT_EQ(clone_settings("https://example.org/shop.git", *parse_ref("v*")), core + url + fetch);
}

TEST(LiveClone, QuotesWhatGitWouldRead) {
  WantedRef ref;
  ref.name = "a\"b;#c";
  const std::string text = clone_settings("/srv/a b;#\\c\"d", ref);
  EXPECT_NE(text.find("\turl = \"/srv/a b;#\\\\c\\\"d\"\n"), std::string::npos) << text;
  EXPECT_NE(text.find("[branch \"a\\\"b;#c\"]\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\tmerge = \"refs/heads/a\\\"b;#c\"\n"), std::string::npos) << text;
}

TEST(GitProgram, SaysWhyTheProgramAsks) {
  const TemporaryFolder folder;
  for (const auto& [url, transport_in_use] : std::vector<std::pair<std::string, std::string>>{
           {"git@github.com:acme/shop.git", "git program: it is asked over SSH"},
           {"/srv/shop.git", "git program: it is a path"},
           {"https://x.example/shop?a=b", "git program: its URL has an unusual form"},
           {"https://x.example/shop", ""},
           {"ext::sh", ""}}) {
    GitAccess access;
    access.url = url;
    const GitProgram git(access, "main", folder / "repo.git", folder / "state");
    EXPECT_EQ(git.transport_in_use(), transport_in_use) << url;
  }
}

TEST(GitProgram, WillNotAskWithAnUrlOrRefThatIsNone) {
  const TemporaryFolder folder;
  for (const auto& [url, ref] : std::vector<std::pair<std::string, std::string>>{
           {"ext::sh -c touch% x", "main"}, {"/srv/x", "--upload-pack=x"}}) {
    GitAccess access;
    access.url = url;
    GitProgram git(access, ref, folder / "repo.git", folder / "state");
    const auto tip = test::await(git.resolve_ref());
    ASSERT_FALSE(tip);
    EXPECT_EQ(tip.error().code, Errc::invalid);
  }
}

}  // namespace
}  // namespace trimtab
