#include "agent/record/kept_file.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>

#include "agent/record/release_json.hpp"
#include "common/files.hpp"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

constexpr int max_set_aside = 1000;

struct Reading {
  std::optional<Json> json;  // whole
  bool absent = false;
  bool newer = false;
  Error error;  // why it is not whole
};

// An error of the disk is none of the file's.
Result<Reading> read_one(const fs::path& path) {
  Reading reading;
  const Result<std::string> text = read_file(path);
  if (!text && text.error().code == Errc::not_found) {
    reading.absent = true;
    return reading;
  }
  if (!text) return text.error();
  Result<Json> json = parse_json(*text);
  const Result<void> checked = json ? check_schema(*json, "it") : Result<void>(json.error());
  if (checked) {
    reading.json = std::move(*json);
  } else {
    reading.error = checked.error();
    reading.newer = json && is_newer(*json);
  }
  return reading;
}

}  // namespace

Result<fs::path> keep_aside(const fs::path& path) {
  for (int i = 1; i < max_set_aside; ++i) {
    const fs::path aside =
        fmt::format("{}.broken{}", path.string(), i == 1 ? "" : fmt::format(".{}", i));
    if (::link(path.c_str(), aside.c_str()) == 0) return aside;
    if (errno != EEXIST) return os_error("set aside", path, errno);
  }
  return Error{Errc::conflict, path.string() + ": too many such files are quarantined",
               fmt::format("remove {}.broken*", path.string())};
}

Result<std::optional<Json>> KeptFile::read() {
  const Result<Reading> first = read_one(path_);
  const Result<Reading> second = read_one(copy());
  for (const auto* reading : {&first, &second}) {
    if (!*reading || !(*reading)->newer) continue;
    // What an older one says may long be untrue.
    doubt_ = fmt::format("{} cannot be read ({})", path_.string(), (*reading)->error.message);
    return std::optional<Json>();
  }
  if (first && first->json) {
    // A crash between the two, or a version that knows of no copy.
    const bool same = second && second->json && *second->json == *first->json;
    if (!same) static_cast<void>(write(*first->json));
    return first->json;
  }
  if (second && second->json) {
    const std::string why = !first          ? first.error().message
                            : first->absent ? "it no longer exists"
                                            : first->error.message;
    repair_ = fmt::format("{} cannot be read ({}); its copy is used", path_.string(), why);
    if (first && !first->absent) static_cast<void>(keep_aside(path_));
    static_cast<void>(write(*second->json));
    return second->json;
  }
  if (!first) return first.error();
  if (!second) return second.error();
  if (first->absent && second->absent) return std::optional<Json>();
  const Reading& torn = first->absent ? *second : *first;
  doubt_ = fmt::format("{} cannot be read ({})", path_.string(), torn.error.message);
  return std::optional<Json>();
}

Result<void> KeptFile::write(Json json) {
  json["schema"] = record_schema;
  const std::string text = dump_json(json, 2) + "\n";
  std::error_code ec;
  if (is_doubtful()) {
    for (const fs::path& path : {path_, copy()}) {
      if (!fs::exists(path, ec)) continue;
      if (auto kept = keep_aside(path); !kept) return kept.error();
    }
  }
  if (auto written = write_file_durably(path_, text); !written) return written;
  doubt_.clear();
  const auto copied = write_file_durably(copy(), text);
  // None is better than one that says what is no longer true.
  if (!copied && ::unlink(copy().c_str()) != 0 && errno != ENOENT) {
    return os_error("remove", copy(), errno);
  }
  return {};
}

}  // namespace trimtab
