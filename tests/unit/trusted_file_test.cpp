#include "common/trusted_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>

#include "common/files.hpp"
#include "tests/lib/temporary_folder.hpp"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

constexpr uid_t other = 1000;

class TrustedFile : public testing::Test {
 protected:
  TrustedFile() {
    fs::create_directories(file.parent_path());
    EXPECT_TRUE(write_file_durably(file, "secret\n", 0600));
  }
  // What is said of it, without the folder of this test; "" if it is trusted.
  [[nodiscard]] std::string words(const fs::path& path, Privacy privacy) const {
    const auto trusted = check_trusted(path, privacy);
    if (trusted) return {};
    std::string text = trusted.error().text();
    const std::string prefix = folder.path().string();
    for (auto at = text.find(prefix); at != std::string::npos; at = text.find(prefix)) {
      text.erase(at, prefix.size());
    }
    return text;
  }
  static void own(const fs::path& path) { ASSERT_EQ(::lchown(path.c_str(), other, other), 0); }

  test::TemporaryFolder folder;
  fs::path file = folder / "etc/keys/shop";
};

TEST_F(TrustedFile, IsOneThatNobodyElseCanChange) {
  const struct {
    const char* name;
    std::function<void()> prepare;
    const char* open;
    const char* secret;
  } rows[] = {
      {"as it should be", [] {}, "", ""},
      {"read by others", [this] { ::chmod(file.c_str(), 0644); }, "",
       "/etc/keys/shop cannot be trusted: it is accessible to users other than its owner; "
       "run chmod 600 /etc/keys/shop"},
      {"written by the group", [this] { ::chmod(file.c_str(), 0620); },
       "/etc/keys/shop cannot be trusted: it is writable by users other than its owner; "
       "run chmod go-w /etc/keys/shop",
       "/etc/keys/shop cannot be trusted: it is writable by users other than its owner; "
       "run chmod go-w /etc/keys/shop"},
      {"in a directory that others write", [this] { ::chmod((folder / "etc").c_str(), 0777); },
       "/etc/keys/shop cannot be trusted: /etc is writable by users other than its owner; "
       "run chmod go-w /etc",
       "/etc/keys/shop cannot be trusted: /etc is writable by users other than its owner; "
       "run chmod go-w /etc"},
      {"in a directory like /tmp", [this] { ::chmod((folder / "etc").c_str(), 01777); }, "", ""},
      {"through a link of ours",
       [this] {
         fs::rename(folder / "etc", folder / "real");
         fs::create_directory_symlink("real", folder / "etc");
       },
       "", ""},
      {"through a link to where others write",
       [this] {
         fs::rename(folder / "etc", folder / "real");
         fs::create_directory_symlink(folder / "real", folder / "etc");
         ::chmod((folder / "real/keys").c_str(), 0775);
       },
       "/etc/keys/shop cannot be trusted: /real/keys is writable by users other than its owner; "
       "run chmod go-w /real/keys",
       "/etc/keys/shop cannot be trusted: /real/keys is writable by users other than its owner; "
       "run chmod go-w /real/keys"},
      {"a directory in its place",
       [this] {
         fs::remove(file);
         fs::create_directory(file);
       },
       "/etc/keys/shop is not a regular file", "/etc/keys/shop is not a regular file"},
      {"not there", [this] { fs::remove(file); },
       "cannot read /etc/keys/shop: No such file or directory",
       "cannot read /etc/keys/shop: No such file or directory"},
  };
  for (const auto& row : rows) {
    fs::remove_all(folder / "etc");
    fs::remove_all(folder / "real");
    fs::create_directories(file.parent_path());
    ASSERT_TRUE(write_file_durably(file, "secret\n", 0600));
    row.prepare();
    EXPECT_EQ(words(file, Privacy::open), row.open) << row.name;
    EXPECT_EQ(words(file, Privacy::secret), row.secret) << row.name;
  }
}

TEST_F(TrustedFile, AndItsDirectoriesBelongToRoot) {
  if (::geteuid() != 0) return;  // only root can give files away
  const struct {
    const char* owned;
    const char* said;
  } rows[] = {
      {"etc/keys/shop",
       "/etc/keys/shop cannot be trusted: it belongs to user 1000, not to root; "
       "run chown root: /etc/keys/shop"},
      {"etc/keys",
       "/etc/keys/shop cannot be trusted: /etc/keys belongs to user 1000, not to root; "
       "run chown root: /etc/keys"},
  };
  for (const auto& row : rows) {
    own(folder / row.owned);
    EXPECT_EQ(words(file, Privacy::open), row.said);
    // Also where a secret is about to be used.
    EXPECT_EQ(read_secret_file(file).error().code, Errc::untrusted);
    ASSERT_EQ(::lchown((folder / row.owned).c_str(), 0, 0), 0);
  }
  EXPECT_EQ(read_secret_file(file).value(), "secret");

  const fs::path link = folder / "link";
  fs::create_symlink(file, link);
  EXPECT_EQ(words(link, Privacy::secret), "");
  own(link);
  EXPECT_EQ(words(link, Privacy::secret),
            "/link cannot be trusted: it belongs to user 1000, not to root; "
            "run chown -h root: /link");
  // Whoever owns the sticky directory can rename what is in it.
  ::chmod((folder / "etc").c_str(), 01777);
  own(folder / "etc");
  EXPECT_EQ(check_trusted(file, Privacy::open).error().code, Errc::untrusted);
}

}  // namespace
}  // namespace trimtab
