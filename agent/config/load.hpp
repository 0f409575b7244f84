// Reads the configuration. One pass reports all mistakes in all files, each with its location.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "agent/config/settings.hpp"

namespace trimtab {

enum class Severity { error, warning };

// A mistake in a file, described for the user. Never contains a secret: values of keys that may
// hold one by mistake are not quoted.
struct Finding {
  std::filesystem::path file;
  int line = 0;    // from 1; 0: the whole file
  int column = 0;  // from 1; 0 if line is 0
  Severity severity = Severity::error;
  std::string message;

  friend bool operator==(const Finding&, const Finding&) = default;
};

// Formats "FILE:LINE:COLUMN: MESSAGE", with "warning: " before the message of a warning.
std::string to_string(const Finding& finding);

struct LoadResult {
  DaemonSettings daemon;              // defaults if its file is absent or has errors
  std::vector<StackSettings> stacks;  // only those without an error, by name
  std::vector<Finding> findings;      // by file, then by location
  // Whether all files of stacks were seen: false if a directory is missing or cannot be listed.
  bool is_complete = true;

  // Whether there are no errors; there may be warnings.
  [[nodiscard]] bool ok() const;
};

// Loads CONFIG_DIR/trimtab.yaml, which may be absent, and CONFIG_DIR/stacks.d/*.yaml.
LoadResult load_config(const std::filesystem::path& config_dir);

// Loads only the given files, for `trimtab check FILE…`: trimtab.yaml is recognised by its name,
// every other file is a stack.
LoadResult load_files(const std::vector<std::filesystem::path>& files);

// Parse texts instead of files. `file` is the name used in findings, and its stem is the stack's
// name. The results are complete only if no error was added to `findings`.
DaemonSettings parse_daemon(std::string_view text, const std::filesystem::path& file,
                            std::vector<Finding>& findings);
StackSettings parse_stack(std::string_view text, const std::filesystem::path& file,
                          std::vector<Finding>& findings);

// Return every key that a file may have: "git", "git.url", "gate.probe[].url". A test compares the
// JSON Schema with them.
std::vector<std::string> daemon_keys();
std::vector<std::string> stack_keys();

// Whether the text is a valid stack name: [a-z0-9][a-z0-9_-]{0,62}.
bool is_stack_name(std::string_view text);

// Returns the proxies of the settings; the environment fills in those not set.
http::Proxies proxies_of(const DaemonSettings& daemon);

}  // namespace trimtab
