// What is known about the outside world, with the time of each fact and the last error.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>

#include "common/result.hpp"
#include "common/text.hpp"

namespace trimtab {

// The commit to which a ref of the remote points.
struct RefTip {
  std::string name;    // refs/heads/production, refs/tags/v1.2
  std::string commit;  // full hexadecimal id of the commit; for a tag, the peeled one

  friend bool operator==(const RefTip&, const RefTip&) = default;
};

struct CommitInfo {
  std::string commit;
  std::string subject;
  std::string author;
  WallTime committed_at;
};

// An entry of a commit's tree.
struct TreeEntry {
  std::string mode;  // 100644, 100755, 120000 (symlink), 160000 (submodule)
  std::string blob;
  std::string path;  // relative to the top of the repository
};

// A value that a watcher polls.
template <class T>
struct Fact {
  std::optional<T> value;            // last successful answer
  std::optional<Error> error;        // error of the last poll, if it failed
  std::optional<WallTime> asked_at;  // time of the last poll
  // Times of the last successful answer and of its last change. Steady, so that facts can be
  // ordered even after the wall clock was set back.
  std::optional<std::chrono::steady_clock::time_point> answered_at;
  std::optional<std::chrono::steady_clock::time_point> changed_at;
  int failures = 0;  // consecutive failures

  // Whether the answer is news: another value, or one after an error.
  bool succeed(T answer) {
    const bool had_failed = error.has_value();
    error.reset();
    failures = 0;
    asked_at = wall_now();
    answered_at = std::chrono::steady_clock::now();
    if (value == answer) return had_failed;
    value = std::move(answer);
    changed_at = answered_at;
    return true;
  }
  // Whether the error is news.
  bool fail(Error reason) {
    const bool is_news = error != reason;
    error = std::move(reason);
    ++failures;
    asked_at = wall_now();
    return is_news;
  }
};

struct Facts {
  Fact<RefTip> tip;
  // By image reference as in the Compose file: a digest, or not_found as error.
  std::map<std::string, Fact<std::string>> digests;
};

}  // namespace trimtab
