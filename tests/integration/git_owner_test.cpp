// What the owner of a live directory may put there to have root write elsewhere.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <thread>

#include "agent/git/git_program.hpp"
#include "tests/lib/directory_snapshot.hpp"
#include "tests/lib/git_servers.hpp"

namespace trimtab {
namespace {

namespace fs = std::filesystem;
using test::await;
using test::Developer;
using test::git;
using test::put;
using test::snapshot;
using test::TemporaryFolder;

constexpr uid_t owner = 1000;

std::string content(const fs::path& path) {
  const auto text = read_file(path);
  return text ? *text : "(" + text.error().message + ")";
}

class GitOwner : public testing::Test {
 protected:
  GitOwner() {
    put(developer / "compose.yaml", "1");
    put(developer / "conf/nginx.conf", "one\n");
    put(developer / "conf/mime.types", "one\n");
    put(developer / "gone/file", "x");
    first = developer.push("one");
    put(developer / "compose.yaml", "2");
    put(developer / "conf/nginx.conf", "two\n");
    put(developer / "conf/mime.types", "two\n");
    put(developer / "conf/new/file", "n");
    fs::permissions(developer / "conf/mime.types", fs::perms(0755));
    fs::remove_all(developer / "gone");
    second = developer.push("two");
    // Of root, and of the same names.
    put(victim / "nginx.conf", "theirs");
    put(victim / "mime.types", "theirs");
    put(victim / "file", "theirs");
    put(victim / "HEAD", "ref: refs/heads/production\n");
    put(victim / "config", "[core]\n\tbare = false\n");
    put(victim / "heads/production", first + "\n");
    fs::create_directories(victim / "pack");
    fs::create_directories(victim / "objects/pack");
    fs::create_directories(victim / "refs");
  }

  GitProgram program() {
    GitAccess access;
    access.url = developer.bare().string();
    return {access, "production", folder / "state/repo.git", folder / "state"};
  }
  // A clone at the first commit; what is in it belongs to its owner.
  void clone() {
    fs::remove_all(live);
    fs::remove_all(folder / "state");
    git(folder.path(), {"clone", "-q", developer.bare().string(), live.string()});
    git(live, {"reset", "-q", "--hard", first});
    give(live);
  }
  static void give(const fs::path& path) {
    if (::geteuid() != 0) return;
    ASSERT_EQ(::lchown(path.c_str(), owner, owner), 0);
    for (const auto& entry : fs::recursive_directory_iterator(path)) {
      ASSERT_EQ(::lchown(entry.path().c_str(), owner, owner), 0);
    }
  }
  Result<SwitchReport> bring() {
    auto repository = program();
    const auto tip = await(repository.resolve_ref());
    if (!tip) return tip.error();
    if (const auto fetched = await(repository.fetch(*tip)); !fetched) return fetched.error();
    std::vector<std::string> in_place = {"conf/nginx.conf", "conf/mime.types"};
    return await(repository.checkout_live(live, first, second, in_place, folder / "state/saved"));
  }
  // In place of whatever is there, a link of the directory's owner.
  void link(const fs::path& relative, const fs::path& target) {
    fs::remove_all(live / relative);
    fs::create_directories((live / relative).parent_path());
    fs::create_symlink(target, live / relative);
    if (::geteuid() == 0) {
      EXPECT_EQ(::lchown((live / relative).c_str(), owner, owner), 0);
    }
  }

  TemporaryFolder folder;
  Developer developer{folder / "work", folder / "shop.git"};
  fs::path live = folder / "srv/shop";
  fs::path victim = folder / "root";
  std::string first;
  std::string second;
};

TEST_F(GitOwner, LeadsNoWriteInTheCloneElsewhere) {
  using Links = std::vector<std::pair<const char*, const char*>>;
  const Links rows[] = {
      {{".git/index", "file"},
       {".git/index.lock", "file"},
       {".git/index.trimtab", "file"},
       {".git/.trimtab.tmp", "file"},
       {".git/logs/HEAD", "file"},
       {".git/logs/refs/heads/production", "file"},
       {".git/config.lock", "file"},
       {".git/packed-refs.lock", "file"}},
      {{".git/logs", "heads"}, {".git/packed-refs", "file"}},
      {{".git/objects", "objects"}},
      {{".git/objects/pack", "pack"}},
      {{".git/refs", "refs"}},
      {{".git/refs/heads", "heads"}},
      {{".git/refs/heads/production", "heads/production"}, {".git/HEAD.lock", "file"}},
      {{".git/refs/heads/production", "file"}},
      {{".git/refs/heads/production.lock", "absent"}},
      {{".git/refs/remotes/origin", "heads"}},
      {{".git/refs/trimtab", "heads"}},
      {{".git/HEAD", "HEAD"}, {".git/config", "config"}},
      {{".git/HEAD", "absent"}},
      {{".git", ""}},
      {{".git", "absent"}},
      {{".trimtab-new", "pack"}},
  };
  for (const Links& links : rows) {
    clone();
    const std::string name = links.front().first;
    if (name == ".trimtab-new") fs::remove_all(live / ".git");
    for (const auto& [path, target] : links) link(path, victim / target);
    const auto before = snapshot(victim);
    // The files are what is deployed; the state of the clone is for people.
    const auto report = bring();
    EXPECT_TRUE(report) << name << ": " << report.error().text();
    EXPECT_EQ(content(live / "compose.yaml"), "2") << name;
    EXPECT_EQ(snapshot(victim), before) << name << " -> " << links.front().second;
  }
}

TEST_F(GitOwner, LeadsNoFileOfTheCheckoutElsewhere) {
  const struct {
    const char* name;
    std::function<void()> prepare;
  } rows[] = {
      {"parent of mounted files", [this] { link("conf", victim); }},
      {"parent of a new file", [this] { link("conf/new", victim); }},
      {"a mounted file", [this] { link("conf/nginx.conf", victim / "nginx.conf"); }},
      {"a second name of a mounted file",
       [this] {
         fs::remove(live / "conf/nginx.conf");
         fs::create_hard_link(victim / "nginx.conf", live / "conf/nginx.conf");
       }},
      {"a second name of a file",
       [this] {
         fs::remove(live / "compose.yaml");
         fs::create_hard_link(victim / "file", live / "compose.yaml");
       }},
      {"parent of what is removed", [this] { link("gone", victim); }},
      {"temporary file", [this] { link("conf/.trimtab.tmp", victim / "file"); }},
      {"the directory itself",
       [this] {
         fs::remove_all(live);
         fs::create_directory_symlink(victim, live);
         EXPECT_EQ(::lchown(live.c_str(), owner, owner), 0);
       }},
      {"the directory's parent",
       [this] {
         fs::remove_all(live.parent_path());
         fs::create_directory_symlink(victim, live.parent_path());
         EXPECT_EQ(::lchown(live.parent_path().c_str(), owner, owner), 0);
       }},
  };
  for (const auto& row : rows) {
    clone();
    row.prepare();
    const auto before = snapshot(victim);
    static_cast<void>(bring());
    std::error_code ignored;
    for (const char* const file : {"conf/nginx.conf", "compose.yaml"}) {
      if (fs::is_symlink(live) || fs::is_symlink(live / "conf")) continue;
      fs::remove(live / file, ignored);  // a second name would be one more in the next row
    }
    EXPECT_EQ(snapshot(victim), before) << row.name;
    fs::remove_all(live, ignored);
    if (fs::is_symlink(live.parent_path())) fs::remove(live.parent_path());
  }
}

// Between the moment that a path is compared and the one that it is written.
TEST_F(GitOwner, IsNotQuickerThanASwitch) {
  const auto before = snapshot(victim);
  for (int i = 0; i < 4; ++i) {
    clone();
    link("exchanged", victim);
    std::atomic<bool> stop = false;
    std::thread attacker([&] {
      while (!stop) {
        ::syscall(SYS_renameat2, AT_FDCWD, (live / "conf").c_str(), AT_FDCWD,
                  (live / "exchanged").c_str(), 2U /* RENAME_EXCHANGE */);
      }
    });
    static_cast<void>(bring());
    stop = true;
    attacker.join();
    EXPECT_EQ(snapshot(victim), before) << i;
  }
}

// Git says what it has read there when it complains of anything.
TEST_F(GitOwner, IsToldNothingOfFilesThatTheCloneLeadsTo) {
  put(victim / "shadow", "root:$y$secret:20000:0:99999:7:::\n");
  for (const char* const file :
       {".git/objects/info/alternates", ".git/objects/info/commit-graph", ".git/info/attributes",
        ".git/info/grafts", ".git/shallow", ".git/packed-refs", ".git/config"}) {
    clone();
    // A commit that cannot be read, so that there is something to complain of.
    put(live / "conf/nginx.conf", "mine\n");
    git(live, {"commit", "-q", "-a", "-m", "mine"});
    const std::string folder_of_it = git(live, {"rev-parse", "HEAD:conf"});
    fs::remove(live / ".git/objects" / folder_of_it.substr(0, 2) / folder_of_it.substr(2));
    link(file, victim / "shadow");
    const auto report = bring();
    const std::string told = report ? std::string() : report.error().text();
    EXPECT_EQ(told.find("secret"), std::string::npos) << file << ": " << told;
    EXPECT_TRUE(file != std::string_view(".git/objects/info/alternates") || !report);
  }
}

// A file of the host that the clone's settings or objects name is read at most, and shown to
// nobody.
TEST_F(GitOwner, StartsNoProgramByTheSettingsOfTheClone) {
  clone();
  const std::string trap = "touch " + (folder / "trapped").string();
  put(folder / "more.config",
      "[core]\n\tfsmonitor = " + trap + "\n\thooksPath = " + (folder / "hooks").string() +
          "\n\tsshCommand = " + trap + "\n\tpager = " + trap + "\n[alias]\n\trev-parse = !" + trap +
          "\n[filter \"lfs\"]\n\tsmudge = " + trap + "\n\tprocess = " + trap + "\n");
  put(folder / "hooks/reference-transaction", "#!/bin/sh\n" + trap + "\n");
  fs::permissions(folder / "hooks/reference-transaction", fs::perms(0755));
  put(live / ".git/info/attributes", "* filter=lfs\n");
  git(live, {"config", "include.path", (folder / "more.config").string()});
  ASSERT_TRUE(bring());
  EXPECT_FALSE(fs::exists(folder / "trapped"));
  EXPECT_EQ(content(live / "compose.yaml"), "2");
  fs::remove(live / ".git/info/attributes");
  git(live, {"config", "--unset", "include.path"});
  EXPECT_EQ(git(live, {"rev-parse", "HEAD"}), second);
  EXPECT_EQ(git(live, {"status", "--porcelain"}), "");
}

}  // namespace
}  // namespace trimtab
