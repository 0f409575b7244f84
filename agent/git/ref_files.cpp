#include "agent/git/ref_files.hpp"

#include "agent/git/git_child.hpp"
#include "common/fd_io.hpp"
#include "common/text.hpp"

namespace trimtab {

namespace fs = std::filesystem;

namespace {

constexpr int max_hops = 5;
constexpr std::size_t max_ref = 4096;
constexpr std::size_t max_list = 64 * 1024 * 1024;
constexpr std::string_view names_another = "ref: ";

std::optional<std::string> text_of(const ConfinedDirectory& directory, const fs::path& path,
                                   std::size_t limit) {
  const auto file = directory.read(path);
  if (!file) return std::nullopt;
  auto text = read_all(file->get(), directory.path() / path, limit);
  if (!text) return std::nullopt;
  return std::move(*text);
}

// Looks the ref up in packed-refs, where Git moves refs that have not changed for a while: lines of
// <id> SP <ref>.
std::string id_in_list(const ConfinedDirectory& directory, const fs::path& git,
                       const std::string& ref) {
  const auto list = text_of(directory, git / "packed-refs", max_list);
  if (!list) return {};
  const std::string end_of_line = " " + ref + "\n";
  const auto end = list->find(end_of_line);
  if (end == std::string::npos) return {};
  const auto line = list->rfind('\n', end);
  const auto begin = line == std::string::npos ? 0 : line + 1;
  std::string id = list->substr(begin, end - begin);
  return is_object_id(id) ? id : std::string();
}

}  // namespace

std::string id_of_ref(const ConfinedDirectory& directory, const fs::path& git, std::string ref) {
  for (int hop = 0; hop < max_hops; ++hop) {
    const auto text = text_of(directory, git / ref, max_ref);
    if (!text) return id_in_list(directory, git, ref);
    const std::string_view content = trim(*text);
    if (!content.starts_with(names_another)) {
      return is_object_id(content) ? std::string(content) : std::string();
    }
    ref = trim(content.substr(names_another.size()));
  }
  return {};
}

std::string branch_of_head(const ConfinedDirectory& directory, const fs::path& git) {
  const auto text = text_of(directory, git / "HEAD", max_ref);
  if (!text || !text->starts_with(names_another)) return {};
  return std::string(trim(text->substr(names_another.size())));
}

}  // namespace trimtab
