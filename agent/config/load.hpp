// Reads the configuration. One pass reports every mistake in every file, each with its place.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "agent/config/settings.hpp"

namespace trimtab {

enum class Severity { error, warning };

// Something that is wrong in a file, in a user's words. Never holds a secret: values of keys that
// may hold one by mistake are not quoted.
struct Finding {
  std::filesystem::path file;
  int line = 0;    // from 1; 0: the file as a whole
  int column = 0;  // from 1; 0 with line 0
  Severity severity = Severity::error;
  std::string message;

  friend bool operator==(const Finding&, const Finding&) = default;
};

// "FILE:LINE:COLUMN: MESSAGE", with "warning: " before the message of a warning.
std::string to_string(const Finding& finding);

struct LoadResult {
  DaemonSettings daemon;              // the defaults where its file is absent or has errors
  std::vector<StackSettings> stacks;  // those without an error, by name
  std::vector<Finding> findings;      // by file, then by place

  // No errors; there may be warnings.
  [[nodiscard]] bool ok() const;
};

// CONFIG_DIR/trimtab.yaml, which may be absent, and CONFIG_DIR/stacks.d/*.yaml.
LoadResult load_config(const std::filesystem::path& config_dir);

// The given files alone: trimtab.yaml by its name, every other one as a stack. For `trimtab check
// FILE…`.
LoadResult load_files(const std::vector<std::filesystem::path>& files);

// From texts instead of files; `file` names the text in findings and, with its stem, the stack.
// What these return is complete only if no error was added to `findings`.
DaemonSettings parse_daemon(std::string_view text, const std::filesystem::path& file,
                            std::vector<Finding>& findings);
StackSettings parse_stack(std::string_view text, const std::filesystem::path& file,
                          std::vector<Finding>& findings);

// Every key that a file may have: "git", "git.url", "gate.probe[].url". For the test that holds the
// JSON Schema against them.
std::vector<std::string> daemon_keys();
std::vector<std::string> stack_keys();

// Whether a text may be the name of a stack: [a-z0-9][a-z0-9_-]{0,62}.
bool is_stack_name(std::string_view text);

// The proxies of the settings; what these leave open, the environment may say.
http::Proxies proxies_of(const DaemonSettings& daemon);

}  // namespace trimtab
