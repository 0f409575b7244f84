// Finds the files that a compose file reads besides itself, without running Compose. Pure.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/json.hpp"

namespace trimtab {

// A compose file that another one refers to by `include:` or `extends:`.
struct FurtherFile {
  std::string path;                    // as path_from() returns it
  std::string base;                    // the directory that the paths in it are relative to
  std::vector<std::string> env_files;  // with the values of its variables

  friend bool operator==(const FurtherFile&, const FurtherFile&) = default;
};

using Variables = std::map<std::string, std::string>;

// Returns `path` relative to the checkout, with leading ".." if it is outside, or absolute; "" is
// the checkout itself. Nothing if a variable in it has no value. `base`: the directory that it is
// relative to, "" for the checkout.
std::optional<std::string> path_from(const std::string& base, const std::string& path,
                                     const Variables& variables);

// Returns the files that COMPOSE_FILE names, as written; none if it is not set.
// Source: https://docs.docker.com/compose/how-tos/environment-variables/envvars/
std::vector<std::string> files_named_by(const Variables& variables);

// Returns the files that Compose takes if it is told none: the first default one that `exists`
// finds, then its override file.
std::vector<std::string> default_files(const std::function<bool(const std::string&)>& exists);

// Returns the variables with those of an env file; what is already set takes precedence.
Variables with_env_file(Variables variables, const std::string& text);

// Returns the directory of the stack's first compose file, to which the paths in all are relative.
std::string project_directory(const std::vector<std::string>& files);

// Returns the env files that may have the values of their variables, in order of precedence: the
// configured one, else the default one of their directory or of the checkout.
std::vector<std::string> possible_env_files(const std::optional<std::string>& named,
                                            const std::vector<std::string>& files);

// Returns whether Compose would fetch it from another host.
bool is_remote(const std::string& path);

// Returns the files in `env_file:` and `label_file:` of the services, as written.
std::vector<std::string> env_files_of(const Json& raw);

// Returns the directories from which images are built, as written: docker-compose 1 requires that
// they exist.
std::vector<std::string> build_contexts_of(const Json& raw);

// Source: https://docs.docker.com/reference/compose-file/include/ and …/services/#extends
std::vector<FurtherFile> further_files(const Json& raw, const std::string& base,
                                       const Variables& variables);

}  // namespace trimtab
