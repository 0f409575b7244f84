#include "common/confined_directory.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <thread>

#include "common/fd_io.hpp"
#include "tests/lib/directory_snapshot.hpp"
#include "tests/lib/temporary_folder.hpp"

namespace trimtab {
namespace {

namespace fs = std::filesystem;
using test::snapshot;
using test::TemporaryFolder;

std::string content(const fs::path& path) {
  const auto text = read_file(path);
  return text ? *text : "(" + text.error().message + ")";
}

void write(const fs::path& path, std::string_view text) {
  fs::create_directories(path.parent_path());
  ASSERT_TRUE(write_file_durably(path, text));
}

class Confined : public testing::Test {
 protected:
  Confined() {
    fs::create_directories(top);
    write(victim / "file", "theirs");
    write(victim / "deep/file", "theirs");
    fs::create_directories(victim / "empty");
  }
  [[nodiscard]] ConfinedDirectory directory() const { return ConfinedDirectory::open(top).value(); }

  TemporaryFolder folder;
  fs::path top = folder / "top";
  fs::path victim = folder / "victim";
};

TEST_F(Confined, WritesFilesLinksAndDirectories) {
  const auto files = directory();
  ASSERT_TRUE(files.put_file("a/b/c", "one", 0755));
  EXPECT_EQ(content(top / "a/b/c"), "one");
  EXPECT_EQ(files.status("a/b/c")->st_mode & 07777U, 0755U);
  ASSERT_TRUE(files.put_file("a/b/c", "another", 0644));
  EXPECT_EQ(content(top / "a/b/c"), "another");
  ASSERT_TRUE(files.put_link("a/link", "/etc/passwd"));
  EXPECT_EQ(fs::read_symlink(top / "a/link"), "/etc/passwd");
  ASSERT_TRUE(files.put_file("a/link", "a file", 0600));
  EXPECT_EQ(content(top / "a/link"), "a file");

  const auto before = files.status("a/b/c")->st_ino;
  const UniqueFd longer = file_in_memory("something longer");
  ASSERT_TRUE(files.rewrite_in_place("a/b/c", longer.get()));
  EXPECT_EQ(content(top / "a/b/c"), "something longer");
  const UniqueFd shorter = file_in_memory("short");
  ASSERT_TRUE(files.rewrite_in_place("a/b/c", shorter.get()));
  EXPECT_EQ(content(top / "a/b/c"), "short");
  ASSERT_TRUE(files.set_executable("a/b/c", true));
  EXPECT_EQ(files.status("a/b/c")->st_mode & 07777U, 0755U);
  EXPECT_EQ(files.status("a/b/c")->st_ino, before);

  ASSERT_TRUE(files.append("log", "1\n"));
  ASSERT_TRUE(files.append("log", "2\n"));
  EXPECT_EQ(content(top / "log"), "1\n2\n");
  ASSERT_TRUE(files.create_file("lock", "x"));
  EXPECT_EQ(files.create_file("lock", "y").error().code, Errc::conflict);
  ASSERT_TRUE(files.rename("lock", "a/ref"));
  EXPECT_EQ(content(top / "a/ref"), "x");

  // In place of directories that hold no file; never of others.
  fs::create_directories(top / "hollow/x/y");
  ASSERT_TRUE(files.put_file("hollow", "a file", 0644));
  EXPECT_FALSE(files.put_file("a", "a file", 0644));
  EXPECT_EQ(content(top / "a/ref"), "x");

  ASSERT_TRUE(files.remove("a/b/c"));
  ASSERT_TRUE(files.remove("a/b/c"));
  ASSERT_TRUE(files.remove("no/such/file"));
  files.remove_empty_directories("a/b");
  EXPECT_FALSE(fs::exists(top / "a/b"));
  EXPECT_TRUE(fs::exists(top / "a/ref"));
  ASSERT_TRUE(files.sync());
  EXPECT_EQ(files.read("none").error().code, Errc::not_found);
  EXPECT_EQ(ConfinedDirectory::open(top / "none").error().code, Errc::not_found);
}

TEST_F(Confined, TakesNoPathThatLeadsOut) {
  const auto files = directory();
  const auto before = snapshot(victim);
  for (const char* const path : {"../victim/file", "a/../../victim/file", "..", ".", "a/./b"}) {
    EXPECT_FALSE(files.put_file(path, "ours", 0644)) << path;
    EXPECT_FALSE(files.remove(path)) << path;
    EXPECT_FALSE(files.read(path)) << path;
  }
  EXPECT_FALSE(files.put_file(victim / "file", "ours", 0644));
  EXPECT_EQ(snapshot(victim), before);
}

// Every way to write, with a link of each kind in its way.
TEST_F(Confined, WritesNothingThroughALink) {
  const UniqueFd ours = file_in_memory("ours");
  const struct {
    const char* name;
    std::function<void(const ConfinedDirectory&, const fs::path&)> write;
  } ways[] = {
      {"put_file", [](const auto& to, const auto& at) { (void)!to.put_file(at, "ours", 0777); }},
      {"put_link", [](const auto& to, const auto& at) { (void)!to.put_link(at, "ours"); }},
      {"make_directories", [](const auto& to, const auto& at) { (void)!to.make_directories(at); }},
      {"create_file", [](const auto& to, const auto& at) { (void)!to.create_file(at, "ours"); }},
      {"append", [](const auto& to, const auto& at) { (void)!to.append(at, "ours"); }},
      {"remove", [](const auto& to, const auto& at) { (void)!to.remove(at); }},
      {"remove_empty_directories",
       [](const auto& to, const auto& at) { to.remove_empty_directories(at); }},
      {"set_executable",
       [](const auto& to, const auto& at) { (void)!to.set_executable(at, true); }},
      {"rewrite_in_place",
       [&](const auto& to, const auto& at) { (void)!to.rewrite_in_place(at, ours.get()); }},
      {"rename",
       [](const auto& to, const auto& at) {
         (void)!to.put_file("source", "ours", 0644);
         (void)!to.rename("source", at);
       }},
  };
  const auto before = snapshot(victim);
  for (const auto& way : ways) {
    for (const char* const path : {"parent/file", "parent/deep/file", "parent/empty", "parent/new",
                                   "file", "in/file", "hard"}) {
      fs::remove_all(top);
      fs::create_directories(top / "in");
      fs::create_directory_symlink(victim, top / "parent");
      fs::create_symlink(victim / "file", top / "file");
      fs::create_symlink("../../victim/file", top / "in/file");
      fs::create_hard_link(victim / "file", top / "hard");
      // Also where a file is written before it takes its place.
      for (const char* const parent : {"", "in"}) {
        fs::create_symlink(victim / "file", top / parent / ".trimtab.tmp");
      }
      way.write(directory(), path);
      fs::remove(top / "hard");
      EXPECT_EQ(snapshot(victim), before) << way.name << " " << path;
    }
  }
}

TEST_F(Confined, SaysThatALinkIsInTheWay) {
  fs::create_directory_symlink(victim, top / "conf");
  fs::create_symlink(victim / "file", top / "file");
  fs::create_hard_link(victim / "file", top / "hard");
  const auto files = directory();
  const auto below = files.put_file("conf/new", "ours", 0644);
  EXPECT_EQ(below.error().code, Errc::conflict);
  EXPECT_NE(below.error().message.find("conf is a symbolic link, which is not followed"),
            std::string::npos)
      << below.error().text();
  EXPECT_EQ(files.read("file").error().code, Errc::conflict);
  EXPECT_EQ(files.append("hard", "ours").error().code, Errc::conflict);
  EXPECT_EQ(files.read("conf/file").error().code, Errc::conflict);
}

// An owner who exchanges a directory for a link to another, without end.
TEST_F(Confined, IsNotOutrunByOneWhoExchangesDirectories) {
  fs::create_directories(top / "conf");
  fs::create_directory_symlink(victim, top / "exchanged");
  write(top / "conf/file", "old");
  const auto before = snapshot(victim);
  std::atomic<bool> stop = false;
  std::thread attacker([&] {
    while (!stop) {
      ::syscall(SYS_renameat2, AT_FDCWD, (top / "conf").c_str(), AT_FDCWD,
                (top / "exchanged").c_str(), 2U /* RENAME_EXCHANGE */);
    }
  });
  const auto files = directory();
  const UniqueFd ours = file_in_memory("ours");
  int written = 0;
  int refused = 0;
  for (int i = 0; i < 500 || written == 0 || refused == 0; ++i) {
    (files.put_file("conf/file", "ours", 0644) ? written : refused) += 1;
    (void)!files.put_file("conf/new/file", "ours", 0644);
    (void)!files.rewrite_in_place("conf/file", ours.get());
    (void)!files.append("conf/file", "more");
    (void)!files.set_executable("conf/file", true);
    (void)!files.remove("conf/new/file");
    files.remove_empty_directories("conf/new");
  }
  stop = true;
  attacker.join();
  EXPECT_EQ(snapshot(victim), before);
}

TEST_F(Confined, GivesWhatItMakesToTheOwnerOfTheDirectory) {
  if (::geteuid() != 0) return;  // only root can give files away
  constexpr uid_t owner = 1000;
  write(top / "theirs", "root's own");
  ASSERT_EQ(::lchown(top.c_str(), owner, owner), 0);
  const auto files = directory();
  ASSERT_TRUE(files.put_file("new/file", "x", 0644));
  ASSERT_TRUE(files.put_link("new/link", "/etc/passwd"));
  ASSERT_TRUE(files.create_file("made", "x"));
  for (const char* const path : {"new", "new/file", "new/link", "made"}) {
    EXPECT_EQ(files.status(path)->st_uid, owner) << path;
    EXPECT_EQ(files.status(path)->st_gid, owner) << path;
  }
  EXPECT_EQ(files.status("theirs")->st_uid, 0U);
}

TEST_F(Confined, IsOpenedThroughLinksOfRootAlone) {
  fs::create_directory_symlink("top", folder / "link");
  EXPECT_TRUE(ConfinedDirectory::open(folder / "link"));
  EXPECT_TRUE(ConfinedDirectory::make(folder / "link/made/deep"));
  EXPECT_TRUE(fs::is_directory(top / "made/deep"));
  if (::geteuid() != 0) return;
  ASSERT_EQ(::lchown((folder / "link").c_str(), 1000, 1000), 0);
  for (const fs::path& path : {folder / "link", folder / "link/made"}) {
    const auto opened = ConfinedDirectory::open(path);
    ASSERT_FALSE(opened) << path;
    EXPECT_EQ(opened.error().code, Errc::conflict);
    EXPECT_NE(opened.error().message.find("link is a symbolic link of user 1000"),
              std::string::npos)
        << opened.error().text();
  }
  EXPECT_FALSE(ConfinedDirectory::make(folder / "link/another"));
  EXPECT_FALSE(fs::exists(top / "another"));
}

}  // namespace
}  // namespace trimtab
