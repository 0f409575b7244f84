// A small JSON file that must not be lost: kept twice, and never overwritten where this version
// cannot read it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "common/json.hpp"
#include "common/result.hpp"

namespace trimtab {

class KeptFile {
 public:
  explicit KeptFile(std::filesystem::path path) : path_(std::move(path)) {}

  // What was written last: of the file or, where that is torn or gone, of its copy; nothing where
  // neither was ever written, or where is_doubtful() afterwards. An error where the disk cannot be
  // read, so that nothing can be said at all.
  Result<std::optional<Json>> read();

  // Whether there is something that this version cannot read: torn twice, or of a newer schema.
  [[nodiscard]] bool is_doubtful() const { return !doubt_.empty(); }
  // "PATH cannot be read (why)"; "" where it is not doubtful.
  [[nodiscard]] const std::string& doubt() const { return doubt_; }
  // As doubt(), where the copy was taken in place of a torn file.
  [[nodiscard]] const std::string& repair() const { return repair_; }

  // Writes both; what was doubtful is set aside first, beside it with the suffix .broken, and is
  // doubtful no more. `json` gets the schema.
  Result<void> write(Json json);

 private:
  [[nodiscard]] std::filesystem::path copy() const { return path_.string() + ".copy"; }

  std::filesystem::path path_;
  std::string doubt_;
  std::string repair_;
};

// Gives the file a second name, PATH.broken or, where that is taken, PATH.broken.2 and so on; gives
// that name. The file itself stays.
Result<std::filesystem::path> keep_aside(const std::filesystem::path& path);

}  // namespace trimtab
