#include "agent/config/config_files.hpp"

#include <system_error>

#include "common/files.hpp"
#include "common/trusted_file.hpp"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t file_limit = 256 * 1024;

}  // namespace

std::optional<std::string> read_text(Document& document, Origin origin) {
  std::error_code ec;
  const fs::file_status status = fs::status(document.file(), ec);
  // Opening a named pipe would block until a writer appears.
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    document.report({0, 0}, "not a regular file");
    return std::nullopt;
  }
  if (origin == Origin::installed) {
    const Result<void> trusted = check_trusted(document.file(), Privacy::open);
    const bool is_there = trusted || trusted.error().code != Errc::not_found;
    if (!trusted && is_there) document.report({0, 0}, trusted.error().text());
  }
  Result<std::string> content = read_file(document.file(), file_limit);
  if (content) return std::move(*content);
  document.report({0, 0}, content.error().text());
  return std::nullopt;
}

StackFiles find_stack_files(const fs::path& directory, std::vector<Finding>& findings) {
  StackFiles found;
  std::error_code ec;
  fs::directory_iterator entry(directory, ec);
  for (; !ec && entry != fs::directory_iterator(); entry.increment(ec)) {
    const fs::path& file = entry->path();
    // Editors leave hidden files with this extension behind.
    if (file.filename().string().starts_with(".")) continue;
    if (file.extension() == ".yaml") found.files.push_back(file);
    if (file.extension() == ".yml") {
      findings.push_back(
          {file, 0, 0, Severity::warning, "ignored: a stack's file name must end with .yaml"});
    }
  }
  if (ec && ec != std::errc::no_such_file_or_directory) {
    findings.push_back({directory, 0, 0, Severity::error, "cannot be listed: " + ec.message()});
  }
  found.is_complete = !ec;
  return found;
}

}  // namespace trimtab
