#include "agent/record/store_files.hpp"

#include <charconv>

#include "common/files.hpp"

namespace trimtab {

int number_of(const std::string& name) {
  int number = 0;
  const auto [stop, ec] = std::from_chars(name.data(), name.data() + name.size(), number);
  return ec == std::errc() && stop == name.data() + name.size() && number > 0 ? number : 0;
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
