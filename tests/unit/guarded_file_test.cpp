#include "common/guarded_file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "tests/lib/temporary_folder.hpp"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

constexpr uid_t user = 1000;
constexpr uid_t another = 1001;

// A live directory of a user, beside files of root.
class GuardedFile : public testing::Test {
 protected:
  GuardedFile() {
    fs::permissions(folder.path(), fs::perms(0755));
    for (const char* const path : {"live/own", "live/conf/own", "open/file", "closed/file"}) {
      put(path, path);
    }
    put("open/secret", "root:$y$");
    fs::permissions(folder / "open/secret", fs::perms(0640));
    fs::permissions(folder / "closed", fs::perms(0750));
    for (const char* const path : {"live", "live/own", "live/conf", "live/conf/own"}) {
      give(path, user);
    }
  }
  void put(const fs::path& path, const std::string& text) {
    fs::create_directories((folder / path).parent_path());
    std::ofstream(folder / path) << text;
  }
  void give(const fs::path& path, uid_t owner) {
    if (::geteuid() != 0) return;
    ASSERT_EQ(::lchown((folder / path).c_str(), owner, owner), 0);
  }
  void link(const fs::path& path, const std::string& target, uid_t owner) {
    fs::remove_all(folder / path);
    fs::create_symlink(target, folder / path);
    give(path, owner);
  }
  Result<std::string> read(const fs::path& path) { return read_guarded(folder / path, 1024); }

  test::TemporaryFolder folder;
};

TEST_F(GuardedFile, LinksOfUsersLeadToWhatTheyCouldRead) {
  if (::geteuid() != 0) return;  // only root can give files away
  const std::string top = folder.path().string();
  const struct {
    const char* name;
    std::string target;
    uid_t owner;
    bool is_read;
  } rows[] = {
      {"the user's own file", "own", user, true},
      {"another path to it", "../live/conf/../own", user, true},
      {"open to all", top + "/open/file", user, true},
      {"not open to all", top + "/open/secret", user, false},
      {"not open to all, by a relative path", "../open/secret", user, false},
      {"in a directory that is not open to all", top + "/closed/file", user, false},
      {"another user's link", "../live/own", another, true},
      {"root's link to what is not open to all", top + "/open/secret", 0, true},
      {"root's link to a directory that is not open to all", top + "/closed/file", 0, true},
      {"by a link of root's own", "by-root", user, false},
      {"by a link of another user's", "by-another", user, false},
  };
  link("live/by-root", top + "/open/secret", 0);
  link("live/by-another", top + "/open/secret", another);
  for (const auto& row : rows) {
    link("live/.env", row.target, row.owner);
    const auto text = read("live/.env");
    EXPECT_EQ(text.has_value(), row.is_read) << row.name;
    if (text || row.is_read) continue;
    EXPECT_EQ(text.error().code, Errc::untrusted) << row.name << ": " << text.error().text();
    EXPECT_NE(
        text.error().message.find(top + "/live/.env belongs to user " + std::to_string(row.owner)),
        std::string::npos)
        << text.error().text();
    EXPECT_NE(text.error().hint.find("chown -h root: " + top + "/live/.env"), std::string::npos);
  }
  fs::permissions(folder / "live/own", fs::perms(0600));
  link("live/.env", "own", another);
  EXPECT_FALSE(read("live/.env"));
  link("live/.env", "own", user);
  EXPECT_TRUE(read("live/.env"));
}

TEST_F(GuardedFile, SoDoLinksOfFolders) {
  if (::geteuid() != 0) return;  // only root can give files away
  put("closed/own", "root's");
  link("live/conf", folder / "closed", user);
  EXPECT_EQ(read("live/conf/own").error().code, Errc::untrusted);
  link("live/conf", folder / "closed", 0);
  EXPECT_EQ(*read("live/conf/own"), "root's");
}

TEST_F(GuardedFile, WhatIsNoFileIsNotRead) {
  EXPECT_EQ(*read("live/own"), "live/own");
  EXPECT_EQ(read("live/absent").error().code, Errc::not_found);
  EXPECT_EQ(read("live/own/absent").error().code, Errc::not_found);
  EXPECT_EQ(read("live").error().code, Errc::invalid);
  ASSERT_EQ(::mkfifo((folder / "live/pipe").c_str(), 0666), 0);
  EXPECT_EQ(read("live/pipe").error().code, Errc::invalid);
  link("live/circle", "circle", user);
  EXPECT_FALSE(read("live/circle"));
  EXPECT_EQ(read_guarded("live/own", 10).error().code, Errc::invalid);
  EXPECT_EQ(read_guarded(folder / "live/own", 3).error().code, Errc::too_large);
}

TEST_F(GuardedFile, NobodyIsQuickerThanALook) {
  if (::geteuid() != 0) return;  // only root can give files away
  put("closed/own", "root's");
  link("live/exchanged", folder / "closed", user);
  std::atomic<bool> stop = false;
  std::thread attacker([&] {
    while (!stop) {
      ::syscall(SYS_renameat2, AT_FDCWD, (folder / "live/conf").c_str(), AT_FDCWD,
                (folder / "live/exchanged").c_str(), 2U /* RENAME_EXCHANGE */);
    }
  });
  for (int i = 0; i < 2000; ++i) {
    const auto text = read("live/conf/own");
    if (text) {
      EXPECT_EQ(*text, "live/conf/own");
    }
  }
  stop = true;
  attacker.join();
}

}  // namespace
}  // namespace trimtab
