#include "agent/record/store_files.hpp"

#include "common/files.hpp"
#include "common/number.hpp"

namespace trimtab {

int number_of(const std::string& name) {
  const int number = parse_number<int>(name).value_or(0);
  return number > 0 ? number : 0;
}

Result<Json> read_json(const std::filesystem::path& path) {
  Result<std::string> text = read_file(path);
  if (!text) return text.error();
  return parse_json(*text);
}

Result<void> write_json(const std::filesystem::path& path, const Json& json) {
  return write_file_durably(path, dump_json(json, 2) + "\n");
}

}  // namespace trimtab
