#include "common/files.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "tests/lib/temporary_folder.hpp"

namespace trimtab {
namespace {

namespace fs = std::filesystem;
using test::TemporaryFolder;

void put(const fs::path& path, std::string_view content) {
  std::ofstream(path, std::ios::binary) << content;
}

struct stat info_of(const fs::path& path) {
  struct stat info {};
  EXPECT_EQ(::lstat(path.c_str(), &info), 0) << path;
  return info;
}

std::size_t entries(const fs::path& folder) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

TEST(Files, WritesWholeFilesWithTheirMode) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_file_durably(folder / "a", "one"));
  ASSERT_TRUE(write_file_durably(folder / "a", "two", 0640));
  EXPECT_EQ(read_file(folder / "a").value(), "two");
  EXPECT_EQ(info_of(folder / "a").st_mode & 07777U, 0640U);
  EXPECT_EQ(entries(folder.path()), 1U);  // no temporary file is left
}

TEST(Files, LeavesNothingWhereWritingFails) {
  const TemporaryFolder folder;
  fs::create_directory(folder / "taken");
  EXPECT_FALSE(write_file_durably(folder / "taken", "x"));
  EXPECT_EQ(entries(folder.path()), 1U);
  const auto nowhere = write_file_durably(folder / "none" / "a", "x");
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().code, Errc::not_found);
}

TEST(Files, ReadsWithinABound) {
  const TemporaryFolder folder;
  put(folder / "a", std::string(40'000, 'x'));
  EXPECT_EQ(read_file(folder / "a", 40'000).value().size(), 40'000U);
  EXPECT_EQ(read_file(folder / "a", 39'999).error().code, Errc::too_large);
  const auto absent = read_file(folder / "b");
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, Errc::not_found);
  EXPECT_EQ(absent.error().message,
            "cannot read " + (folder / "b").string() + ": No such file or directory");
  EXPECT_FALSE(read_file("/proc/self/status").value().empty());
}

TEST(Files, ReadsSecretsOfOneLine) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_file_durably(folder / "good", "token \r\n"));
  EXPECT_EQ(read_secret_file(folder / "good").value(), "token");
  ASSERT_TRUE(write_file_durably(folder / "empty", " \n"));
  EXPECT_EQ(read_secret_file(folder / "empty").error().code, Errc::invalid);
  ASSERT_TRUE(write_file_durably(folder / "two", "a\nb\n"));
  const auto two = read_secret_file(folder / "two");
  ASSERT_FALSE(two);
  EXPECT_EQ(two.error().code, Errc::invalid);
  EXPECT_NE(two.error().message.find("more than one line"), std::string::npos);
  ::chmod((folder / "good").c_str(), 0644);
  EXPECT_EQ(read_secret_file(folder / "good").error().code, Errc::untrusted);
}

TEST(Files, RewritesInPlaceKeepingTheInode) {
  const TemporaryFolder folder;
  put(folder / "conf", "a long content");
  const auto before = info_of(folder / "conf").st_ino;
  for (const std::string content : {"short", "", "much longer than all before it"}) {
    ASSERT_TRUE(rewrite_in_place(folder / "conf", content));
    EXPECT_EQ(read_file(folder / "conf").value(), content);
    EXPECT_EQ(info_of(folder / "conf").st_ino, before);
  }
}

TEST(Files, DoesNotRewriteThroughALink) {
  const TemporaryFolder folder;
  put(folder / "target", "kept");
  fs::create_symlink(folder / "target", folder / "link");
  EXPECT_FALSE(rewrite_in_place(folder / "link", "x"));
  EXPECT_EQ(read_file(folder / "target").value(), "kept");
  EXPECT_EQ(rewrite_in_place(folder / "absent", "x").error().code, Errc::not_found);
}

TEST(Files, Appends) {
  const TemporaryFolder folder;
  ASSERT_TRUE(append_durably(folder / "log", "a\n"));
  ASSERT_TRUE(append_durably(folder / "log", "b\n"));
  EXPECT_EQ(read_file(folder / "log").value(), "a\nb\n");
  EXPECT_EQ(info_of(folder / "log").st_mode & 07777U, 0600U);
}

// A file may grow no further, as on a disk that is full.
TEST(Files, AppendsAllOrNothing) {
  const TemporaryFolder folder;
  ASSERT_TRUE(append_durably(folder / "log", std::string(80, 'a')));
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  const rlimit narrow{100, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &narrow);
  const Result<void> appended = append_durably(folder / "log", std::string(50, 'b'));
  ::setrlimit(RLIMIT_FSIZE, &before);
  ::signal(SIGXFSZ, handler);
  EXPECT_FALSE(appended);
  EXPECT_EQ(read_file(folder / "log").value(), std::string(80, 'a'));
}

TEST(Files, ReplacesLinks) {
  const TemporaryFolder folder;
  ASSERT_TRUE(replace_symlink(folder / "current", "releases/1"));
  ASSERT_TRUE(replace_symlink(folder / "current", "releases/2"));
  EXPECT_EQ(fs::read_symlink(folder / "current"), "releases/2");
  EXPECT_EQ(entries(folder.path()), 1U);
}

TEST(Files, MakesPrivateFolders) {
  const TemporaryFolder folder;
  ASSERT_TRUE(make_private_directory(folder / "a" / "b" / ""));
  ASSERT_TRUE(make_private_directory(folder / "a" / "b"));
  EXPECT_EQ(info_of(folder / "a").st_mode & 0777U, 0700U);
  EXPECT_EQ(info_of(folder / "a" / "b").st_mode & 0777U, 0700U);
  put(folder / "file", "");
  EXPECT_FALSE(make_private_directory(folder / "file"));
  EXPECT_FALSE(make_private_directory(folder / "file" / "x"));
}

TEST(Files, RemovesTreesWithoutFollowingLinks) {
  const TemporaryFolder folder;
  fs::create_directories(folder / "kept");
  put(folder / "kept" / "file", "x");
  fs::create_directories(folder / "tree" / "deep");
  fs::create_directory_symlink(folder / "kept", folder / "tree" / "deep" / "link");
  ASSERT_TRUE(remove_tree(folder / "tree"));
  ASSERT_TRUE(remove_tree(folder / "tree"));
  EXPECT_FALSE(fs::exists(folder / "tree"));
  EXPECT_TRUE(fs::exists(folder / "kept" / "file"));
}

TEST(Files, SyncsTreesWithoutFollowingLinks) {
  const TemporaryFolder folder;
  fs::create_directories(folder / "tree/below");
  put(folder / "tree/below/file", "x");
  fs::create_symlink(folder / "absent", folder / "tree/link");
  ASSERT_EQ(::mkfifo((folder / "tree/pipe").c_str(), 0600), 0);
  EXPECT_TRUE(sync_tree(folder / "tree"));
  EXPECT_EQ(sync_tree(folder / "absent").error().code, Errc::not_found);
}

TEST(Files, LocksOnce) {
  const TemporaryFolder folder;
  {
    const auto first = lock_file(folder.path());
    ASSERT_TRUE(first);
    const auto second = lock_file(folder.path());
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Errc::conflict);
  }
  EXPECT_TRUE(lock_file(folder.path()));
  EXPECT_EQ(lock_file(folder / "absent").error().code, Errc::not_found);
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(Files, NamesTheKindOfFailure) {
  const struct {
    int number;
    Errc code;
  } rows[] = {{ENOENT, Errc::not_found}, {EACCES, Errc::denied}, {ENOSPC, Errc::no_space},
              {EDQUOT, Errc::no_space},  {EROFS, Errc::failed},  {EIO, Errc::failed}};
  for (const auto& row : rows) EXPECT_EQ(os_error("read", "/x", row.number).code, row.code);
}

}  // namespace
}  // namespace trimtab
