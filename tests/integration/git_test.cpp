// GitProgram against real repositories: on the disk, and over HTTP, HTTPS and SSH on loopback.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <functional>
#include <set>

#include "agent/git/git_program.hpp"
#include "agent/sources/git_watcher.hpp"
#include "tests/lib/git_servers.hpp"

namespace trimtab {
namespace {

namespace fs = std::filesystem;
using test::await;
using test::Developer;
using test::git;
using test::GitServers;
using test::put;
using test::TemporaryFolder;

std::string content(const fs::path& path) {
  const auto text = read_file(path);
  return text ? *text : "(" + text.error().message + ")";
}

bool present(const fs::path& path) {
  return fs::exists(fs::symlink_status(path));
}

struct stat info_of(const fs::path& path) {
  struct stat info {};
  EXPECT_EQ(::lstat(path.c_str(), &info), 0) << path;
  return info;
}

// A repository with a branch, and trimtab's side of it.
class GitOnDisk : public testing::Test {
 protected:
  GitProgram program(const std::string& ref = "production") {
    GitAccess access;
    access.url = developer.bare().string();
    return {access, ref, folder / "state/repo.git", folder / "state"};
  }
  // What the reconciler does to learn of a commit.
  std::string fetch(GitProgram& repository) {
    const auto tip = await(repository.resolve_ref());
    EXPECT_TRUE(tip) << tip.error().text();
    const auto commit = await(repository.fetch(*tip));
    EXPECT_TRUE(commit) << commit.error().text();
    EXPECT_EQ(*commit, tip->commit);
    return *commit;
  }
  SwitchReport bring(GitProgram& repository, const std::string& from, const std::string& to,
                     const std::vector<std::string>& in_place = {}) {
    const auto report = await(repository.checkout_live(live, from, to, in_place, saved));
    EXPECT_TRUE(report) << report.error().text();
    return report ? *report : SwitchReport{};
  }
  std::size_t patches() const {
    std::error_code ec;
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(saved, ec), {}));
  }

  TemporaryFolder folder;
  Developer developer{folder / "work", folder / "shop.git"};
  fs::path live = folder / "srv/shop";
  fs::path saved = folder / "state/saved";
};

TEST_F(GitOnDisk, AsksFetchesAndDescribes) {
  put(developer / "compose.yaml", "services: {}\n");
  put(developer / "deep/a b", "x");
  const std::string commit = developer.push("Fix totals\n\nBody");
  auto repository = program();
  EXPECT_EQ(await(repository.resolve_ref()).value(), (RefTip{"refs/heads/production", commit}));
  EXPECT_EQ(fetch(repository), commit);
  EXPECT_EQ(fetch(repository), commit);

  const auto info = await(repository.describe(commit));
  ASSERT_TRUE(info) << info.error().text();
  EXPECT_EQ(info->commit, commit);
  EXPECT_EQ(info->subject, "Fix totals");
  EXPECT_EQ(info->author, "Ana");
  EXPECT_LT(wall_now() - info->committed_at, std::chrono::hours(1));

  const auto tree = await(repository.tree(commit));
  ASSERT_TRUE(tree);
  ASSERT_EQ(tree->size(), 2U);
  EXPECT_EQ((*tree)[1].path, "deep/a b");
  EXPECT_EQ((*tree)[1].mode, "100644");

  EXPECT_EQ(await(repository.find_commit(commit.substr(0, 7))).value(), commit);
  EXPECT_EQ(await(repository.find_commit("0123456")).error().code, Errc::not_found);
  EXPECT_EQ(await(repository.find_commit("--all")).error().code, Errc::not_found);
}

TEST_F(GitOnDisk, NamesBranchesThatExistWhereOursIsGone) {
  put(developer / "a", "x");
  developer.push("one");
  developer.push("one", "producton");
  developer.push("one", "main");
  git(developer.work(), {"push", "-q", "origin", ":production"});
  auto repository = program();
  const auto tip = await(repository.resolve_ref());
  ASSERT_FALSE(tip);
  EXPECT_EQ(tip.error().code, Errc::not_found);
  EXPECT_EQ(tip.error().message, developer.bare().string() + " has no branch production");
  EXPECT_EQ(tip.error().hint,
            "it has main, producton: set git.ref, or push that branch (did you mean producton?)");
}

TEST_F(GitOnDisk, SaysThatARepositoryIsEmptyOrMissing) {
  auto empty = program();
  EXPECT_EQ(await(empty.resolve_ref()).error().hint, "it has no branch: push one");
  fs::remove_all(developer.bare());
  auto missing = program();
  const auto tip = await(missing.resolve_ref());
  ASSERT_FALSE(tip);
  EXPECT_EQ(tip.error().code, Errc::not_found);
}

TEST_F(GitOnDisk, AcceptsAForcePushAndKeepsWhatAReleaseNeeds) {
  put(developer / "a", "1");
  const std::string first = developer.push("one");
  auto repository = program();
  fetch(repository);
  ASSERT_TRUE(await(repository.keep(first, 7)));
  put(developer / "a", "2");
  const std::string second = developer.push("two");
  EXPECT_EQ(fetch(repository), second);
  EXPECT_TRUE(await(repository.is_ancestor(first, second)).value());
  EXPECT_FALSE(await(repository.is_ancestor(second, first)).value());

  git(developer.work(), {"checkout", "-q", "--orphan", "other"});
  put(developer / "a", "3");
  const std::string rewritten = developer.push("rewritten");
  EXPECT_EQ(fetch(repository), rewritten);
  EXPECT_FALSE(await(repository.is_ancestor(second, rewritten)).value());
  EXPECT_FALSE(await(repository.is_ancestor(std::string(40, '1'), rewritten)).value());

  git(folder / "state/repo.git", {"gc", "-q", "--prune=now"});
  EXPECT_EQ(await(repository.find_commit(first)).value(), first);
  ASSERT_TRUE(await(repository.keep_only({7})));
  EXPECT_EQ(await(repository.find_commit(first)).value(), first);
  ASSERT_TRUE(await(repository.keep_only({8})));
  ASSERT_TRUE(await(repository.keep_only({})));
  git(folder / "state/repo.git", {"gc", "-q", "--prune=now"});
  EXPECT_FALSE(await(repository.find_commit(first)));
}

TEST_F(GitOnDisk, FollowsTheNewestTagOfAPatternAlsoWhereItMoves) {
  put(developer / "a", "1");
  const std::string first = developer.push("one");
  git(developer.work(), {"tag", "v1.9"});
  put(developer / "a", "2");
  const std::string second = developer.push("two");
  git(developer.work(), {"tag", "-a", "-m", "release", "v1.10"});
  git(developer.work(), {"tag", "w2"});
  git(developer.work(), {"push", "-q", "--tags", "origin"});
  auto repository = program("v*");
  EXPECT_EQ(await(repository.resolve_ref()).value(), (RefTip{"refs/tags/v1.10", second}));
  EXPECT_EQ(fetch(repository), second);

  git(developer.work(), {"tag", "-f", "-a", "-m", "moved", "v1.10", first});
  git(developer.work(), {"push", "-q", "-f", "--tags", "origin"});
  EXPECT_EQ(fetch(repository), first);

  auto none = program("x*");
  const auto tip = await(none.resolve_ref());
  ASSERT_FALSE(tip);
  EXPECT_EQ(tip.error().code, Errc::not_found);
  EXPECT_NE(tip.error().text().find("has no tag that matches x*; it has"), std::string::npos)
      << tip.error().text();
}

TEST_F(GitOnDisk, ClearsTheLocksOfAKilledGit) {
  put(developer / "a", "1");
  developer.push("one");
  {
    auto repository = program();
    bring(repository, "", fetch(repository));
  }
  for (const char* const lock : {"repo.git/HEAD.lock", "repo.git/refs/trimtab/tip.lock",
                                 "repo.git/shallow.lock", "git/live.index.lock"}) {
    put(folder / "state" / lock, "");
  }
  put(folder / "state/repo.git/objects/pack/tmp_pack_x", "half a pack");
  put(developer / "a", "2");
  const std::string second = developer.push("two");
  auto repository = program();
  EXPECT_EQ(fetch(repository), second);
  bring(repository, "", second);
  EXPECT_EQ(content(live / "a"), "2");
  EXPECT_FALSE(present(folder / "state/repo.git/objects/pack/tmp_pack_x"));
}

TEST_F(GitOnDisk, SurvivesATornIndex) {
  put(developer / "a", "1");
  const std::string first = developer.push("one");
  auto repository = program();
  bring(repository, "", fetch(repository));
  put(folder / "state/git/live.index", "DIRC torn");
  put(live / "a", "edited");
  EXPECT_EQ(bring(repository, first, first).local_edits, std::vector<std::string>{"a"});
  EXPECT_EQ(content(live / "a"), "1");
}

TEST_F(GitOnDisk, StagesACommitIntoAnEmptiedFolder) {
  put(developer / "run.sh", "#!/bin/sh\n");
  fs::permissions(developer / "run.sh", fs::perms(0755));
  fs::create_symlink("/etc/passwd", developer / "link");
  const std::string commit = developer.push("one");
  auto repository = program();
  fetch(repository);
  const fs::path staging = folder / "staging";
  put(staging / "old/file", "x");
  ASSERT_TRUE(await(repository.stage(commit, staging)));
  EXPECT_FALSE(present(staging / "old"));
  EXPECT_EQ(content(staging / "run.sh"), "#!/bin/sh\n");
  EXPECT_EQ(info_of(staging / "run.sh").st_mode & 0111U, 0111U);
  EXPECT_EQ(fs::read_symlink(staging / "link"), "/etc/passwd");
  ASSERT_TRUE(await(repository.stage(commit, staging)));
}

// Trimtab's own one; found by a daemon that runs, or by one that has just started.
TEST_F(GitOnDisk, FetchesADamagedRepositoryAnew) {
  put(developer / "a", std::string(5000, 'a') + "1");
  const std::string first = developer.push("one");
  put(developer / "a", std::string(5000, 'b') + "2");
  const std::string second = developer.push("two");
  const fs::path own = folder / "state/repo.git";
  const auto pack = [&own](const std::string& ending) {
    for (const auto& entry : fs::directory_iterator(own / "objects/pack")) {
      if (entry.path().extension() == ending) return entry.path();
    }
    throw std::runtime_error("no pack");
  };
  const struct {
    const char* name;
    std::function<void()> damage;
    bool restarted = false;
  } rows[] = {
      {"empty HEAD", [&] { put(own / "HEAD", ""); }},
      {"garbage HEAD", [&] { put(own / "HEAD", "junk\n"); }},
      {"garbage HEAD, restarted", [&] { put(own / "HEAD", "junk\n"); }, true},
      {"garbage settings", [&] { put(own / "config", "[[["); }},
      {"garbage settings, restarted", [&] { put(own / "config", "[[["); }, true},
      {"empty ref", [&] { put(own / "refs/trimtab/tip", ""); }},
      {"garbage ref", [&] { put(own / "refs/trimtab/tip", "junk\n"); }},
      {"empty ref of a release", [&] { put(own / "refs/trimtab/releases/1", ""); }},
      {"ref to nothing",
       [&] { put(own / "refs/trimtab/releases/1", std::string(40, '1') + "\n"); }},
      {"no objects", [&] { fs::remove_all(own / "objects"); }},
      {"no pack", [&] { fs::remove(pack(".pack")); }},
      {"empty index of a pack", [&] { fs::resize_file(pack(".idx"), 0); }},
      {"garbled pack",
       [&] {
         const fs::path file = pack(".pack");
         std::string bytes = content(file);
         for (std::size_t i = 12; i + 20 < bytes.size(); ++i)
           bytes[i] = static_cast<char>(~bytes[i]);
         fs::remove(file);
         put(file, bytes);
       }},
      {"a file in its place",
       [&] {
         fs::remove_all(own);
         put(own, "junk");
       },
       true},
      {"junk in its place",
       [&] {
         fs::remove_all(own);
         put(own / "HEAD", "junk");
         put(own / "objects", "junk");
       },
       true},
  };
  for (const auto& row : rows) {
    const std::string name = row.name;
    fs::remove_all(live);
    fs::remove_all(folder / "state");
    git(developer.work(), {"push", "-q", "-f", "origin", second + ":refs/heads/production"});
    auto before = program();
    fetch(before);
    ASSERT_TRUE(await(before.keep(first, 1)));
    ASSERT_TRUE(await(before.keep(second, 2)));
    bring(before, "", second);
    row.damage();
    auto after = program();
    auto& repository = row.restarted ? after : before;
    const auto untouched = info_of(live / "a");

    put(developer / "b", name);
    const std::string third = developer.push("three");
    EXPECT_EQ(fetch(repository), third) << name;
    const auto tree = await(repository.tree(third));
    ASSERT_TRUE(tree) << name << ": " << tree.error().text();
    ASSERT_TRUE(await(repository.stage(third, folder / "staging"))) << name;
    EXPECT_EQ(content(folder / "staging/b"), name);
    EXPECT_EQ(info_of(live / "a").st_ino, untouched.st_ino) << name;
    for (const auto& [number, commit] : {std::pair(1, first), std::pair(2, second)}) {
      const auto kept = await(repository.keep(commit, number));
      EXPECT_TRUE(kept) << name << ": " << kept.error().text();
    }
    bring(repository, second, third);
    EXPECT_EQ(git(live, {"status", "--porcelain"}), "") << name;
    EXPECT_EQ(git(own, {"rev-parse", "refs/trimtab/releases/1"}), first) << name;
    EXPECT_FALSE(present(folder / "state/repo.git.new")) << name;
    // Objects that were fetched again after all leave a pack that nobody reads.
    const std::string notice = repository.take_repair_notice();
    if (!notice.empty()) {
      EXPECT_NE(notice.find(own.string() + " is damaged ("), std::string::npos) << notice;
      EXPECT_NO_THROW(git(own, {"fsck", "--no-dangling"})) << name;
    }
    EXPECT_EQ(repository.take_repair_notice(), "");
    git(developer.work(), {"reset", "-q", "--hard", second});
  }
}

TEST_F(GitOnDisk, SaysWhoseFaultItIs) {
  put(developer / "a", "1");
  const std::string first = developer.push("one");
  auto repository = program();
  fetch(repository);
  const fs::path own = folder / "state/repo.git";
  // What is asked for that no repository has is not damage.
  EXPECT_FALSE(await(repository.tree(std::string(40, '1'))));
  EXPECT_EQ(repository.take_repair_notice(), "");

  // As long as the remote is away nothing is thrown away.
  auto another = program();
  put(own / "config", "[[[");
  fs::rename(developer.bare(), folder / "away");
  const auto tree = await(another.tree(first));
  ASSERT_FALSE(tree);
  EXPECT_NE(tree.error().message.find(own.string() + " is damaged (bad config line 1"),
            std::string::npos)
      << tree.error().text();
  EXPECT_TRUE(present(own / "objects/pack"));
  fs::rename(folder / "away", developer.bare());
  EXPECT_TRUE(await(another.tree(first)));
  EXPECT_NE(another.take_repair_notice().find("fetched again from " + developer.bare().string()),
            std::string::npos);

  // A commit that is in no branch any more is given by its id, or is lost.
  git(developer.work(), {"commit", "-q", "--amend", "--allow-empty", "-m", "rewritten"});
  developer.push("two");
  fetch(another);
  EXPECT_TRUE(await(another.keep(first, 1)));
  EXPECT_FALSE(await(another.keep(std::string(40, '1'), 2)));
}

// The live directory

TEST_F(GitOnDisk, MakesAPlainCloneWhereNothingIs) {
  put(developer / "compose.yaml", "v1");
  put(developer / "nginx/nginx.conf", "conf");
  const std::string commit = developer.push("one");
  auto repository = program();
  const auto report = bring(repository, "", fetch(repository));
  EXPECT_EQ(report.changed, (std::vector<std::string>{"compose.yaml", "nginx/nginx.conf"}));
  EXPECT_TRUE(report.local_edits.empty());
  EXPECT_TRUE(report.saved_patch.empty());
  EXPECT_EQ(content(live / "nginx/nginx.conf"), "conf");

  EXPECT_EQ(git(live, {"log", "-1", "--format=%H"}), commit);
  EXPECT_EQ(git(live, {"status", "--porcelain", "--branch"}), "## production...origin/production");
  EXPECT_EQ(git(live, {"remote", "get-url", "origin"}), developer.bare().string());
  EXPECT_EQ(git(live, {"fsck", "--full"}), "");
  // Nothing of it depends on trimtab's own repository.
  fs::remove_all(folder / "state");
  put(developer / "compose.yaml", "v2");
  developer.push("two");
  git(live, {"pull", "-q"});
  EXPECT_EQ(content(live / "compose.yaml"), "v2");
}

TEST_F(GitOnDisk, MovesOnlyWhatTheCommitsChange) {
  put(developer / "changed", "1");
  put(developer / "same", "same");
  put(developer / "gone/deep/file", "x");
  put(developer / "script", "#!/bin/sh\n");
  fs::create_symlink("same", developer / "link");
  const std::string first = developer.push("one");
  auto repository = program();
  bring(repository, "", fetch(repository));
  put(live / "uploads/photo", "bytes");
  const auto same = info_of(live / "same");

  put(developer / "changed", "2");
  put(developer / "new/file", "n");
  fs::permissions(developer / "script", fs::perms(0755));
  fs::remove_all(developer / "gone");
  fs::remove(developer / "link");
  fs::create_symlink("changed", developer / "link");
  const std::string second = developer.push("two");
  fetch(repository);
  const auto report = bring(repository, first, second);
  EXPECT_EQ(report.changed,
            (std::vector<std::string>{"changed", "gone/deep/file", "link", "new/file", "script"}));
  EXPECT_TRUE(report.local_edits.empty());
  EXPECT_EQ(content(live / "changed"), "2");
  EXPECT_EQ(content(live / "new/file"), "n");
  EXPECT_EQ(fs::read_symlink(live / "link"), "changed");
  EXPECT_EQ(info_of(live / "script").st_mode & 0111U, 0111U);
  EXPECT_FALSE(present(live / "gone"));
  EXPECT_EQ(content(live / "uploads/photo"), "bytes");
  EXPECT_EQ(info_of(live / "same").st_ino, same.st_ino);
  EXPECT_EQ(info_of(live / "same").st_mtim.tv_nsec, same.st_mtim.tv_nsec);
  EXPECT_EQ(git(live, {"status", "--porcelain"}), "?? uploads/");

  // And back, as a rollback does.
  bring(repository, second, first);
  EXPECT_EQ(content(live / "changed"), "1");
  EXPECT_EQ(content(live / "gone/deep/file"), "x");
  EXPECT_FALSE(present(live / "new"));
  EXPECT_EQ(git(live, {"log", "-1", "--format=%H"}), first);
  EXPECT_EQ(git(live, {"for-each-ref", "refs/trimtab/saved"}), "");
  for (const char* const ref : {"HEAD", "production"}) {
    EXPECT_EQ(
        git(live, {"log", "-g", "--format=%H %gs", ref}),
        first + " trimtab: deploy\n" + second + " trimtab: deploy\n" + first + " trimtab: deploy")
        << ref;
  }
  EXPECT_EQ(git(live, {"fsck", "--full"}), "");
  EXPECT_TRUE(bring(repository, first, first).changed.empty());
  EXPECT_EQ(patches(), 0U);
}

TEST_F(GitOnDisk, AdoptsACloneMadeByHand) {
  put(developer / ".gitignore", ".env\n");
  put(developer / "compose.yaml", "v1\n");
  put(developer / "nginx.conf", "worker_processes 1;\n");
  developer.push("one");
  git(folder.path(), {"clone", "-q", developer.bare().string(), live.string()});
  put(live / ".env", "SECRET=1\n");
  put(live / "certs/tls.key", std::string("\0\x01key", 5));
  put(live / "uploads/a b/photo", "bytes");
  put(live / "nginx.conf", "worker_processes 4;\n");  // an edit in an emergency
  // Programs that the clone's settings name must not run as root.
  const std::string trap = "touch " + (folder / "trapped").string() + "; cat";
  for (const char* const hook : {"post-checkout", "reference-transaction", "post-index-change"}) {
    put(live / ".git/hooks" / hook, "#!/bin/sh\n" + trap + "\n");
    fs::permissions(live / ".git/hooks" / hook, fs::perms(0755));
  }
  git(live, {"config", "filter.trap.smudge", trap});
  git(live, {"config", "filter.trap.clean", trap});
  git(live, {"config", "core.fsmonitor", trap});
  put(live / ".git/info/attributes", "* filter=trap\n");

  put(developer / ".gitattributes", "*.conf filter=trap\n");
  put(developer / "compose.yaml", "v2\n");
  const std::string second = developer.push("two");
  auto repository = program();
  fetch(repository);
  const auto report = bring(repository, "", second);
  EXPECT_FALSE(present(folder / "trapped"));

  EXPECT_EQ(content(live / "compose.yaml"), "v2\n");
  EXPECT_EQ(content(live / "nginx.conf"), "worker_processes 1;\n");
  EXPECT_EQ(content(live / ".env"), "SECRET=1\n");
  EXPECT_EQ(content(live / "certs/tls.key"), std::string("\0\x01key", 5));
  EXPECT_EQ(content(live / "uploads/a b/photo"), "bytes");

  EXPECT_EQ(report.local_edits, std::vector<std::string>{"nginx.conf"});
  EXPECT_EQ(report.saved_patch.parent_path(), saved);
  EXPECT_TRUE(
      report.saved_patch.filename().string().ends_with("-" + second.substr(0, 7) + ".patch"));
  EXPECT_EQ(info_of(report.saved_patch).st_mode & 0777U, 0600U);
  EXPECT_NE(content(report.saved_patch).find("+worker_processes 4;"), std::string::npos);

  for (const char* const name : {"filter.trap.smudge", "filter.trap.clean", "core.fsmonitor"}) {
    git(live, {"config", "--unset", name});
  }
  fs::remove_all(live / ".git/hooks");
  EXPECT_EQ(git(live, {"log", "-1", "--format=%H"}), second);
  EXPECT_EQ(git(live, {"status", "--porcelain", "--branch"}),
            "## production...origin/production\n?? certs/\n?? uploads/");
  git(live, {"apply", report.saved_patch.string()});
  EXPECT_EQ(content(live / "nginx.conf"), "worker_processes 4;\n");
}

TEST_F(GitOnDisk, KeepsCommitsThatOnlyTheCloneHas) {
  put(developer / "a", "1");
  developer.push("one");
  git(folder.path(), {"clone", "-q", developer.bare().string(), live.string()});
  put(live / "a", "committed here");
  git(live, {"commit", "-q", "-a", "-m", "local"});
  const std::string local = git(live, {"rev-parse", "HEAD"});
  put(developer / "b", "2");
  const std::string second = developer.push("two");
  auto repository = program();
  fetch(repository);
  const auto report = bring(repository, "", second);
  EXPECT_TRUE(report.local_edits.empty());  // it is a commit, and kept as one
  EXPECT_EQ(content(live / "a"), "1");
  EXPECT_EQ(git(live, {"rev-parse", "HEAD"}), second);
  EXPECT_EQ(git(live, {"for-each-ref", "--format=%(objectname)", "refs/trimtab/saved"}), local);
  EXPECT_EQ(git(live, {"status", "--porcelain"}), "");
}

TEST_F(GitOnDisk, SwitchesACloneOfAnotherBranchAndAShallowOne) {
  put(developer / "a", "1");
  developer.push("zero");
  const std::string first = developer.push("one", "main");
  git(folder.path(), {"clone", "-q", "--depth=1", "--branch=main",
                      "file://" + developer.bare().string(), live.string()});
  put(developer / "a", "2");
  const std::string second = developer.push("two");
  auto repository = program();
  fetch(repository);
  bring(repository, "", second);
  EXPECT_EQ(git(live, {"symbolic-ref", "HEAD"}), "refs/heads/production");
  EXPECT_EQ(git(live, {"rev-parse", "HEAD"}), second);
  EXPECT_EQ(git(live, {"rev-parse", "main"}), first);
  EXPECT_EQ(git(live, {"status", "--porcelain"}), "");
}

TEST_F(GitOnDisk, DetachesHeadAtATag) {
  put(developer / "a", "1");
  const std::string commit = developer.push("one");
  git(developer.work(), {"tag", "v1"});
  git(developer.work(), {"push", "-q", "--tags", "origin"});
  auto repository = program("v*");
  bring(repository, "", fetch(repository));
  EXPECT_EQ(git(live, {"rev-parse", "HEAD"}), commit);
  EXPECT_THROW(git(live, {"symbolic-ref", "-q", "HEAD"}), std::runtime_error);
  EXPECT_EQ(git(live, {"status", "--porcelain"}), "");
}

TEST_F(GitOnDisk, RewritesMountedFilesInPlace) {
  put(developer / "nginx.conf", "one\n");
  put(developer / "other", "one\n");
  const std::string first = developer.push("one");
  auto repository = program();
  bring(repository, "", fetch(repository));
  const auto mounted = info_of(live / "nginx.conf").st_ino;

  put(developer / "nginx.conf", "two, longer\n");
  const std::string second = developer.push("two");
  fetch(repository);
  auto report = bring(repository, first, second, {"nginx.conf", "absent", "../outside"});
  EXPECT_EQ(report.changed, std::vector<std::string>{"nginx.conf"});
  EXPECT_EQ(info_of(live / "nginx.conf").st_ino, mounted);
  EXPECT_EQ(content(live / "nginx.conf"), "two, longer\n");
  EXPECT_EQ(git(live, {"status", "--porcelain"}), "");

  // Edited by hand, then overwritten: saved first, and still the same file.
  put(live / "nginx.conf", "by hand\n");
  ASSERT_EQ(info_of(live / "nginx.conf").st_ino, mounted);
  put(developer / "nginx.conf", "3\n");
  const std::string third = developer.push("three");
  fetch(repository);
  report = bring(repository, second, third, {"nginx.conf"});
  EXPECT_EQ(report.local_edits, std::vector<std::string>{"nginx.conf"});
  EXPECT_NE(content(report.saved_patch).find("+by hand"), std::string::npos);
  EXPECT_EQ(info_of(live / "nginx.conf").st_ino, mounted);
  EXPECT_EQ(content(live / "nginx.conf"), "3\n");
}

TEST_F(GitOnDisk, PutsBackWhatWasDeletedByHand) {
  put(developer / "a", "1");
  put(developer / "b", "1");
  const std::string first = developer.push("one");
  auto repository = program();
  bring(repository, "", fetch(repository));
  fs::remove(live / "a");
  const auto report = bring(repository, first, first);
  EXPECT_EQ(report.changed, std::vector<std::string>{"a"});
  EXPECT_EQ(content(live / "a"), "1");
  EXPECT_EQ(patches(), 0U);
}

TEST_F(GitOnDisk, TouchesNothingWhereUntrackedFilesStandInTheWay) {
  put(developer / "a", "1");
  const std::string first = developer.push("one");
  auto repository = program();
  bring(repository, "", fetch(repository));
  const fs::path outside = folder / "outside";
  put(outside / "photo", "theirs");
  put(live / ".env", "SECRET=1\n");
  put(live / "same", "equal");
  put(live / "data/deep/file", "theirs");
  put(live / "plain", "theirs");
  fs::create_directory_symlink(outside, live / "uploads");

  put(developer / "a", "2");
  put(developer / ".env", "SECRET=example\n");
  put(developer / "same", "equal");
  put(developer / "data", "a file now");
  put(developer / "plain/file", "below what is a file");
  put(developer / "uploads/photo", "through a link");
  const std::string second = developer.push("two");
  fetch(repository);
  const std::vector<std::string> expected = {".env", "data/deep/file", "plain", "uploads"};
  EXPECT_EQ(await(repository.collisions(live, first, second)).value(), expected);
  const auto report = await(repository.checkout_live(live, first, second, {}, saved));
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Errc::conflict);
  EXPECT_NE(report.error().message.find(".env, data/deep/file, plain, uploads"), std::string::npos)
      << report.error().message;
  EXPECT_EQ(content(live / "a"), "1");
  EXPECT_EQ(content(live / ".env"), "SECRET=1\n");
  EXPECT_EQ(content(live / "data/deep/file"), "theirs");
  EXPECT_EQ(content(outside / "photo"), "theirs");

  for (const char* const path : {".env", "data", "plain", "uploads"}) fs::remove_all(live / path);
  EXPECT_TRUE(await(repository.collisions(live, first, second))->empty());
  bring(repository, first, second);
  EXPECT_EQ(content(live / "uploads/photo"), "through a link");
  EXPECT_EQ(content(outside / "photo"), "theirs");
}

TEST_F(GitOnDisk, ReplacesATrackedLinkByAFolderWithoutWritingThroughIt) {
  const fs::path outside = folder / "outside";
  put(outside / "file", "theirs");
  fs::create_directory_symlink(outside, developer / "dir");
  const std::string first = developer.push("one");
  auto repository = program();
  bring(repository, "", fetch(repository));
  fs::remove(developer / "dir");
  put(developer / "dir/file", "ours");
  const std::string second = developer.push("two");
  fetch(repository);
  bring(repository, first, second, {"dir/file"});
  EXPECT_EQ(content(live / "dir/file"), "ours");
  EXPECT_EQ(content(outside / "file"), "theirs");
}

// A switch that was cut off: `second` was begun, and is done by half.
TEST_F(GitOnDisk, FinishesOrUndoesASwitchThatWasCutOff) {
  put(developer / "a", "1");
  put(developer / "b", "1");
  put(developer / "removed", "1");
  const std::string first = developer.push("one");
  put(developer / "a", "2");
  put(developer / "b", "2");
  put(developer / "new", "a whole new file");
  put(developer / "complete", "whole");
  fs::remove(developer / "removed");
  const std::string second = developer.push("two");

  for (const bool forward : {true, false}) {
    fs::remove_all(live);
    fs::remove_all(folder / "state");
    auto repository = program();
    fetch(repository);
    bring(repository, "", first);
    put(folder / "state/git/switching", second + "\n");
    put(live / "a", "2");             // written
    fs::remove(live / "b");           // unlinked, not written yet
    put(live / "new", "a whole");     // torn
    put(live / "complete", "whole");  // written
    fs::remove(live / "removed");

    auto restarted = program();
    EXPECT_TRUE(await(restarted.collisions(live, first, second))->empty());
    bring(restarted, first, forward ? second : first);
    EXPECT_EQ(content(live / "a"), forward ? "2" : "1");
    EXPECT_EQ(content(live / "b"), forward ? "2" : "1");
    EXPECT_EQ(present(live / "removed"), !forward);
    EXPECT_EQ(present(live / "complete"), forward);
    EXPECT_EQ(present(live / "new") ? content(live / "new") : "",
              forward ? "a whole new file" : "");
    EXPECT_EQ(git(live, {"status", "--porcelain"}), "");
    EXPECT_FALSE(present(folder / "state/git/switching"));
  }
}

Task<void> bring_in_group(GitProgram* repository, fs::path live, std::string from, std::string to,
                          fs::path saved, bool* whole) {
  std::vector<std::string> in_place = {"a"};
  const auto report =
      co_await repository->checkout_live(live, from, to, std::move(in_place), saved);
  *whole = report.has_value();
}

TEST_F(GitOnDisk, CanBeStoppedAtAnyMoment) {
  put(developer / "a", "1");
  put(developer / "removed", "1");
  const std::string first = developer.push("one");
  put(developer / "a", "2");
  put(developer / "new", "2");
  fs::remove(developer / "removed");
  const std::string second = developer.push("two");
  {
    auto repository = program();
    fetch(repository);
    bring(repository, "", first);
  }
  put(live / ".env", "SECRET=1\n");
  std::string now = first;
  for (int i = 0; i < 16; ++i) {
    const std::string next = now == first ? second : first;
    bool whole = false;
    {
      asio::io_context loop;
      TaskGroup group(loop.get_executor());
      auto repository = program();
      group.spawn("switch", bring_in_group(&repository, live, now, next, saved, &whole));
      loop.run_for(std::chrono::milliseconds(8 * i));
      group.cancel();
      test::run_loop(loop);
    }
    // Half of them go on, half of them go back.
    const std::string wanted = i % 4 < 2 ? next : now;
    auto repository = program();
    // One that was whole before it could be stopped is where it went.
    const auto report = bring(repository, whole ? next : now, wanted, {"a"});
    // What Git was just making may be half of itself, which looks like an edit, and is kept as one.
    for (const std::string& path : report.local_edits) {
      EXPECT_EQ(path, next == second ? "new" : "removed") << i;
    }
    now = wanted;
    EXPECT_EQ(content(live / "a"), now == first ? "1" : "2") << i;
    EXPECT_EQ(present(live / "new"), now == second) << i;
    EXPECT_EQ(present(live / "removed"), now == first) << i;
    EXPECT_EQ(git(live, {"rev-parse", "HEAD"}), now) << i;
    EXPECT_EQ(git(live, {"status", "--porcelain"}), "?? .env") << i;
  }
  EXPECT_EQ(content(live / ".env"), "SECRET=1\n");
}

TEST_F(GitOnDisk, GivesWhatItWritesToTheOwnerOfTheDirectory) {
  if (::geteuid() != 0) return;  // only root can give files away, and the daemon is root
  constexpr uid_t owner = 1000;
  put(developer / "a", "1");
  developer.push("one");
  git(folder.path(), {"clone", "-q", developer.bare().string(), live.string()});
  ASSERT_EQ(::lchown(live.c_str(), owner, owner), 0);
  for (const auto& entry : fs::recursive_directory_iterator(live)) {
    ASSERT_EQ(::lchown(entry.path().c_str(), owner, owner), 0);
  }
  put(live / "theirs", "root's own");
  put(developer / "a", "2");
  put(developer / "new/file", "n");
  const std::string second = developer.push("two");
  auto repository = program();
  fetch(repository);
  bring(repository, "", second);
  EXPECT_EQ(info_of(live / "a").st_uid, owner);
  EXPECT_EQ(info_of(live / "new").st_uid, owner);
  EXPECT_EQ(info_of(live / "new/file").st_gid, owner);
  EXPECT_EQ(info_of(live / "theirs").st_uid, 0U);
  for (const auto& entry : fs::recursive_directory_iterator(live / ".git")) {
    EXPECT_EQ(info_of(entry.path()).st_uid, owner) << entry.path();
  }
  EXPECT_EQ(git(live, {"status", "--porcelain"}), "?? theirs");
}

// A lock of a git that runs stays, however slow the host is; the files are deployed regardless.
TEST_F(GitOnDisk, TakesNoLockFromAGitThatRuns) {
  const std::string own = "ref: refs/heads/production\n";
  const struct {
    const char* name;
    std::string lock;
    std::chrono::seconds age;
    bool is_taken;
  } rows[] = {
      {"a git that began just now", "", std::chrono::seconds(0), false},
      {"a git on a slow host", "ref: refs/heads/other\n", std::chrono::seconds(30), false},
      {"a git that was killed", "ref: refs/heads/other\n", std::chrono::hours(24 * 365), true},
      {"this daemon, when it was killed", own, std::chrono::seconds(1), true},
  };
  put(developer / "a", "1");
  const std::string first = developer.push("one");
  git(folder.path(), {"clone", "-q", developer.bare().string(), live.string()});
  put(developer / "a", "2");
  const std::string second = developer.push("two");
  const fs::path lock = live / ".git/HEAD.lock";
  for (const auto& row : rows) {
    git(live, {"checkout", "-q", "--detach", first});
    put(lock, row.lock);
    fs::last_write_time(lock, fs::file_time_type::clock::now() - row.age);
    auto repository = program();
    fetch(repository);
    bring(repository, first, second);
    EXPECT_EQ(content(live / "a"), "2") << row.name;
    EXPECT_EQ(present(lock), !row.is_taken) << row.name;
    EXPECT_EQ(content(live / ".git/HEAD") == own, row.is_taken) << row.name;
    fs::remove(lock);
  }
}

// Over the network

class GitOverNetwork : public testing::Test {
 protected:
  void SetUp() override {
    put(developer / "compose.yaml", "services: {}\n");
    commit = developer.push("one");
  }
  GitProgram program(const GitAccess& access, const std::string& ref = "production") {
    ++count;
    return {access, ref, folder / ("repo" + std::to_string(count) + ".git"),
            folder / ("state" + std::to_string(count))};
  }
  // What a program git of our own says, as a line of ls-remote; "" where it names no such ref.
  std::string by_git(const std::string& url, const std::string& ref) const {
    return git(folder.path(), {"ls-remote", url, ref});
  }
  // The requests of trimtab itself, without git's, since the last call. Waits until there are so
  // many: nginx notes a request only after it was answered.
  std::vector<std::string> own_requests(std::size_t at_least) {
    std::vector<std::string> own;
    const auto deadline = SteadyClock::now() + std::chrono::seconds(30);
    while (true) {
      const auto lines = split(content(servers["ACCESS_LOG"]), '\n');
      for (; seen_requests + 1 < lines.size(); ++seen_requests) {
        if (lines[seen_requests].ends_with("\"trimtab/" TRIMTAB_VERSION "\"")) {
          own.push_back(lines[seen_requests]);
        } else {
          ++foreign_requests;
        }
      }
      if (own.size() >= at_least || SteadyClock::now() > deadline) return own;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  void expect_works(const GitAccess& access) {
    auto repository = program(access);
    const auto tip = await(loop, repository.resolve_ref());
    ASSERT_TRUE(tip) << tip.error().text();
    EXPECT_EQ(tip->commit, commit);
    const auto fetched = await(loop, repository.fetch(*tip));
    ASSERT_TRUE(fetched) << fetched.error().text();
    EXPECT_EQ(*fetched, commit);
  }
  void expect_fails(const GitAccess& access, Errc code, const std::string& part) {
    for (const bool by_fetch : {false, true}) {
      auto repository = program(access);
      Error error;
      if (by_fetch) {
        const auto fetched = await(loop, repository.fetch({"refs/heads/production", commit}));
        ASSERT_FALSE(fetched);
        error = fetched.error();
      } else {
        const auto tip = await(loop, repository.resolve_ref());
        ASSERT_FALSE(tip);
        error = tip.error();
      }
      EXPECT_EQ(error.code, code) << error.text();
      EXPECT_NE(error.message.find(part), std::string::npos) << error.text();
      EXPECT_EQ(error.text().find(servers["TOKEN"]), std::string::npos) << error.text();
    }
  }
  fs::path secret(const std::string& text) {
    EXPECT_TRUE(write_file_durably(folder / "token", text + "\n"));
    return folder / "token";
  }

  TemporaryFolder folder;
  GitServers servers{folder.path()};
  Developer developer{folder / "work", folder / "repos/shop.git"};
  asio::io_context loop;  // outlives the connections that a GitProgram keeps
  std::string commit;
  int count = 0;
  std::size_t seen_requests = 0;
  std::size_t foreign_requests = 0;
};

TEST_F(GitOverNetwork, Http) {
  GitAccess access;
  access.url = servers["HTTP_OPEN"] + "/shop.git";
  expect_works(access);
  access.url = servers["HTTP_OPEN"] + "/absent.git";
  expect_fails(access, Errc::not_found, "there is no repository at " + access.url);
  access.url = servers["HTTP_FORBIDDEN"] + "/shop.git";
  expect_fails(access, Errc::denied, "denies access");
  access.url = servers["HTTP_BROKEN"] + "/shop.git";
  expect_fails(access, Errc::unavailable, "503");
  access.url = "http://127.0.0.1:1/shop.git";
  expect_fails(access, Errc::unavailable, "cannot be reached");
}

TEST_F(GitOverNetwork, HttpWithAToken) {
  GitAccess access;
  access.url = servers["HTTP_PRIVATE"] + "/shop.git";
  expect_fails(access, Errc::denied, "denies access");
  access.token_file = secret(servers["TOKEN"]);
  expect_works(access);
  access.token_file = secret("deploy:" + servers["TOKEN"]);
  expect_works(access);
  access.token_file = secret("wrong" + servers["TOKEN"]);
  expect_fails(access, Errc::denied, "the token is missing, wrong or expired");
}

TEST_F(GitOverNetwork, SendsTheTokenToNoOtherHost) {
  GitAccess access;
  access.url = servers["HTTP_MOVED"] + "/shop.git";
  access.token_file = secret(servers["TOKEN"]);
  expect_fails(access, Errc::invalid, "redirects to another address");
  const auto requests = own_requests(1);
  ASSERT_FALSE(requests.empty());
  EXPECT_EQ(requests.front().find("127.0.0.1 GET /moved/shop.git"), 0U) << requests.front();
  const std::string log = content(servers["ACCESS_LOG"]);
  EXPECT_EQ(log.find("\nlocalhost "), std::string::npos) << log;
}

TEST_F(GitOverNetwork, HttpsWithACertificateOfItsOwnAuthority) {
  GitAccess access;
  access.url = servers["HTTPS_PRIVATE"] + "/shop.git";
  access.token_file = secret(servers["TOKEN"]);
  expect_fails(access, Errc::untrusted, "TLS certificate");
  access.ca_file = servers["CA_FILE"];
  expect_works(access);
}

TEST_F(GitOverNetwork, AsksManyTimesOnOneConnectionAndStartsNoGit) {
  GitAccess access;
  access.url = servers["HTTPS_PRIVATE"] + "/shop.git/";
  access.token_file = secret(servers["TOKEN"]);
  access.ca_file = servers["CA_FILE"];
  auto repository = program(access);
  EXPECT_EQ(repository.transport_in_use(), "");
  for (int i = 0; i < 4; ++i) {
    put(developer / "a", std::to_string(i));
    const RefTip pushed{"refs/heads/production", developer.push("next")};
    const auto tip = await(loop, repository.resolve_ref());
    ASSERT_TRUE(tip) << tip.error().text();
    EXPECT_EQ(*tip, pushed);
  }
  EXPECT_EQ(repository.transport_in_use(), "https, protocol 2");
  const auto requests = own_requests(5);
  ASSERT_EQ(requests.size(), 5U) << join(requests, "\n");
  std::set<std::string> connections;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const auto words = split(requests[i], ' ');
    ASSERT_EQ(words.size(), 8U) << requests[i];
    EXPECT_EQ(words[1], i == 0 ? "GET" : "POST");
    EXPECT_EQ(words[3], "200");
    connections.insert(words[6]);
  }
  EXPECT_EQ(connections.size(), 1U);
  EXPECT_EQ(foreign_requests, 0U);

  repository.close_idle_connection();
  ASSERT_TRUE(await(loop, repository.resolve_ref()));
  const auto later = own_requests(1);
  ASSERT_EQ(later.size(), 1U) << join(later, "\n");
  EXPECT_FALSE(connections.contains(split(later[0], ' ')[6])) << later[0];
}

TEST_F(GitOverNetwork, AnswersTwoQuestionsAtOnce) {
  GitAccess access;
  access.url = servers["HTTP_OPEN"] + "/shop.git";
  auto repository = program(access);
  std::vector<std::string> commits;
  for (int i = 0; i < 2; ++i) {
    auto done = [&](std::exception_ptr, const Result<RefTip>& tip) {
      commits.push_back(tip ? tip->commit : tip.error().text());
    };
    asio::co_spawn(loop, repository.resolve_ref(), done);
  }
  test::run_loop(loop);
  EXPECT_EQ(commits, (std::vector<std::string>{commit, commit}));
}

TEST_F(GitOverNetwork, SaysTheSameAsTheProgramGit) {
  git(developer.work(), {"tag", "light"});
  git(developer.work(), {"tag", "-a", "-m", "release", "v1.9"});
  put(developer / "a", "2");
  const std::string second = developer.push("two", "main");
  developer.push("two", "main-two");
  git(developer.work(), {"tag", "-a", "-m", "release", "v1.10"});
  git(developer.work(), {"push", "-q", "--tags", "origin"});
  GitAccess access;
  access.url = servers["HTTP_OPEN"] + "/shop.git";
  const struct {
    std::string ref;
    std::string name;
    std::string by_git;
  } rows[] = {
      {"production", "refs/heads/production", "refs/heads/production"},
      {"main", "refs/heads/main", "refs/heads/main"},
      {"v*", "refs/tags/v1.10", "refs/tags/v1.10^{}"},
      {"refs/tags/v1.9", "refs/tags/v1.9", "refs/tags/v1.9^{}"},
      {"l?ght", "refs/tags/light", "refs/tags/light"},
  };
  for (const auto& row : rows) {
    auto repository = program(access, row.ref);
    const auto tip = await(loop, repository.resolve_ref());
    ASSERT_TRUE(tip) << row.ref << ": " << tip.error().text();
    EXPECT_EQ(tip->name, row.name);
    EXPECT_EQ(tip->commit + "\t" + row.by_git, by_git(access.url, row.by_git));
    EXPECT_EQ(repository.transport_in_use(), "http, protocol 2");
  }
  // A prefix of names that exist is no name.
  auto missing = program(access, "mai");
  const auto none = await(loop, missing.resolve_ref());
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Errc::not_found);
  EXPECT_EQ(none.error().text(), access.url +
                                     " has no branch mai; it has main, main-two, production: set "
                                     "git.ref, or push that branch (did you mean main?)");

  const Developer nothing(folder / "nothing", folder / "repos/empty.git");
  access.url = servers["HTTP_OPEN"] + "/empty.git";
  auto empty = program(access);
  EXPECT_EQ(await(loop, empty.resolve_ref()).error().hint, "it has no branch: push one");
}

TEST_F(GitOverNetwork, ReadsRefsOfARepositoryWithSha256) {
  const fs::path work = folder / "sha256";
  put(work / "a", "1");
  git(work, {"init", "-q", "--object-format=sha256"});
  git(work, {"add", "-A"});
  git(work, {"commit", "-q", "-m", "one"});
  git(folder.path(),
      {"clone", "-q", "--bare", work.string(), (folder / "repos/long.git").string()});
  GitAccess access;
  access.url = servers["HTTP_OPEN"] + "/long.git";
  auto repository = program(access);
  const auto tip = await(loop, repository.resolve_ref());
  ASSERT_TRUE(tip) << tip.error().text();
  EXPECT_EQ(tip->commit, git(work, {"rev-parse", "HEAD"}));
  EXPECT_EQ(tip->commit.size(), 64U);
  EXPECT_EQ(repository.transport_in_use(), "http, protocol 2");
}

TEST_F(GitOverNetwork, LeavesToGitWhatItAloneCanAsk) {
  git(developer.bare(), {"update-server-info"});
  const struct {
    std::string base;
    std::string transport_in_use;
  } rows[] = {
      {"HTTP_VERSION_0", "git program: it does not support version 2 of Git's protocol"},
      {"HTTP_DUMB", "git program: it does not support Git's smart protocol"},
  };
  for (const auto& row : rows) {
    GitAccess access;
    access.url = servers[row.base] + "/shop.git";
    auto repository = program(access);
    for (int i = 0; i < 3; ++i) {
      const auto tip = await(loop, repository.resolve_ref());
      ASSERT_TRUE(tip) << tip.error().text();
      EXPECT_EQ(tip->commit, commit);
    }
    EXPECT_EQ(repository.transport_in_use(), row.transport_in_use);
    EXPECT_EQ(own_requests(1).size(), 1U) << row.base;  // it is not tried at each question
  }
  GitAccess moved;
  moved.url = servers["HTTP_MOVED"] + "/shop.git";
  auto repository = program(moved);
  EXPECT_EQ(await(loop, repository.resolve_ref()).error().code, Errc::denied);
  EXPECT_EQ(repository.transport_in_use(), "git program: it redirects");
}

TEST_F(GitOverNetwork, SaysHowLongABusyServerWantsToBeLeftAlone) {
  GitAccess access;
  access.url = servers["HTTP_BUSY"] + "/shop.git";
  auto repository = program(access);
  const auto tip = await(loop, repository.resolve_ref());
  ASSERT_FALSE(tip);
  EXPECT_EQ(tip.error().code, Errc::unavailable);
  EXPECT_EQ(tip.error().retry_after, std::chrono::seconds(120));
  EXPECT_NE(tip.error().message.find("limits the rate of requests (429)"), std::string::npos)
      << tip.error().text();
}

TEST_F(GitOverNetwork, IsWatchedAsOftenAsTheServerWants) {
  const struct {
    std::string base;
    std::size_t at_least;
    std::size_t at_most;
  } rows[] = {{"HTTP_BROKEN", 4, 1000}, {"HTTP_BUSY", 1, 1}, {"HTTP_OPEN", 4, 1000}};
  for (const auto& row : rows) {
    GitAccess access;
    access.url = servers[row.base] + "/shop.git";
    auto repository = program(access);
    Fact<RefTip> fact;
    TaskGroup group(loop.get_executor());
    std::size_t answers = 0;
    GitWatcher* hinted = nullptr;
    asio::steady_timer hint(loop);
    // Each answer is followed by a hint, which a server that asked for patience must not feel.
    const auto on_answer = [&](bool is_news) {
      EXPECT_EQ(is_news, answers == 0) << row.base;
      if (++answers >= 4) return group.cancel();
      hint.expires_after(std::chrono::milliseconds(20));
      hint.async_wait([&](const boost::system::error_code&) { hinted->poll_now(); });
    };
    GitWatcher watcher(loop.get_executor(), repository, std::chrono::hours(1), fact, on_answer);
    hinted = &watcher;
    own_requests(0);
    group.spawn("watch", watcher.run());
    loop.restart();
    const auto deadline = SteadyClock::now() + std::chrono::seconds(30);
    while (answers == 0 && SteadyClock::now() < deadline)
      loop.run_one_for(std::chrono::milliseconds(100));
    // Ends by itself unless the watcher is patient.
    loop.run_for(std::chrono::seconds(row.at_most == 1 ? 1 : 30));
    group.cancel();
    test::run_loop(loop);
    const std::size_t requests = own_requests(row.at_least).size();
    EXPECT_GE(requests, row.at_least) << row.base;
    EXPECT_LE(requests, row.at_most) << row.base;
    EXPECT_EQ(fact.error.has_value(), row.base != "HTTP_OPEN");
  }
}

TEST_F(GitOverNetwork, SeesATokenThatIsRevokedAndANewOne) {
  GitAccess access;
  access.url = servers["HTTP_PRIVATE"] + "/shop.git";
  access.token_file = secret(servers["TOKEN"]);
  auto repository = program(access);
  ASSERT_TRUE(await(loop, repository.resolve_ref()));
  secret("revoked");
  EXPECT_EQ(await(loop, repository.resolve_ref()).error().code, Errc::denied);
  secret(servers["TOKEN"]);
  EXPECT_EQ(await(loop, repository.resolve_ref()).value().commit, commit);
  EXPECT_EQ(repository.transport_in_use(), "http, protocol 2");
  own_requests(3);
  EXPECT_EQ(foreign_requests, 0U);
}

TEST_F(GitOverNetwork, AsksAgainWhereTheRepositoryBecameAnotherOne) {
  GitAccess access;
  access.url = servers["HTTP_OPEN"] + "/shop.git";
  auto repository = program(access);
  ASSERT_TRUE(await(loop, repository.resolve_ref()));
  fs::remove_all(developer.bare());
  EXPECT_EQ(await(loop, repository.resolve_ref()).error().code, Errc::not_found);
  const fs::path work = folder / "sha256";
  put(work / "a", "1");
  git(work, {"init", "-q", "--object-format=sha256"});
  git(work, {"add", "-A"});
  git(work, {"commit", "-q", "-m", "one"});
  git(folder.path(), {"clone", "-q", "--bare", work.string(), developer.bare().string()});
  EXPECT_EQ(await(loop, repository.resolve_ref()).value().commit.size(), 64U);
  EXPECT_EQ(repository.transport_in_use(), "http, protocol 2");
}

TEST_F(GitOverNetwork, Ssh) {
  GitAccess access;
  access.url = servers["SSH"] + "/shop.git";
  access.key = servers["SSH_KEY"];
  access.known_hosts = servers["KNOWN_HOSTS"];
  expect_works(access);

  GitAccess changed = access;
  changed.known_hosts = servers["KNOWN_HOSTS_OTHER"];
  const std::string before = content(changed.known_hosts);
  expect_fails(changed, Errc::untrusted, "differs from the one pinned in");
  EXPECT_EQ(content(changed.known_hosts), before);  // never replaced by itself

  GitAccess unknown = access;
  unknown.known_hosts = folder / "absent";
  expect_fails(unknown, Errc::untrusted, "is pinned in " + (folder / "absent").string());
  EXPECT_FALSE(present(folder / "absent"));

  GitAccess refused = access;
  refused.key = servers["SSH_OTHER_KEY"];
  expect_fails(refused, Errc::denied, "refuses the SSH key " + servers["SSH_OTHER_KEY"]);

  GitAccess readable = access;
  readable.key = folder / "readable";
  fs::copy_file(access.key, readable.key);
  fs::permissions(readable.key, fs::perms(0644));
  expect_fails(readable, Errc::untrusted, "it is accessible to users other than its owner");

  GitAccess missing = access;
  missing.url = servers["SSH"] + "/absent.git";
  expect_fails(missing, Errc::not_found, "there is no repository at " + missing.url);

  GitAccess unreachable = access;
  unreachable.url = "ssh://git@127.0.0.1:1/shop.git";
  expect_fails(unreachable, Errc::unavailable, "Connection refused");
}

}  // namespace
}  // namespace trimtab
