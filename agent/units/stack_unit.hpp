// The systemd unit that boots a stack: its text, and who wrote a given unit file. Pure functions.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace trimtab {

struct StackUnit {
  std::string stack;
  std::string project;
  std::string directory;             // the live checkout
  std::string state_directory;       // the stack's state directory, with the link `current`
  std::string empty_file;            // passed to Compose instead of a .env file
  std::vector<std::string> compose;  // argv prefix of Compose, its program by absolute path
  std::string docker_socket;
  bool has_pull_option = true;  // this Compose's `up` supports --pull
};

// Returns the unit file's text. It names neither trimtab's programs nor a release: it boots what
// `current` links to, offline, even if trimtab was removed. See systemd.service(5),
// systemd.unit(5).
std::string stack_unit_text(const StackUnit& unit);

// Returns true if trimtab wrote this unit file for that stack.
bool is_unit_of(std::string_view text, const std::string& stack);
// Returns true if trimtab wrote this unit file, for any stack.
bool is_written_by_trimtab(std::string_view text);

// Returns the text of a release's boot.env, from which the unit reads the services to start, and
// the `variables` that Compose reads then. It must not list one-shot jobs, which would run again at
// each boot. An empty list starts nothing.
std::string boot_file_text(const std::vector<std::string>& services,
                           const std::map<std::string, std::string>& variables);

}  // namespace trimtab
