// What `trimtab init` decides: which host key to trust, what to propose, what it writes.
#include <gtest/gtest.h>

#include <variant>

#include "agent/config/load.hpp"
#include "cli/init_host_key.hpp"
#include "cli/init_remote.hpp"
#include "cli/init_stack_file.hpp"
#include "cli/options.hpp"
#include "common/text.hpp"

namespace trimtab::cli {
namespace {

// As these hosts publish them.
constexpr const char* github_ed25519 =
    "github.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
constexpr const char* github_ecdsa =
    "github.com ecdsa-sha2-nistp256 "
    "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEezOmxkZMy7opKgwFB9nkt5YRrYMjNu"
    "G5N87uRgg6CLrbo5wAdT/y6v0mKV0U2w0WZ2YB/++Tpockg=";
constexpr const char* github_rsa =
    "github.com ssh-rsa "
    "AAAAB3NzaC1yc2EAAAADAQABAAABgQCj7ndNxQowgcQnjshcLrqPEiiphnt+VTTvDP6mHBL9j1aNUkY4Ue1gvwnGLVlO"
    "hGeYrnZaMgRK6+PKCUXaDbC7qtbW8gIkhL7aGCsOr/C56SJMy/BCZfxd1nWzAOxSDPgVsmerOBYfNqltV9/hWCqBywIN"
    "IR+5dIg6JTJ72pcEpEjcYgXkE2YEFXV1JHnsKgbLWNlhScqb2UmyRkQyytRLtL+38TGxkxCflmO+5Z8CSSNY7GidjMIZ"
    "7Q4zMjA2n1nGrlTDkzwDCsw+wqFPGQA179cnfGWOWRVruj16z6XyvxvjJwbz0wQZ75XK5tKSb7FNyeIEs4TT4jk+S4dh"
    "PeAUC5y+bDYirYgM4GC7uEnztnZyaVWQ7B381AK4Qdrwt51ZqExKbQpTUNn+EjqoTwvqNj4kqx5QUCI0ThS/YkOxJCXm"
    "PUWZbhjpCg56i+2aB6CmK2JGhn57K5mj0MNdBXA4/WnwH6XoPWJzK5Nyu2zB3nAZp+S5hpQs+p1vN1/wsjk=";
constexpr const char* gitlab_ed25519 =
    "gitlab.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAfuCHKVTjquxvt6CM6tdG4SLp1Btn/nOeHHE5UOzRdf";
constexpr const char* bitbucket_ed25519 =
    "bitbucket.org ssh-ed25519 "
    "AAAAC3NzaC1lZDI1NTE5AAAAIIazEu89wgQZ4bqs3d63QSMzYVa0MuJ2e2gKTKqu+UUO";

std::vector<HostKey> keys(const std::vector<std::string>& lines) {
  return parse_host_keys(join(lines, "\n"));
}

TEST(InitHostKey, ReadsWhatKeyscanPrintsWithTheBestTypeFirst) {
  const auto found = parse_host_keys(std::string("# github.com:22 SSH-2.0-x\n") + github_rsa +
                                     "\nnoise\n" + github_ecdsa + " a comment\n" + github_ed25519 +
                                     "\n@revoked " + gitlab_ed25519 + "\n");
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0], (HostKey{github_ed25519, "ed25519",
                               "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"}));
  EXPECT_EQ(found[1].type, "ecdsa");
  EXPECT_EQ(found[1].line, github_ecdsa);
  EXPECT_EQ(found[2].type, "rsa");
}

TEST(InitHostKey, TrustsWhatTheForgesPublish) {
  const struct {
    std::string host;
    const char* line;
  } rows[] = {{"github.com", github_ed25519},      {"github.com", github_ecdsa},
              {"github.com", github_rsa},          {"ssh.github.com", github_ed25519},
              {"gitlab.com", gitlab_ed25519},      {"altssh.gitlab.com", gitlab_ed25519},
              {"bitbucket.org", bitbucket_ed25519}};
  for (const auto& row : rows) {
    const auto judged = verify_host_keys(row.host, keys({row.line}), "");
    ASSERT_TRUE(judged) << row.host << ": " << judged.error().text();
    EXPECT_EQ(judged->trust, Trust::published) << row.host;
    EXPECT_EQ(judged->key.line, row.line);
  }
}

TEST(InitHostKey, RefusesAForgeThatShowsAnotherKey) {
  const auto judged = verify_host_keys("github.com", keys({gitlab_ed25519}), "");
  ASSERT_FALSE(judged);
  EXPECT_EQ(judged.error().code, Errc::untrusted);
  EXPECT_EQ(judged.error().message,
            "github.com presented an SSH host key that it has not published: "
            "SHA256:eUXGGm1YGsMAS7vkcx6JOJdOGHPem5gQp4taiCfCLB8 (ed25519)");
  EXPECT_NE(judged.error().hint.find("githubs-ssh-key-fingerprints"), std::string::npos);
}

TEST(InitHostKey, OfAForgesKeysOnlyAPublishedOneIsPinned) {
  const auto judged = verify_host_keys("github.com", keys({gitlab_ed25519, github_rsa}), "");
  ASSERT_TRUE(judged);
  EXPECT_EQ(judged->key.line, github_rsa);
}

TEST(InitHostKey, LeavesTheKeyOfAnotherHostToTheOperator) {
  const auto judged = verify_host_keys("git.example.com", keys({github_rsa, github_ecdsa}), "");
  ASSERT_TRUE(judged);
  EXPECT_EQ(judged->trust, Trust::unknown);
  EXPECT_EQ(judged->key.type, "ecdsa");
}

TEST(InitHostKey, TakesTheFingerprintThatWasGivenAndNoOther) {
  const std::string fingerprint = "SHA256:p2QAMXNIC1TJYWeIOttrVc98/R1BUFWu3/LiyKgUfQM";
  const auto right =
      verify_host_keys("git.example.com", keys({github_ed25519, github_ecdsa}), fingerprint);
  ASSERT_TRUE(right);
  EXPECT_EQ(right->trust, Trust::given);
  EXPECT_EQ(right->key.type, "ecdsa");
  // Also of a forge: it may show a published key and yet not the one that is expected.
  for (const char* const host : {"git.example.com", "gitlab.com"}) {
    const auto wrong = verify_host_keys(host, keys({gitlab_ed25519}), fingerprint);
    ASSERT_FALSE(wrong) << host;
    EXPECT_EQ(wrong.error().code, Errc::untrusted);
  }
}

TEST(InitHostKey, NamesHostsAsKnownHostsFilesDo) {
  const struct {
    const char* given;
    const char* host;
    const char* port;
    const char* known_as;
  } rows[] = {{"GitHub.com", "github.com", "22", "github.com"},
              {"127.0.0.1:2222", "127.0.0.1", "2222", "[127.0.0.1]:2222"},
              {"git.example.com:22", "git.example.com", "22", "git.example.com"},
              {"[::1]:2222", "::1", "2222", "[::1]:2222"},
              {"[2001:db8::1]", "2001:db8::1", "22", "2001:db8::1"}};
  for (const auto& row : rows) {
    const HostAddress address = parse_host_address(row.given);
    EXPECT_EQ(address.host, row.host) << row.given;
    EXPECT_EQ(address.port, row.port) << row.given;
    EXPECT_EQ(address.known_as(), row.known_as) << row.given;
  }
}

TEST(InitRemote, ProposesTheDefaultBranchOrTheOnlyOne) {
  const std::string object(40, 'a');
  const std::string main = object + "\trefs/heads/main\n";
  const std::string production = object + "\trefs/heads/production\n";
  const struct {
    std::string output;
    std::string proposed;
  } rows[] = {{"ref: refs/heads/production\tHEAD\n" + object + "\tHEAD\n" + main + production,
               "production"},
              // HEAD of a bare repository often names a branch that was never pushed.
              {"ref: refs/heads/master\tHEAD\n" + main, "main"},
              {main, "main"},
              {main + production, ""},
              {"", ""}};
  for (const auto& row : rows) {
    EXPECT_EQ(parse_remote_refs(row.output).default_branch, row.proposed) << row.output;
  }
  EXPECT_EQ(parse_remote_refs(rows[0].output).branches(),
            (std::vector<std::string>{"main", "production"}));
}

TEST(InitStackFile, ProposesTheRepositorysName) {
  const std::pair<const char*, const char*> rows[] = {
      {"git@github.com:acme/Shop.git", "shop"}, {"https://github.com/acme/my.shop/", "my-shop"},
      {"/srv/git/shop_2.git", "shop_2"},        {"git@host:shop", "shop"},
      {"https://host/acme/.github", "github"},  {"/srv/git/___", ""}};
  for (const auto& [url, name] : rows) EXPECT_EQ(propose_name(url), name) << url;
}

TEST(InitStackFile, FindsComposeFilesNearestToTheRootFirst) {
  EXPECT_EQ(compose_files_of({"README.md", "deploy/compose.yaml", "compose.prod.yml",
                              "docker-compose.yml", "decompose.yml", "compose.yaml.bak",
                              "docs/composer.json", "docker-compose-prod.yaml"}),
            (std::vector<std::string>{"compose.prod.yml", "docker-compose.yml",
                                      "docker-compose-prod.yaml", "deploy/compose.yaml"}));
}

TEST(InitStackFile, ProposesWhatAServerRuns) {
  const std::string alone = "services: {web: {image: nginx}, api: {build: .}}\n";
  const std::string addition = "services: {web: {image: nginx}, api: {restart: always}}\n";
  const struct {
    std::vector<std::string> files;
    std::map<std::string, std::string> texts;
    std::vector<std::string> proposed;
  } rows[] = {{{}, {}, {}},
              {{"docker-compose.yml"}, {}, {"docker-compose.yml"}},
              {{"docker-compose.yml", "compose.yaml"}, {}, {"compose.yaml"}},
              {{"docker-compose.yml", "docker-compose.dev.yml"}, {}, {"docker-compose.yml"}},
              {{"docker-compose.yml", "docker-compose.prod.yml"},
               {{"docker-compose.prod.yml", alone}},
               {"docker-compose.prod.yml"}},
              {{"docker-compose.yml", "docker-compose.prod.yml"},
               {{"docker-compose.prod.yml", addition}},
               {"docker-compose.yml", "docker-compose.prod.yml"}},
              {{"docker-compose.prod.yml"},
               {{"docker-compose.prod.yml", addition}},
               {"docker-compose.prod.yml"}},
              {{"compose.yaml", "compose.production.yaml"},
               {{"compose.production.yaml", "services: [broken"}},
               {"compose.production.yaml"}},
              {{"deploy/compose.yaml"}, {}, {"deploy/compose.yaml"}}};
  for (const auto& row : rows) {
    EXPECT_EQ(propose_compose(row.files, row.texts), row.proposed) << join(row.files, " ");
  }
}

TEST(InitStackFile, KnowsTheKeysOfAnExampleEnvFile) {
  EXPECT_EQ(env_keys("# A comment=x\nSECRET_KEY=\n\nexport DEBUG = 0\nnot a line\n=x\nURL=a=b\n"),
            (std::vector<std::string>{"SECRET_KEY", "DEBUG", "URL"}));
}

// What is written reads back as it was meant, whatever the texts are.
TEST(InitStackFile, WritesWhatTheLoaderReads) {
  std::vector<Finding> none;
  std::vector<StackSettings> rows(
      5, parse_stack("git: {url: /srv/git/shop.git}\n", "/x/stacks.d/shop.yaml", none));
  rows[1].git.ref = "v*";
  rows[1].directory = "/home/ubuntu/app";
  rows[1].compose = {"docker-compose.yml", "docker-compose.prod.yml"};
  rows[2].git.ref = "yes";
  rows[2].git.url = "/srv/a \"quoted\" # folder: {x}";
  rows[2].compose = {"a, b.yaml"};
  rows[3].git.ref = "1.10";
  rows[3].git.url = "https://git.example.com:8443/~acme/shop.git";
  rows[4].git.ref = "true";
  rows[4].directory = "/srv/true #x";
  for (const StackSettings& stack : rows) {
    const std::string text = stack_file_text(stack);
    std::vector<Finding> findings;
    const StackSettings read = parse_stack(text, "/x/stacks.d/shop.yaml", findings);
    ASSERT_TRUE(findings.empty()) << text << to_string(findings.front());
    EXPECT_EQ(read, stack) << text;
  }
}

TEST(InitStackFile, LeavesOutDefaults) {
  StackSettings stack;
  stack.name = "shop";
  stack.directory = "/srv/shop";
  stack.git.url = "git@github.com:acme/shop.git";
  stack.git.key = "/etc/trimtab/keys/shop";
  stack.git.known_hosts = "/etc/trimtab/known_hosts";
  const std::string text = stack_file_text(stack);
  EXPECT_EQ(text.find("known_hosts"), std::string::npos) << text;
  EXPECT_NE(text.find("  # ref: main\n"), std::string::npos) << text;
  EXPECT_NE(text.find("# directory: /srv/shop\n"), std::string::npos) << text;
  EXPECT_NE(text.find("  key: /etc/trimtab/keys/shop\n"), std::string::npos) << text;
  stack.git.known_hosts = "/opt/trimtab/known_hosts";
  EXPECT_NE(stack_file_text(stack).find("  known_hosts: /opt/trimtab/known_hosts\n"),
            std::string::npos);
}

TEST(InitOptions, EachQuestionHasAnOption) {
  const char* const argv[] = {"trimtab",   "init",         "--url",       "git@host:shop.git",
                              "--name",    "shop",         "--ref",       "v*",
                              "--compose", "a.yaml",       "--compose",   "b.yaml",
                              "--key",     "/k",           "--directory", "/srv/x",
                              "-y",        "--config-dir", "/c",          "--host-fingerprint",
                              "SHA256:x",  "--token-file", "/t"};
  const auto parsed = parse_options(static_cast<int>(std::size(argv)), argv);
  ASSERT_TRUE(std::holds_alternative<Options>(parsed));
  const Options& options = std::get<Options>(parsed);
  EXPECT_EQ(options.action, Action::init);
  EXPECT_EQ(options.config_dir, "/c");
  EXPECT_EQ(options.init.url, "git@host:shop.git");
  EXPECT_EQ(options.init.name, "shop");
  EXPECT_EQ(options.init.ref, "v*");
  EXPECT_EQ(options.init.compose, (std::vector<std::string>{"a.yaml", "b.yaml"}));
  EXPECT_EQ(options.init.key, "/k");
  EXPECT_EQ(options.init.directory, "/srv/x");
  EXPECT_EQ(options.init.host_fingerprint, "SHA256:x");
  EXPECT_EQ(options.init.token_file, "/t");
  EXPECT_TRUE(options.init.yes);
}

}  // namespace
}  // namespace trimtab::cli
