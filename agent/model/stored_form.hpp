// How Git holds a file that has to be turned into its real content before anybody can use it.
#pragma once

#include <string_view>

namespace trimtab {

enum class StoredForm {
  as_it_is,
  lfs_pointer,  // the content lies on the server of Git LFS
  git_crypt,    // encrypted by git-crypt
  sops,         // its values are encrypted by SOPS
};

// Of how many bytes of a file its form is told. What SOPS says of itself stands at the end of a
// file, which is longer than this only if it is no collection of settings.
inline constexpr std::size_t stored_form_size = 64 * 1024;

// Recognises a file by its beginning, since `.gitattributes` says what should be and not what is.
// Sources: git-lfs docs/spec.md, git-crypt's header, and the metadata of SOPS, which are the same
// in YAML, JSON, INI and env files but for their punctuation.
StoredForm stored_form(std::string_view beginning);

}  // namespace trimtab
