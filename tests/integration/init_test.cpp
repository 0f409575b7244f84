// `trimtab init` as people run it: the program, real repositories, a real sshd and web server.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <pty.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/config/load.hpp"
#include "tests/lib/git_servers.hpp"

namespace trimtab {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using test::await;
using test::Developer;
using test::git;
using test::GitServers;
using test::put;
using test::TemporaryFolder;

constexpr const char* production_file = "services: {web: {image: 'nginx:1.27'}}\n";

std::string program() {
  return fs::read_symlink("/proc/self/exe").parent_path() / "trimtab";
}

std::string content(const fs::path& path) {
  const auto text = read_file(path);
  return text ? *text : "(" + text.error().message + ")";
}

unsigned mode_of(const fs::path& path) {
  struct stat info {};
  EXPECT_EQ(::lstat(path.c_str(), &info), 0) << path;
  return info.st_mode & 07777U;
}

class Init : public testing::Test {
 protected:
  Init() {
    put(developer / "docker-compose.prod.yml", production_file);
    put(developer / "docker-compose.yml", "services: {web: {build: .}}\n");
    put(developer / ".env.example", "SECRET_KEY=\nDATABASE_URL=\n");
    put(developer / "large.bin", std::string(1024 * 1024, 'x'));
    developer.push("first");
  }

  std::vector<std::string> command_line(const std::vector<std::string>& options) const {
    std::vector<std::string> argv = {program(), "init", "--config-dir", config.string()};
    argv.insert(argv.end(), options.begin(), options.end());
    return argv;
  }
  Exit init(const std::vector<std::string>& options) const {
    Command command;
    command.argv = command_line(options);
    command.environment = minimal_environment();
    command.environment["TMPDIR"] = temporary.string();
    const auto exit = await(run(std::move(command)));
    EXPECT_TRUE(exit) << exit.error().text();
    return exit ? *exit : Exit{};
  }
  // Nothing is left of what was needed for a while only.
  [[nodiscard]] bool is_tidy() const { return fs::is_empty(temporary); }

  fs::path make_temporary() {
    fs::create_directories(folder / "tmp");
    return folder / "tmp";
  }

  TemporaryFolder folder;
  fs::path temporary = make_temporary();
  fs::path config = folder / "conf";
  Developer developer{folder / "work", folder / "repos/shop.git"};
};

TEST_F(Init, WritesAStackFileThatTheLoaderTakes) {
  const std::string url = developer.bare().string();
  const Exit exit = init({"--url", url, "--yes", "--directory", (folder / "live").string()});
  ASSERT_EQ(exit.code, 0) << exit.err;
  const LoadResult loaded = load_config(config);
  ASSERT_TRUE(loaded.ok()) << to_string(loaded.findings.front());
  ASSERT_EQ(loaded.stacks.size(), 1U);
  const StackSettings& stack = loaded.stacks.front();
  EXPECT_EQ(stack.name, "shop");
  EXPECT_EQ(stack.git.url, url);
  EXPECT_EQ(stack.git.ref, "production");
  EXPECT_EQ(stack.directory, folder / "live");
  EXPECT_EQ(stack.compose, std::vector<std::string>{"docker-compose.prod.yml"});
  EXPECT_NE(exit.out.find(".env (chmod 600) after .env.example, with SECRET_KEY, DATABASE_URL"),
            std::string::npos)
      << exit.out;
  EXPECT_NE(exit.out.find("trimtab status shop --watch"), std::string::npos) << exit.out;
  EXPECT_TRUE(is_tidy());
}

TEST_F(Init, FollowsTagsAndTakesTheComposeFilesThatAreNamed) {
  git(developer.work(), {"push", "-q", "origin", "HEAD:refs/tags/v1.0"});
  const Exit exit = init({"--url", developer.bare().string(), "--ref", "v*", "--compose",
                          "docker-compose.yml", "--compose", "docker-compose.prod.yml", "--yes"});
  ASSERT_EQ(exit.code, 0) << exit.err;
  const LoadResult loaded = load_config(config);
  ASSERT_EQ(loaded.stacks.size(), 1U);
  EXPECT_EQ(loaded.stacks[0].git.ref, "v*");
  EXPECT_EQ(loaded.stacks[0].compose,
            (std::vector<std::string>{"docker-compose.yml", "docker-compose.prod.yml"}));
}

TEST_F(Init, WithoutATerminalItNamesTheOptionThatIsMissing) {
  const std::string url = developer.bare().string();
  const struct {
    std::vector<std::string> options;
    std::string says;
  } rows[] = {
      {{}, "--url is missing, and there is no terminal to ask on; use --url"},
      {{"--yes"}, "--url is missing"},
      {{"--url", url},
       "--name is missing, and there is no terminal to ask on; use --name, or --yes to accept "
       "\"shop\""},
      {{"--url", url, "--name", "shop"}, "--ref is missing"},
      {{"--url", url, "--name", "shop", "--ref", "production"}, "--compose is missing"},
      {{"--url", url, "--name", "shop", "--ref", "production", "--compose", "docker-compose.yml"},
       "--directory is missing"},
  };
  for (const auto& row : rows) {
    const Exit exit = init(row.options);
    EXPECT_EQ(exit.code, 2) << row.says;
    EXPECT_NE(exit.err.find(row.says), std::string::npos) << exit.err;
    EXPECT_EQ(exit.err.find('\n'), exit.err.size() - 1) << exit.err;
  }
  EXPECT_FALSE(fs::exists(config / "stacks.d/shop.yaml"));
}

TEST_F(Init, SaysWhatIsWrongWithAnAnswer) {
  const std::string url = developer.bare().string();
  const struct {
    std::vector<std::string> options;
    int code;
    std::string says;
  } rows[] = {
      {{"--url", "shop"}, 2, "--url: expected the address of a repository"},
      {{"--url", url, "--name", "My Shop"}, 2, "--name: a name is lower-case letters"},
      {{"--url", url, "--ref", "prodction"},
       2,
       "--ref: the repository has no branch prodction; it has production (did you mean "
       "production?)"},
      {{"--url", url, "--ref", "v*"}, 2, "--ref: the repository has no tag that matches v*"},
      {{"--url", url, "--compose", "docker-compose.prd.yml"},
       2,
       "--compose: production has no file docker-compose.prd.yml (did you mean "
       "docker-compose.prod.yml?)"},
      {{"--url", url, "--directory", "live"}, 2, "--directory: use an absolute path"},
      {{"--url", url, "--key", "/k"}, 2, "--key and --host-fingerprint are only for SSH"},
      {{"--url", url, "--token-file", "/t"}, 2, "--token-file is only for https urls"},
      {{"--url", "/nowhere/shop.git"}, 1, "there is no repository at /nowhere/shop.git"},
      {{"--url", "http://127.0.0.1:1/shop.git"}, 1, "then run this again"},
  };
  for (const auto& row : rows) {
    std::vector<std::string> options = row.options;
    options.emplace_back("--yes");
    const Exit exit = init(options);
    EXPECT_EQ(exit.code, row.code) << row.says;
    EXPECT_NE(exit.err.find(row.says), std::string::npos) << exit.err;
  }
  EXPECT_FALSE(fs::exists(config / "stacks.d/shop.yaml"));
  EXPECT_TRUE(is_tidy());
}

TEST_F(Init, NeverOverwritesAStackFile) {
  put(config / "stacks.d/shop.yaml", "mine\n");
  const Exit exit = init({"--url", developer.bare().string(), "--yes"});
  EXPECT_EQ(exit.code, 2);
  EXPECT_NE(exit.err.find("already exists and is not changed"), std::string::npos) << exit.err;
  EXPECT_EQ(content(config / "stacks.d/shop.yaml"), "mine\n");
}

TEST_F(Init, EachStackHasADirectoryOfItsOwn) {
  put(config / "stacks.d/old.yaml", "git: {url: /srv/git/old.git}\ndirectory: /srv/shop\n");
  const Exit exit = init({"--url", developer.bare().string(), "--yes"});
  EXPECT_EQ(exit.code, 2);
  EXPECT_NE(exit.err.find("--directory: /srv/shop is used by the stack old"), std::string::npos)
      << exit.err;
}

TEST_F(Init, SaysThatARepositoryIsEmptyOrHasNoComposeFile) {
  git(developer.work(), {"rm", "-q", "--cached", "docker-compose.yml", "docker-compose.prod.yml"});
  fs::remove(developer / "docker-compose.yml");
  fs::remove(developer / "docker-compose.prod.yml");
  developer.push("none");
  Exit exit = init({"--url", developer.bare().string(), "--yes"});
  EXPECT_EQ(exit.code, 2);
  EXPECT_NE(exit.err.find("has no compose file; push one"), std::string::npos) << exit.err;

  git(developer.work(), {"push", "-q", "origin", ":production"});
  exit = init({"--url", developer.bare().string(), "--yes"});
  EXPECT_EQ(exit.code, 1);
  EXPECT_NE(exit.err.find("is empty; push a branch"), std::string::npos) << exit.err;
}

// Over SSH and HTTP, with servers that this test starts.
class InitOnServers : public Init {
 protected:
  InitOnServers() { fs::create_symlink(developer.bare(), served / "shop.git"); }

  std::string ssh_url() { return servers["SSH"] + "/shop.git"; }
  // "SHA256:…" of a public key.
  static std::string fingerprint(const fs::path& key) {
    Command command;
    command.argv = {"ssh-keygen", "-lf", key.string()};
    command.environment = minimal_environment();
    const auto exit = await(run(std::move(command)));
    return split(exit->out, ' ').at(1);
  }
  std::string host_fingerprint() { return fingerprint(folder / "servers/host_key.pub"); }
  void authorize(const fs::path& public_key) const {
    std::ofstream(folder / "servers/authorized_keys", std::ios::app) << content(public_key);
  }

  GitServers servers{folder / "servers"};
  fs::path served = servers["REPOS"];
};

TEST_F(InitOnServers, MakesAKeyAndGoesOnWithItOnceItIsAuthorized) {
  const std::vector<std::string> options = {"--url", ssh_url(), "--host-fingerprint",
                                            host_fingerprint(), "--yes"};
  Exit exit = init(options);
  EXPECT_EQ(exit.code, 1);
  const std::string key = content(config / "keys/shop");
  const std::string public_key = content(config / "keys/shop.pub");
  EXPECT_TRUE(public_key.starts_with("ssh-ed25519 ")) << public_key;
  EXPECT_EQ(mode_of(config / "keys/shop"), 0600U);
  EXPECT_EQ(mode_of(config / "keys"), 0700U);
  EXPECT_NE(exit.out.find(trim(public_key)), std::string::npos) << exit.out;
  EXPECT_NE(exit.out.find("authorized_keys"), std::string::npos) << exit.out;
  EXPECT_NE(exit.err.find("refuses the SSH key"), std::string::npos) << exit.err;
  EXPECT_NE(exit.err.find("then run this again"), std::string::npos) << exit.err;
  EXPECT_EQ((exit.out + exit.err).find("PRIVATE"), std::string::npos);
  EXPECT_FALSE(fs::exists(config / "stacks.d/shop.yaml"));
  const std::string known_hosts = content(config / "known_hosts");

  authorize(config / "keys/shop.pub");
  exit = init(options);
  ASSERT_EQ(exit.code, 0) << exit.err;
  EXPECT_EQ(content(config / "keys/shop"), key);
  EXPECT_EQ(content(config / "known_hosts"), known_hosts);
  const LoadResult loaded = load_config(config);
  ASSERT_TRUE(loaded.ok() && loaded.findings.empty()) << to_string(loaded.findings.front());
  ASSERT_EQ(loaded.stacks.size(), 1U);
  EXPECT_EQ(loaded.stacks[0].git.key, config / "keys/shop");
  EXPECT_EQ(loaded.stacks[0].git.known_hosts, config / "known_hosts");
  EXPECT_TRUE(is_tidy());
}

TEST_F(InitOnServers, TakesAKeyThatIsThere) {
  const Exit exit = init({"--url", ssh_url(), "--host-fingerprint", host_fingerprint(), "--key",
                          servers["SSH_KEY"], "--yes"});
  ASSERT_EQ(exit.code, 0) << exit.err;
  EXPECT_FALSE(fs::exists(config / "keys"));
  EXPECT_EQ(load_config(config).stacks.at(0).git.key, servers["SSH_KEY"]);
}

TEST_F(InitOnServers, RefusesAKeyWithAPassphrase) {
  const fs::path key = folder / "locked";
  Command command;
  command.argv = {"ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", key.string()};
  command.environment = minimal_environment();
  ASSERT_TRUE(await(run(std::move(command))));
  const Exit exit = init({"--url", ssh_url(), "--host-fingerprint", host_fingerprint(), "--key",
                          key.string(), "--yes"});
  EXPECT_EQ(exit.code, 2);
  EXPECT_NE(exit.err.find("cannot be used as a deploy key"), std::string::npos) << exit.err;
  EXPECT_NE(exit.err.find("without a passphrase"), std::string::npos) << exit.err;
}

TEST_F(InitOnServers, AnUnknownHostIsRefusedUntilItsFingerprintIsGiven) {
  Exit exit = init({"--url", ssh_url(), "--yes"});
  EXPECT_EQ(exit.code, 1);
  EXPECT_NE(exit.err.find(host_fingerprint() + " (ed25519)"), std::string::npos) << exit.err;
  EXPECT_NE(exit.err.find("--host-fingerprint"), std::string::npos) << exit.err;

  const std::string other = fingerprint(folder / "servers/other_host_key.pub");
  exit = init({"--url", ssh_url(), "--yes", "--host-fingerprint", other});
  EXPECT_EQ(exit.code, 1);
  EXPECT_NE(exit.err.find("are not " + other), std::string::npos) << exit.err;
  EXPECT_FALSE(fs::exists(config / "known_hosts"));
  EXPECT_FALSE(fs::exists(config / "keys"));
}

TEST_F(InitOnServers, AHostThatIsPinnedOtherwiseIsNotTalkedTo) {
  fs::create_directories(config);
  fs::copy_file(servers["KNOWN_HOSTS_OTHER"], config / "known_hosts");
  Exit exit = init({"--url", ssh_url(), "--yes", "--key", servers["SSH_KEY"]});
  EXPECT_EQ(exit.code, 1);
  EXPECT_NE(exit.err.find("differs from the one pinned in " + (config / "known_hosts").string()),
            std::string::npos)
      << exit.err;
  exit = init({"--url", ssh_url(), "--yes", "--host-fingerprint", host_fingerprint()});
  EXPECT_EQ(exit.code, 1);
  EXPECT_NE(exit.err.find("pins another SSH host key"), std::string::npos) << exit.err;
}

TEST_F(InitOnServers, AddsToAKnownHostsFileWithoutHarmingItsLastLine) {
  const std::string before = "other.example.com ssh-ed25519 AAAA";
  put(config / "known_hosts", before);
  const Exit exit = init({"--url", ssh_url(), "--yes", "--key", servers["SSH_KEY"],
                          "--host-fingerprint", host_fingerprint()});
  ASSERT_EQ(exit.code, 0) << exit.err;
  EXPECT_TRUE(content(config / "known_hosts").starts_with(before + "\n[127.0.0.1]:"))
      << content(config / "known_hosts");
}

TEST_F(InitOnServers, ReadsAPrivateRepositoryWithATokenThatItNeverShows) {
  const std::string url = servers["HTTP_PRIVATE"] + "/shop.git";
  Exit exit = init({"--url", url, "--yes"});
  EXPECT_EQ(exit.code, 1);
  EXPECT_NE(exit.err.find("use --token-file"), std::string::npos) << exit.err;

  exit = init({"--url", url, "--yes", "--token-file", (folder / "token").string()});
  EXPECT_EQ(exit.code, 2);
  EXPECT_NE(exit.err.find("--token-file"), std::string::npos) << exit.err;

  put(folder / "token", servers["TOKEN"] + "\n");
  fs::permissions(folder / "token", fs::perms::owner_read | fs::perms::owner_write);
  exit = init({"--url", url, "--yes", "--token-file", (folder / "token").string()});
  ASSERT_EQ(exit.code, 0) << exit.err;
  EXPECT_EQ(load_config(config).stacks.at(0).git.token_file, folder / "token");
  EXPECT_EQ((exit.out + exit.err).find(servers["TOKEN"]), std::string::npos);
  EXPECT_EQ(content(config / "stacks.d/shop.yaml").find(servers["TOKEN"]), std::string::npos);
}

// The program on a terminal of its own.
class Person {
 public:
  Person(std::vector<std::string> argv, const fs::path& temporary) {
    const std::string variable = "TMPDIR=" + temporary.string();
    const winsize size{50, 200, 0, 0};
    pid_ = ::forkpty(&terminal_, nullptr, nullptr, &size);
    if (pid_ < 0) throw std::runtime_error("forkpty failed");
    if (pid_ != 0) return;
    ::putenv(const_cast<char*>(variable.c_str()));  // NOLINT: of the child, which execs
    std::vector<char*> arguments;
    for (std::string& argument : argv) arguments.push_back(argument.data());
    arguments.push_back(nullptr);
    ::execv(arguments.front(), arguments.data());
    ::_exit(127);
  }
  Person(const Person&) = delete;
  Person& operator=(const Person&) = delete;
  ~Person() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    ::close(terminal_);
  }

  // Reads until the words have appeared after what was read before; false at the end or after 30 s.
  bool sees(const std::string& words) {
    const auto deadline = SteadyClock::now() + 30s;
    while (true) {
      const auto at = shown_.find(words, seen_);
      if (at != std::string::npos) {
        seen_ = at + words.size();
        return true;
      }
      if (SteadyClock::now() > deadline || !read_more()) return false;
    }
  }
  void types(const std::string& text) const {
    ASSERT_EQ(::write(terminal_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  // Its exit code, 128 + signal where one ended it.
  int ends() {
    while (read_more()) {
    }
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
  [[nodiscard]] const std::string& shown() const { return shown_; }

 private:
  bool read_more() {
    pollfd ready{terminal_, POLLIN, 0};
    if (::poll(&ready, 1, 30000) != 1) return false;
    char buffer[4096];
    const ssize_t count = ::read(terminal_, buffer, sizeof buffer);
    if (count <= 0) return false;
    shown_.append(buffer, static_cast<std::size_t>(count));
    return true;
  }

  int terminal_ = -1;
  pid_t pid_ = -1;
  std::string shown_;
  std::size_t seen_ = 0;
};

TEST_F(InitOnServers, AsksAPersonAndAsksAgainWhereAnAnswerIsWrong) {
  developer.push("first", "staging");
  Person person(command_line({"--directory", (folder / "live").string()}), temporary);
  ASSERT_TRUE(person.sees("Git repository, as for git clone: ")) << person.shown();
  person.types("ftp://example.com/shop\n");
  ASSERT_TRUE(person.sees("only https://")) << person.shown();
  ASSERT_TRUE(person.sees("Git repository, as for git clone: ")) << person.shown();
  person.types(ssh_url() + "\n");
  ASSERT_TRUE(person.sees("Name of the stack [shop]: ")) << person.shown();
  person.types("\n");
  ASSERT_TRUE(person.sees(host_fingerprint())) << person.shown();
  ASSERT_TRUE(person.sees("(yes/no): ")) << person.shown();
  person.types("yes\n");
  ASSERT_TRUE(person.sees("Press Enter")) << person.shown();
  // Too early: the server does not know the key yet.
  person.types("\n");
  ASSERT_TRUE(person.sees("refuses the SSH key")) << person.shown();
  ASSERT_TRUE(person.sees("Press Enter")) << person.shown();
  authorize(config / "keys/shop.pub");
  person.types("\n");
  ASSERT_TRUE(person.sees("Branch (or tag pattern such as v*) [production]: ")) << person.shown();
  person.types("stagin\n");
  ASSERT_TRUE(person.sees("(did you mean staging?)")) << person.shown();
  ASSERT_TRUE(person.sees("]: ")) << person.shown();
  person.types("staging\n");
  ASSERT_TRUE(person.sees("Compose files to run [docker-compose.prod.yml]: ")) << person.shown();
  person.types("docker-compose.yml, docker-compose.prod.yml\n");
  ASSERT_TRUE(person.sees("Next:")) << person.shown();
  EXPECT_EQ(person.ends(), 0) << person.shown();
  const LoadResult loaded = load_config(config);
  ASSERT_TRUE(loaded.ok()) << to_string(loaded.findings.front());
  ASSERT_EQ(loaded.stacks.size(), 1U);
  EXPECT_EQ(loaded.stacks[0].git.ref, "staging");
  EXPECT_EQ(loaded.stacks[0].compose.size(), 2U);
  EXPECT_TRUE(is_tidy());
}

TEST_F(InitOnServers, APersonWhoDoesNotConfirmTheHostPinsNothing) {
  for (const char* const answer : {"no\n", "y\n", "\n", "\x04"}) {
    Person person(command_line({"--url", ssh_url(), "--yes"}), temporary);
    ASSERT_TRUE(person.sees("(yes/no): ")) << person.shown();
    person.types(answer);
    EXPECT_NE(person.ends(), 0) << person.shown();
    EXPECT_FALSE(fs::exists(config / "known_hosts")) << person.shown();
  }
}

// Ctrl-C while a server keeps it waiting: over at once, and nothing is left.
TEST_F(Init, CtrlCEndsWaitingForAServer) {
  const UniqueFd silent(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const plain = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(::bind(silent.get(), plain, size), 0);
  ASSERT_EQ(::listen(silent.get(), 4), 0);
  ASSERT_EQ(::getsockname(silent.get(), plain, &size), 0);
  const std::string url =
      "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/shop.git";
  Person person(command_line({"--url", url, "--yes"}), temporary);
  pollfd asked{silent.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&asked, 1, 30000), 1) << "it never asked";
  const auto begun = SteadyClock::now();
  person.types("\x03");
  EXPECT_EQ(person.ends(), 130) << person.shown();
  EXPECT_LT(SteadyClock::now() - begun, 8s);
  EXPECT_TRUE(is_tidy());
}

}  // namespace
}  // namespace trimtab
