#include "agent/git/ref_files.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "agent/git/commit_trees.hpp"
#include "tests/lib/temporary_folder.hpp"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

const std::string one(40, '1');
const std::string two(40, '2');
const std::string three(40, '3');

class RefFiles : public ::testing::Test {
 protected:
  void write(const std::string& path, const std::string& text) {
    fs::create_directories((folder_ / path).parent_path());
    std::ofstream(folder_ / path) << text;
  }
  std::string id(const std::string& ref) {
    return id_of_ref(ConfinedDirectory::open(folder_.path()).value(), ".git", ref);
  }
  std::string branch() {
    return branch_of_head(ConfinedDirectory::open(folder_.path()).value(), ".git");
  }

  test::TemporaryFolder folder_;
};

TEST_F(RefFiles, AreReadAsGitDoes) {
  write(".git/HEAD", "ref: refs/heads/main\n");
  write(".git/refs/heads/main", one + "\n");
  write(".git/packed-refs", "# pack-refs with: peeled fully-peeled sorted \n" + two +
                                " refs/heads/main\n" + two + " refs/heads/main-2\n" + three +
                                " refs/tags/v1\n^" + one + "\n");
  EXPECT_EQ(branch(), "refs/heads/main");
  EXPECT_EQ(id("HEAD"), one);
  EXPECT_EQ(id("refs/heads/main-2"), two);
  EXPECT_EQ(id("refs/tags/v1"), three);
  EXPECT_EQ(id("refs/heads/mai"), "");
  fs::remove(folder_ / ".git/refs/heads/main");
  EXPECT_EQ(id("HEAD"), two);
  write(".git/HEAD", three + "\n");
  EXPECT_EQ(branch(), "");
  EXPECT_EQ(id("HEAD"), three);
}

TEST_F(RefFiles, SayNothingWhereTheyAreNoRefs) {
  EXPECT_EQ(id("HEAD"), "");
  write(".git/HEAD", "ref: refs/heads/unborn\n");
  EXPECT_EQ(id("HEAD"), "");
  write(".git/HEAD", "ref: HEAD\n");  // for ever
  EXPECT_EQ(id("HEAD"), "");
  write("secret", one + "\n");
  write(".git/HEAD", "ref: ../secret\n");
  EXPECT_EQ(id("HEAD"), "");
  fs::remove(folder_ / ".git/HEAD");
  fs::create_symlink(folder_ / "secret", folder_ / ".git/HEAD");
  EXPECT_EQ(id("HEAD"), "");
  fs::remove(folder_ / ".git/HEAD");
  write(".git/HEAD", "no id at all\n");
  EXPECT_EQ(id("HEAD"), "");
}

TEST(CommitTrees, KeepsThoseOfTheTwoThatWereUsedLast) {
  CommitTrees trees;
  const std::vector<TreeEntry> entries = {{"100644", one, "compose.yaml"}};
  trees.keep(one, entries);
  trees.keep(two, {});
  ASSERT_NE(trees.find(one), nullptr);
  EXPECT_EQ(trees.find(one)->front().path, "compose.yaml");
  trees.keep(three, {});
  EXPECT_EQ(trees.find(two), nullptr);
  EXPECT_NE(trees.find(one), nullptr);
  EXPECT_NE(trees.find(three), nullptr);
  trees.forget();
  EXPECT_EQ(trees.find(one), nullptr);
  trees.keep(one, std::vector<TreeEntry>(100'000));
  EXPECT_EQ(trees.find(one), nullptr);
}

}  // namespace
}  // namespace trimtab
