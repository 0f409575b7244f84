// What is known of the outside, each with its age and its last error.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>

#include "common/result.hpp"
#include "common/text.hpp"

namespace trimtab {

// Where a ref of the remote points.
struct RefTip {
  std::string name;    // refs/heads/production, refs/tags/v1.2
  std::string commit;  // full hexadecimal object id of the commit (a tag's peeled)

  friend bool operator==(const RefTip&, const RefTip&) = default;
};

struct CommitInfo {
  std::string commit;
  std::string subject;
  std::string author;
  WallTime committed_at;
};

// A file of a commit.
struct TreeEntry {
  std::string mode;  // 100644, 100755, 120000 (symlink), 160000 (submodule)
  std::string blob;
  std::string path;  // relative to the top
};

// A value that a watcher asks for again and again.
template <class T>
struct Fact {
  std::optional<T> value;            // the last good answer
  std::optional<Error> error;        // of the last try, if it failed
  std::optional<WallTime> asked_at;  // of the last try
  // Of the last good answer, and since when it is this one. Of two facts, also where the wall clock
  // is set back meanwhile, they tell which is newer.
  std::optional<std::chrono::steady_clock::time_point> answered_at;
  std::optional<std::chrono::steady_clock::time_point> changed_at;
  int failures = 0;  // in a row

  void succeed(T answer) {
    error.reset();
    failures = 0;
    asked_at = wall_now();
    answered_at = std::chrono::steady_clock::now();
    if (value == answer) return;
    value = std::move(answer);
    changed_at = answered_at;
  }
  void fail(Error reason) {
    error = std::move(reason);
    ++failures;
    asked_at = wall_now();
  }
};

struct Facts {
  Fact<RefTip> tip;
  // By image reference as the compose file writes it; a digest, or not_found as error.
  std::map<std::string, Fact<std::string>> digests;
};

}  // namespace trimtab
