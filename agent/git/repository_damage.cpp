#include "agent/git/repository_damage.hpp"

#include "agent/git/git_child.hpp"
#include "agent/git/remote.hpp"
#include "common/text.hpp"

namespace trimtab {

namespace fs = std::filesystem;

namespace {

// Bits of the exit code of `git fsck`. Bit 1 is ignored: it is also set by old commits that break
// today's rules, as their authors made them.
constexpr int unreachable = 2;
constexpr int bad_pack = 4;
constexpr int bad_refs = 8;
constexpr int fatal = 128;

std::string first_complaint(const std::string& standard_error) {
  for (const std::string& line : split(printable(standard_error), '\n')) {
    for (const std::string_view prefix : {"fatal: ", "error: "}) {
      if (line.starts_with(prefix)) return line.substr(prefix.size());
    }
  }
  return "git fsck reports errors";
}

}  // namespace

Task<std::string> find_damage(fs::path repository) {
  std::error_code ec;
  const fs::file_status status = fs::symlink_status(repository, ec);
  if (!fs::exists(status)) co_return std::string();
  if (!fs::is_directory(status)) co_return std::string("it is not a directory");
  GitCall check;
  check.arguments = {"fsck", "--no-dangling", "--no-progress"};
  check.environment = git_environment();
  check.environment["GIT_DIR"] = repository.string();
  check.timeout = std::chrono::minutes(15);
  auto exit = co_await run_git(std::move(check));
  // A check that was killed, for lack of memory or by its timeout, says nothing about the
  // repository.
  if (!exit || exit->signal != 0) co_return std::string();
  const bool damaged =
      exit->code == fatal || (exit->code & (unreachable | bad_pack | bad_refs)) != 0;
  if (!damaged || exit->code > fatal) co_return std::string();
  co_return first_complaint(exit->err);
}

}  // namespace trimtab
