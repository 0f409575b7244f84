// Repairs the daemon's own bare repository: if it is damaged it is fetched anew, and the failed
// operation is repeated.
#include <fmt/core.h>

#include <utility>

#include "agent/git/git_program.hpp"
#include "agent/git/repository_damage.hpp"

namespace trimtab {

namespace fs = std::filesystem;

namespace {

constexpr auto repair_interval = std::chrono::hours(1);

}  // namespace

template <class Operation>
auto GitProgram::repairing(Operation operation) -> decltype(operation()) {
  auto result = co_await operation();
  if (result) co_return result;
  const Result<bool> repaired = co_await repair_after(result.error());
  if (!repaired) co_return repaired.error();
  if (!*repaired) co_return result;
  auto again = co_await operation();
  co_return again;
}

Task<Result<std::string>> GitProgram::fetch(RefTip tip) {
  const auto operation = [this, tip = std::move(tip)] { return fetch_once(tip); };
  co_return co_await repairing(operation);
}

Task<Result<CommitInfo>> GitProgram::describe(std::string commit) {
  const auto operation = [this, commit = std::move(commit)] { return describe_once(commit); };
  co_return co_await repairing(operation);
}

Task<Result<std::vector<TreeEntry>>> GitProgram::tree(std::string commit) {
  const auto operation = [this, commit = std::move(commit)] { return tree_once(commit); };
  co_return co_await repairing(operation);
}

Task<Result<void>> GitProgram::keep(std::string commit, int release) {
  const auto operation = [this, commit = std::move(commit), release] {
    return keep_once(commit, release);
  };
  co_return co_await repairing(operation);
}

Task<Result<void>> GitProgram::stage(std::string commit, fs::path directory) {
  const auto operation = [this, commit = std::move(commit), directory = std::move(directory)] {
    return stage_once(commit, directory);
  };
  co_return co_await repairing(operation);
}

Task<Result<SwitchReport>> GitProgram::checkout_live(fs::path directory, std::string from,
                                                     std::string to,
                                                     std::vector<std::string> in_place,
                                                     fs::path saved) {
  const auto operation = [this, directory = std::move(directory), from = std::move(from),
                          to = std::move(to), in_place = std::move(in_place),
                          saved = std::move(saved)] {
    return switch_once(directory, from, to, in_place, saved);
  };
  co_return co_await repairing(operation);
}

std::string GitProgram::take_repair_notice() {
  return std::exchange(repair_notice_, {});
}

Task<Result<bool>> GitProgram::repair_after(Error failure) {
  const bool may_be_ours = failure.code == Errc::failed || failure.code == Errc::not_found ||
                           failure.code == Errc::invalid;
  if (!may_be_ours || !remote_ || !wanted_ || SteadyClock::now() < next_repair_) co_return false;
  const std::string damage = co_await find_damage(repository_);
  if (damage.empty()) {
    next_repair_ = SteadyClock::now() + repair_interval;
    co_return false;
  }
  const std::string what =
      fmt::format("trimtab's own repository {} is damaged ({})", repository_.string(), damage);
  auto made = co_await make_anew();
  if (!made) {
    // Another attempt is worthwhile while the remote cannot be reached.
    Error error = made.error().context(what + " and cannot be fetched again");
    if (error.code == Errc::failed) error.code = Errc::unavailable;
    co_return error;
  }
  next_repair_ = SteadyClock::now() + repair_interval;
  repair_notice_ = fmt::format("{} and was fetched again from {}", what, access_.url);
  co_return true;
}

// Builds a new repository beside the damaged one, copies the kept releases that are still readable,
// and replaces it.
Task<Result<void>> GitProgram::make_anew() {
  auto tip = co_await resolve_ref();
  if (!tip) co_return tip.error();
  const fs::path fresh = repository_.string() + ".new";
  auto made = co_await make_empty(fresh);
  if (!made) co_return made.error();
  auto fetched = co_await fetch_into(fresh, *tip);
  if (!fetched) co_return fetched.error();

  auto rescue =
      call({"fetch", "-q", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--",
            repository_.string(), "+refs/trimtab/releases/*:refs/trimtab/releases/*"});
  rescue.environment["GIT_DIR"] = fresh.string();
  rescue.environment["GIT_ALLOW_PROTOCOL"] = "file";
  rescue.timeout = std::chrono::minutes(15);
  auto rescued = co_await run_git(std::move(rescue));
  // Releases that could not be copied are fetched when keep() is repeated for them.
  if (!rescued) co_return rescued.error();

  co_return co_await put_in_place(fresh);
}

}  // namespace trimtab
