#include "agent/model/stored_form.hpp"

namespace trimtab {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t max_pointer_size = 1024;

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace

StoredForm stored_form(std::string_view beginning) {
  if (beginning.starts_with("\0GITCRYPT\0"sv)) return StoredForm::git_crypt;
  const bool is_pointer = beginning.starts_with("version https://git-lfs.github.com/spec/") ||
                          beginning.starts_with("version https://hawser.github.com/spec/");
  if (is_pointer && beginning.size() < max_pointer_size && has(beginning, "\noid sha256:")) {
    return StoredForm::lfs_pointer;
  }
  const bool has_values = has(beginning, "ENC[AES256_GCM,data:");
  if (has_values && has(beginning, "sops") && has(beginning, "lastmodified"))
    return StoredForm::sops;
  return StoredForm::as_it_is;
}

}  // namespace trimtab
