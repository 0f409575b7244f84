// The systemd unit that boots a stack: its text, and whose a unit file is. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace trimtab {

struct StackUnit {
  std::string stack;
  std::string project;
  std::string directory;             // the live checkout
  std::string state_directory;       // the stack's, with the link `current`
  std::string empty_file;            // for Compose in place of a .env file
  std::vector<std::string> compose;  // argv of Compose, its program by absolute path
  std::string docker_socket;
  bool has_pull_option = true;  // whether this Compose's `up` knows --pull
};

// The whole file. It names neither trimtab's programs nor a release: it boots what `current` links
// to, offline, also where trimtab is gone. Source: systemd.service(5), systemd.unit(5).
std::string stack_unit_text(const StackUnit& unit);

// Whether it is the text of a unit that trimtab has written for that stack.
bool is_unit_of(std::string_view text, const std::string& stack);
// Whether trimtab wrote the file, for any stack.
bool is_written_by_trimtab(std::string_view text);

// What the unit reads of the release, in its file boot.env: the services to start. One-shot jobs
// are not among them: at boot they would do their work again. No service: none is started.
std::string boot_file_text(const std::vector<std::string>& services);

}  // namespace trimtab
