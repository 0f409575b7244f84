#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cstring>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>

#include "agent/config/address.hpp"
#include "agent/config/load.hpp"
#include "agent/config/yaml.hpp"

namespace trimtab {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// A configuration directory of its own for each test.
class Config : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "trimtab-config-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    fs::create_directory(directory_ / "stacks.d");
  }
  void TearDown() override { fs::remove_all(directory_); }

  fs::path write(const std::string& name, const std::string& text, mode_t mode = 0600) {
    const fs::path file = directory_ / name;
    std::ofstream(file) << text;
    ::chmod(file.c_str(), mode);
    return file;
  }

  // The findings as a person sees them, without the folder in front.
  std::vector<std::string> lines(const LoadResult& result) const {
    std::vector<std::string> shown;
    for (const Finding& finding : result.findings) {
      std::string line = to_string(finding);
      const std::string prefix = directory_.string() + "/";
      for (std::size_t at = 0; (at = line.find(prefix)) != std::string::npos;) {
        line.erase(at, prefix.size());
      }
      shown.push_back(line);
    }
    return shown;
  }

  fs::path directory_;
};

using Lines = std::vector<std::string>;

constexpr const char* minimal = "git: {url: \"https://example.org/acme/shop.git\"}\n";
constexpr const char* minimal_git = "git:\n  url: https://example.org/acme/shop.git\n";

std::string read_source(const std::string& name) {
  const char* root = std::getenv("TRIMTAB_SOURCE_DIR");
  std::ifstream file(fs::path(root == nullptr ? "." : root) / name);
  EXPECT_TRUE(file.good()) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST_F(Config, EmptyDirectoryGivesDefaultsAndNoFindings) {
  const LoadResult result = load_config(directory_);
  EXPECT_TRUE(result.ok());
  EXPECT_TRUE(result.findings.empty());
  EXPECT_TRUE(result.stacks.empty());
  EXPECT_EQ(result.daemon, DaemonSettings{});
}

TEST_F(Config, MissingDirectoryIsAnError) {
  const LoadResult result = load_config(directory_ / "nowhere");
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(
      lines(result),
      Lines{"nowhere: this directory does not exist: it should contain trimtab's configuration"});
}

TEST_F(Config, MinimalStackHasTheDocumentedDefaults) {
  write("stacks.d/shop.yaml", minimal);
  const LoadResult result = load_config(directory_);
  ASSERT_EQ(lines(result), Lines{});
  ASSERT_EQ(result.stacks.size(), 1U);
  const StackSettings& stack = result.stacks[0];
  EXPECT_EQ(stack.name, "shop");
  EXPECT_EQ(stack.git.url, "https://example.org/acme/shop.git");
  EXPECT_EQ(stack.git.ref, "main");
  EXPECT_EQ(stack.git.interval, 30s);
  EXPECT_EQ(stack.directory, "/srv/shop");
  EXPECT_EQ(stack.project, "");
  EXPECT_TRUE(stack.compose.empty());
  EXPECT_FALSE(stack.env_file.has_value());
  EXPECT_EQ(stack.images.interval, 60s);
  EXPECT_FALSE(stack.images.watch.has_value());
  EXPECT_EQ(stack.images.wait, 30min);
  EXPECT_EQ(stack.gate.timeout, 3min);
  EXPECT_EQ(stack.gate.stable, 10s);
  EXPECT_EQ(stack.gate.probation, 5min);
  EXPECT_EQ(stack.hooks, HooksSettings{});
  EXPECT_FALSE(stack.certs.self_signed_until_issued);
  EXPECT_EQ(stack.rollback, RollbackMode::automatic);
  EXPECT_EQ(stack.keep, 10);
}

TEST_F(Config, ReadsEveryKey) {
  const fs::path key = write("key", "k");
  const fs::path hosts = write("hosts", "h", 0644);
  write("stacks.d/shop.yaml", "git:\n  url: git@example.org:acme/shop.git\n  ref: v*\n" +
                                  std::string("  interval: 5s\n  key: ") + key.string() +
                                  "\n  known_hosts: " + hosts.string() + R"(
directory: /srv/web/
project: web
compose: [a.yaml, b/c.yaml]
profiles: [prod]
env_file: prod.env
images: {interval: 2m, watch: [backend], wait: 0s}
gate:
  timeout: 1m
  stable: 2s
  probation: 0s
  probe: [{url: "http://127.0.0.1/healthz"}, {url: "https://example.org", status: 301}]
hooks:
  before: [{service: db, run: [pg_dump, -Fc], timeout: 2m, on_failure: continue}]
  after: [{service: backend, run: [./warm], one_off: true}, {program: /bin/true, args: [a]}]
rollback: manual
certs: {self_signed_until_issued: true}
checks: {unset-variable: warning, privileged: error, compose-warning: off}
keep: 3
unit: web.service
)");
  write("trimtab.yaml", R"(
docker: {socket: /tmp/docker.sock, config: /home/ana/.docker/config.json}
socket: {group: admins}
log: {level: debug}
)");
  const LoadResult result = load_config(directory_);
  ASSERT_EQ(lines(result), Lines{});
  StackSettings stack;
  stack.name = "shop";
  stack.git = {"git@example.org:acme/shop.git", "v*", 5s, key, hosts, "", ""};
  stack.directory = "/srv/web";
  stack.project = "web";
  stack.compose = {"a.yaml", "b/c.yaml"};
  stack.profiles = {"prod"};
  stack.env_file = "prod.env";
  stack.images = {2min, std::vector<std::string>{"backend"}, 0s};
  stack.gate = {1min, 2s, 0s, {{"http://127.0.0.1/healthz", 200}, {"https://example.org", 301}}};
  stack.rollback = RollbackMode::manual;
  stack.hooks.before = {{"db", {"pg_dump", "-Fc"}, false, {}, {}, 2min, false}};
  stack.hooks.after = {{"backend", {"./warm"}, true, {}, {}, 5min, true},
                       {"", {}, false, "/bin/true", {"a"}, 5min, true}};
  stack.certs.self_signed_until_issued = true;
  stack.checks = {{"unset-variable", CheckLevel::warning},
                  {"privileged", CheckLevel::error},
                  {"compose-warning", CheckLevel::off}};
  stack.keep = 3;
  stack.unit = "web.service";
  ASSERT_EQ(result.stacks.size(), 1U);
  EXPECT_EQ(result.stacks[0], stack);
  DaemonSettings daemon;
  daemon.docker = {"/tmp/docker.sock", "/home/ana/.docker/config.json"};
  daemon.socket.group = "admins";
  daemon.log.level = "debug";
  EXPECT_EQ(result.daemon, daemon);
}

TEST_F(Config, EmptyListOfWatchedServicesIsNotTheDefault) {
  write("stacks.d/shop.yaml", std::string(minimal) + "images: {watch: []}\n");
  const LoadResult result = load_config(directory_);
  ASSERT_EQ(result.stacks.size(), 1U);
  EXPECT_EQ(result.stacks[0].images.watch, std::vector<std::string>{});
}

TEST_F(Config, ChecksThatProtectDataCannotBeTurnedOff) {
  write("stacks.d/shop.yaml", std::string(minimal) +
                                  "checks:\n  volume-missing: off\n  unset-variables: warning\n"
                                  "  privileged: no\n");
  const std::size_t line = std::count(minimal, minimal + std::strlen(minimal), '\n') + 2;
  const auto at = [line](std::size_t more) {
    return "stacks.d/shop.yaml:" + std::to_string(line + more) + ":";
  };
  EXPECT_EQ(lines(load_config(directory_)),
            (Lines{at(0) + "3: unknown key \"volume-missing\"",
                   at(1) + "3: unknown key \"unset-variables\" (did you mean \"unset-variable\"?)",
                   at(2) + "15: expected error or warning or off, found \"no\""}));
}

TEST_F(Config, OnePassReportsAllErrorsInAllFiles) {
  write("trimtab.yaml", "log:\n  level: loud\n");
  write("stacks.d/blog.yaml", "git:\n  url: https://example.org/blog.git\n  intervall: 30s\n");
  write("stacks.d/shop.yaml", "keep: many\ngit:\n  ref: [main]\n");
  write("stacks.d/wiki.yaml", "git:\n  url: [https://example.org\n");
  write("stacks.d/fine.yaml", minimal);
  const LoadResult result = load_config(directory_);
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(lines(result),
            (Lines{"stacks.d/blog.yaml:3:3: unknown key \"intervall\" (did you mean \"interval\"?)",
                   "stacks.d/shop.yaml:1:7: expected a whole number from 0 to 1000, found \"many\"",
                   "stacks.d/shop.yaml:3:3: git.url is missing: the address of the stack's "
                   "repository",
                   "stacks.d/shop.yaml:3:8: expected text, found a list",
                   "stacks.d/wiki.yaml:2:1: not valid YAML: end of sequence flow not found",
                   "trimtab.yaml:2:10: expected debug or info or warning or error, found "
                   "\"loud\""}));
  ASSERT_EQ(result.stacks.size(), 1U);
  EXPECT_EQ(result.stacks[0].name, "fine");
  EXPECT_EQ(result.daemon, DaemonSettings{});
}

TEST_F(Config, EmptyFileNamesTheUrl) {
  write("stacks.d/shop.yaml", "");
  EXPECT_EQ(lines(load_config(directory_)),
            Lines{"stacks.d/shop.yaml:1:1: git.url is missing: the address of the stack's "
                  "repository"});
}

TEST_F(Config, FileNamesThatNameNoStackAreReported) {
  write("stacks.d/My Shop.yaml", minimal);
  write("stacks.d/shop.yml", minimal);
  write("stacks.d/shop.yaml.example", "nonsense");
  write("stacks.d/.shop.yaml", "nonsense");
  write("stacks.d/README", "nonsense");
  const LoadResult result = load_config(directory_);
  EXPECT_EQ(
      lines(result),
      (Lines{"stacks.d/My Shop.yaml: \"My Shop\" cannot name a stack: file names are "
             "lower-case letters, digits, - and _, then .yaml",
             "stacks.d/shop.yml: warning: ignored: a stack's file name must end with .yaml"}));
  EXPECT_TRUE(result.stacks.empty());
}

TEST_F(Config, TwoStacksWithOneDirectoryAreBothRefused) {
  write("stacks.d/blog.yaml", std::string(minimal) + "directory: /srv/./shop/\n");
  write("stacks.d/shop.yaml", minimal);
  write("stacks.d/wiki.yaml", minimal);
  const LoadResult result = load_config(directory_);
  EXPECT_EQ(lines(result), (Lines{"stacks.d/blog.yaml:2:1: directory \"/srv/shop\" is also used by "
                                  "stacks.d/shop.yaml; each stack needs its own",
                                  "stacks.d/shop.yaml: directory \"/srv/shop\" is also used by "
                                  "stacks.d/blog.yaml; each stack needs its own"}));
  ASSERT_EQ(result.stacks.size(), 1U);
  EXPECT_EQ(result.stacks[0].name, "wiki");
}

TEST_F(Config, AStackInTheDirectoryOfAnotherIsRefusedWithIt) {
  write("stacks.d/blog.yaml", std::string(minimal) + "directory: /srv/shop/blog\n");
  write("stacks.d/shop.yaml", minimal);
  write("stacks.d/shop2.yaml", minimal);
  const LoadResult result = load_config(directory_);
  EXPECT_EQ(lines(result), (Lines{"stacks.d/blog.yaml:2:1: directory \"/srv/shop/blog\" lies in "
                                  "that of stacks.d/shop.yaml",
                                  "stacks.d/shop.yaml: directory \"/srv/shop\" contains that of "
                                  "stacks.d/blog.yaml"}));
  ASSERT_EQ(result.stacks.size(), 1U);
  EXPECT_EQ(result.stacks[0].name, "shop2");
}

TEST_F(Config, AStackMayBeCalledTrimtab) {
  write("stacks.d/trimtab.yaml", minimal);
  const LoadResult result = load_files({directory_ / "stacks.d/trimtab.yaml"});
  EXPECT_EQ(lines(result), Lines());
  ASSERT_EQ(result.stacks.size(), 1U);
  EXPECT_EQ(result.stacks[0].name, "trimtab");
}

TEST_F(Config, TwoStacksWithOneUnitAreBothRefused) {
  write("stacks.d/blog.yaml", std::string(minimal) + "unit: shop.service\n");
  write("stacks.d/shop.yaml", minimal);
  const LoadResult result = load_config(directory_);
  EXPECT_EQ(lines(result), (Lines{"stacks.d/blog.yaml:2:1: unit \"shop.service\" is also used by "
                                  "stacks.d/shop.yaml; each stack needs its own",
                                  "stacks.d/shop.yaml: unit \"shop.service\" is also used by "
                                  "stacks.d/blog.yaml; each stack needs its own"}));
}

TEST_F(Config, WhatIsNoUnitIsRefused) {
  for (const char* unit : {"shop", "shop.target", ".service", "../shop.service", "a b.service"}) {
    write("stacks.d/shop.yaml", std::string(minimal) + "unit: \"" + unit + "\"\n");
    EXPECT_EQ(lines(load_config(directory_)),
              Lines{std::string("stacks.d/shop.yaml:2:7: expected the name of a service unit such "
                                "as shop.service, found \"") +
                    unit + "\""});
  }
}

TEST_F(Config, ARefIsWhatTheDaemonTakesForOne) {
  for (const char* ref : {"HEAD", "'@'", "refs/notes/x", "a;b", "$(id)"}) {
    write("stacks.d/shop.yaml", std::string(minimal_git) + "  ref: " + ref + "\n");
    const LoadResult result = load_config(directory_);
    ASSERT_EQ(result.findings.size(), 1U) << ref;
    EXPECT_TRUE(result.findings[0].message.starts_with("expected a branch such as production"));
  }
  write("stacks.d/shop.yaml", std::string(minimal_git) + "  ref: v1.?\n");
  EXPECT_TRUE(load_config(directory_).findings.empty());
}

TEST_F(Config, ACheckoutIsWhereTrimtabdMayWrite) {
  for (const char* closed : {"/usr", "/etc", "/boot", "/proc"}) {
    write("stacks.d/shop.yaml", std::string(minimal) + "directory: " + closed + "/shop\n");
    EXPECT_EQ(
        lines(load_config(directory_)),
        Lines{std::string("stacks.d/shop.yaml:2:1: ") + closed +
              "/ is not accessible to trimtabd because of its unit; use /srv/shop or the like"});
  }
  write("stacks.d/shop.yaml", std::string(minimal) + "directory: \"/srv/a:b\"\n");
  EXPECT_EQ(
      lines(load_config(directory_)),
      Lines{"stacks.d/shop.yaml:2:1: \":\" is not allowed: Git and Docker separate paths by it"});
}

TEST_F(Config, WhatIsTrimtabsOwnIsNoCheckout) {
  for (const char* own : {"/etc/trimtab", "/var/lib/trimtab"}) {
    write("stacks.d/shop.yaml", std::string(minimal) + "directory: " + own + "/x\n");
    EXPECT_EQ(
        lines(load_config(directory_)),
        Lines{std::string("stacks.d/shop.yaml:2:1: ") + own +
              "/ belongs to trimtab and is removed when its package is purged; use /srv/shop or "
              "the like"});
  }
}

TEST_F(Config, TwoStacksWithOneProjectAreBothRefused) {
  write("stacks.d/blog.yaml", std::string(minimal) + "project: shop\n");
  write("stacks.d/shop.yaml", minimal);
  const LoadResult result = load_config(directory_);
  EXPECT_EQ(lines(result), (Lines{"stacks.d/blog.yaml:2:1: project \"shop\" is also used by "
                                  "stacks.d/shop.yaml; each stack needs its own",
                                  "stacks.d/shop.yaml: project \"shop\" is also used by "
                                  "stacks.d/blog.yaml; each stack needs its own"}));
  EXPECT_TRUE(result.stacks.empty());
}

TEST_F(Config, WhatOthersCouldReadOrChangeIsRefused) {
  const fs::path key = write("key", "k", 0640);
  const fs::path hosts = write("hosts", "h", 0664);
  const fs::path program = write("dump", "#!/bin/sh\n", 0777);
  const std::string later = (directory_ / "later").string();
  write("stacks.d/shop.yaml", "git:\n  url: git@example.org:acme/shop.git\n  key: " + key.string() +
                                  "\n  known_hosts: " + hosts.string() +
                                  "\nhooks:\n  before:\n    - program: " + program.string() +
                                  "\n    - program: " + later + "\n");
  write("stacks.d/open.yaml", minimal, 0666);
  const LoadResult result = load_config(directory_);
  EXPECT_EQ(lines(result),
            (Lines{"stacks.d/open.yaml: stacks.d/open.yaml cannot be trusted: it is writable by "
                   "users other than its owner; run chmod go-w stacks.d/open.yaml",
                   "stacks.d/shop.yaml:3:8: key cannot be trusted: it is accessible to users other "
                   "than its owner; run chmod 600 key",
                   "stacks.d/shop.yaml:4:16: hosts cannot be trusted: it is writable by users "
                   "other than its owner; run chmod go-w hosts",
                   "stacks.d/shop.yaml:7:7: dump cannot be trusted: it is writable by users other "
                   "than its owner; run chmod go-w dump"}));
  EXPECT_TRUE(result.stacks.empty());

  // In a checkout a file is nobody's configuration yet.
  EXPECT_TRUE(load_files({directory_ / "stacks.d/open.yaml"}).ok());
  ::chmod(key.c_str(), 0600);
  ::chmod(hosts.c_str(), 0644);
  ::chmod(program.c_str(), 0755);
  ::chmod((directory_ / "stacks.d/open.yaml").c_str(), 0644);
  EXPECT_EQ(lines(load_config(directory_)), Lines{});
  ::chmod((directory_ / "stacks.d").c_str(), 0775);
  const LoadResult shared = load_config(directory_);
  EXPECT_TRUE(shared.stacks.empty());
  EXPECT_EQ(lines(shared).size(), 2U);
}

TEST_F(Config, UnencryptedTransportIsAnErrorExceptToThisHost) {
  write("stacks.d/near.yaml", "git: {url: \"http://127.0.0.2:8080/shop.git\"}\n");
  write("stacks.d/far.yaml", "git: {url: \"http://127.0.0.1.example.org/shop.git\"}\n");
  const LoadResult result = load_config(directory_);
  EXPECT_EQ(
      lines(result),
      Lines{"stacks.d/far.yaml:1:7: http:// is not encrypted: anybody on the network path could "
            "deploy anything as root; use https:// (git.ca_file trusts a certificate of your "
            "own) or SSH"});
  ASSERT_EQ(result.stacks.size(), 1U);
  EXPECT_EQ(result.stacks[0].name, "near");
}

TEST_F(Config, TokenMayGoToThisHostUnencrypted) {
  const fs::path token = write("token", "t");
  write("stacks.d/shop.yaml",
        "git: {url: \"http://localhost/shop.git\", token_file: " + token.string() + "}\n");
  EXPECT_EQ(lines(load_config(directory_)), Lines{});
}

TEST_F(Config, SaysWhetherAllStacksWereSeen) {
  write("stacks.d/shop.yaml", minimal);
  EXPECT_TRUE(load_config(directory_).is_complete);
  fs::rename(directory_ / "stacks.d", directory_ / "elsewhere");
  const LoadResult missing = load_config(directory_);
  EXPECT_FALSE(missing.is_complete);
  EXPECT_TRUE(missing.ok()) << "before the first stack nothing is wrong";
  std::ofstream(directory_ / "stacks.d") << "not a directory";
  const LoadResult unlistable = load_config(directory_);
  EXPECT_FALSE(unlistable.is_complete);
  EXPECT_EQ(lines(unlistable), Lines{"stacks.d: cannot be listed: Not a directory"});
  EXPECT_FALSE(load_config(directory_ / "nowhere").is_complete);
}

TEST_F(Config, FileThatIsNoneIsNotOpened) {
  ASSERT_EQ(::mkfifo((directory_ / "stacks.d/pipe.yaml").c_str(), 0600), 0);
  fs::create_directory(directory_ / "stacks.d/folder.yaml");
  fs::create_symlink("nowhere", directory_ / "stacks.d/link.yaml");
  EXPECT_EQ(lines(load_config(directory_)),
            (Lines{"stacks.d/folder.yaml: not a regular file",
                   "stacks.d/link.yaml: cannot read stacks.d/link.yaml: No such file or directory",
                   "stacks.d/pipe.yaml: not a regular file"}));
}

TEST_F(Config, FileAboveTheLimitIsRefused) {
  write("stacks.d/shop.yaml", std::string(minimal) + "#" + std::string(256 * 1024, 'x'));
  const LoadResult result = load_config(directory_);
  EXPECT_FALSE(result.ok());
  ASSERT_EQ(result.findings.size(), 1U);
  EXPECT_EQ(result.findings[0].line, 0);
  EXPECT_NE(result.findings[0].message.find("limit"), std::string::npos);
}

TEST_F(Config, SingleFilesAreCheckedAlone) {
  const fs::path daemon = write("trimtab.yaml", "logs: {}\n");
  const fs::path stack = write("stacks.d/shop.yaml", minimal);
  write("stacks.d/broken.yaml", "nonsense");
  EXPECT_EQ(lines(load_files({stack, daemon})),
            Lines{"trimtab.yaml:1:1: unknown key \"logs\" (did you mean \"log\"?)"});
  EXPECT_EQ(lines(load_files({directory_ / "shop.yaml"})),
            Lines{"shop.yaml: cannot read shop.yaml: No such file or directory"});
}

TEST_F(Config, UnchangedFilesGiveEqualSettings) {
  write("stacks.d/shop.yaml", minimal);
  const LoadResult first = load_config(directory_);
  EXPECT_EQ(first.stacks, load_config(directory_).stacks);
  write("stacks.d/shop.yaml", std::string(minimal) + "keep: 11\n");
  EXPECT_NE(first.stacks, load_config(directory_).stacks);
}

TEST(ConfigExample, OfADaemonShowsTheDefaults) {
  std::vector<Finding> findings;
  const std::string example = read_source("config/trimtab.yaml");
  EXPECT_EQ(parse_daemon(example, "trimtab.yaml", findings), DaemonSettings{});
  // Of the sections that follow the example shows how they are written; there is no default.
  const std::string with_defaults = example.substr(0, example.find("# registries:"));
  const std::string complete =
      std::regex_replace(with_defaults, std::regex("# (docker:|socket:|log:|  [a-z]+:)"), "$1");
  EXPECT_NE(complete, with_defaults);
  EXPECT_EQ(parse_daemon(complete, "trimtab.yaml", findings), DaemonSettings{});
  EXPECT_TRUE(findings.empty());
}

TEST(ConfigExample, OfAStackLacksOnlyItsKey) {
  std::vector<Finding> findings;
  const StackSettings stack =
      parse_stack(read_source("config/stacks.d/shop.yaml.example"), "shop.yaml", findings);
  for (const Finding& finding : findings) {
    EXPECT_EQ(finding.message.rfind("/etc/trimtab/keys/shop", 0), 0U) << to_string(finding);
  }
  StackSettings expected;
  expected.name = "shop";
  expected.directory = "/srv/shop";
  expected.unit = "shop.service";
  expected.git.url = "git@github.com:acme/shop.git";
  expected.git.key = "/etc/trimtab/keys/shop";
  EXPECT_EQ(stack, expected);
}

TEST(ConfigKeys, AreListedWithTheirPaths) {
  const std::vector<std::string> keys = stack_keys();
  for (const char* key : {"git", "git.url", "compose", "gate.probe", "gate.probe[].url", "keep"}) {
    EXPECT_EQ(std::count(keys.begin(), keys.end(), key), 1) << key;
  }
  const std::vector<std::string> of_daemon = daemon_keys();
  for (const char* key : {"docker", "docker.socket", "log.level", "registries[].password_file",
                          "proxy.except", "webhook.listen"}) {
    EXPECT_EQ(std::count(of_daemon.begin(), of_daemon.end(), key), 1) << key;
  }
}

TEST(StackName, FollowsItsGrammar) {
  const std::string longest(63, 'a');
  for (const std::string& name : {std::string("a"), std::string("0-_"), longest}) {
    EXPECT_TRUE(is_stack_name(name)) << name;
  }
  for (const std::string& name : {std::string(), std::string("-a"), std::string("_a"),
                                  std::string("A"), std::string("a.b"), longest + "a"}) {
    EXPECT_FALSE(is_stack_name(name)) << name;
  }
}

TEST(Address, OfARepositorySaysItsTransport) {
  const struct {
    const char* url;
    GitTransport transport;
  } rows[] = {
      {"/srv/git/shop.git", GitTransport::local},
      {"git@localhost:shop.git", GitTransport::ssh},
      {"ssh://git@[::1]:22/shop.git", GitTransport::ssh},
      {"ssh://example.org/shop.git", GitTransport::ssh},
      {"https://example.org/shop.git", GitTransport::https},
      {"http://127.0.0.1:3000/shop.git", GitTransport::http},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(git_url_complaint(row.url), "") << row.url;
    EXPECT_EQ(git_transport(row.url), row.transport) << row.url;
  }
}

// What a hostile or broken file must not do: take long, take much, or end the program.
TEST(Yaml, HostileDocumentsAreRefusedQuickly) {
  constexpr std::size_t size = 256 * 1024;
  const auto repeated = [](std::string_view piece) {
    std::string text;
    while (text.size() < size) text += piece;
    return text;
  };
  const std::string documents[] = {
      repeated("["),     repeated("{"),       repeated("- "),    repeated("? "),
      repeated("a: "),   repeated("[],"),     repeated("- a\n"), repeated("a: b\n"),
      repeated("{a: "),  repeated("\""),      repeated("&a "),   repeated("%a\n"),
      repeated("!"),     repeated("- - -\n"), repeated("[a, "),  std::string(size, '\0'),
      repeated("\xff"),  repeated("---\n"),   repeated("a\n"),   repeated(": "),
      "\xff\xfe[",       "a: &x [*x]",        "a: *b",           "<<: 1",
      "a: !!binary aa=", "? [a]\n: b",        "\xef\xbb\xbf- 1",
  };
  for (const std::string& document : documents) {
    std::vector<Finding> findings;
    const auto start = std::chrono::steady_clock::now();
    parse_stack(document, "shop.yaml", findings);
    EXPECT_LT(std::chrono::steady_clock::now() - start, 10s) << document.substr(0, 20);
    EXPECT_FALSE(findings.empty()) << document.substr(0, 20);
    EXPECT_LE(findings.size(), 10'001U) << document.substr(0, 20);
  }
}

TEST(Finding, HoldsNothingThatDrivesATerminal) {
  std::vector<Finding> findings;
  parse_stack("\"\\e[31m\\n\": 1\ngit: {url: /srv/x, key: \"/\\x9b31m\"}\n", "shop.yaml", findings);
  ASSERT_FALSE(findings.empty());
  for (const Finding& finding : findings) {
    EXPECT_EQ(to_string(finding).find_first_of("\x1b\n"), std::string::npos);
    EXPECT_EQ(to_string(finding).find("\xc2\x9b"), std::string::npos);
  }
}

}  // namespace
}  // namespace trimtab
