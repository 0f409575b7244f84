#include "agent/model/classify.hpp"

#include <algorithm>
#include <array>

namespace trimtab {
namespace {

// Messages that contain phrases of words_of_release but are the host's fault.
constexpr std::array<std::string_view, 2> words_of_host{
    "bind source path does not exist",
    "no space left on device",
};

// Phrases with which Compose rejects a project, reports the exit of a container that others depend
// on, or with which the Engine or the runtime rejects a container's definition.
constexpr std::array<std::string_view, 34> words_of_release{
    "dependency failed to start",
    "is unhealthy",
    "exited with code",
    "exited (",
    "didn't complete successfully",
    "did not complete successfully",
    "of a non running container",  // a container whose network or processes it shares has exited
    "has no healthcheck configured",
    "is invalid because",
    "additional properties",
    "Additional property",
    "invalid compose project",
    "invalid interpolation format",
    "depends on undefined service",
    "which is undefined",
    "undefined network",
    "undefined volume",
    "no such service",
    "dependency cycle",
    "ircular dependency",
    "executable file not found",
    "exec format error",
    "unable to find user",
    "unable to find group",
    "needs to be an absolute path",
    "invalid reference format",
    "invalid mount config",
    "invalid volume specification",
    "invalid mode:",
    "Duplicate mount point",
    "onflicting options",
    "nknown capability",
    "invalid capability",
    "Minimum memory limit",
};

bool says_any(std::string_view text, const auto& phrases) {
  return std::any_of(phrases.begin(), phrases.end(), [&](std::string_view phrase) {
    return text.find(phrase) != std::string_view::npos;
  });
}

// Whether the runtime reports a command that is missing or cannot be executed, as in `exec:
// "./start.sh": permission denied`.
bool is_command_refused(std::string_view text) {
  const auto at = text.find("exec: \"");
  if (at == std::string_view::npos) return false;
  constexpr std::array<std::string_view, 4> refusals{
      "no such file or directory", "permission denied", "is a directory", "not a directory"};
  return says_any(text.substr(at), refusals);
}

bool is_known_to_be_wrong(Phase phase, const Error& error) {
  switch (phase) {
    case Phase::pulling:
      // The image is for other platforms or gone from its registry, or a check before the start
      // rejected the commit's files.
      return error.code == Errc::invalid || error.code == Errc::not_found;
    case Phase::switching:
      return error.code == Errc::invalid;
    case Phase::starting:
      return error.code == Errc::invalid ||
             (error.code == Errc::failed && is_fault_of_release(error.message));
    case Phase::rolling_back:
      // The release to roll back to cannot be restored, for example because its images are gone.
      return error.code == Errc::invalid || error.code == Errc::not_found ||
             (error.code == Errc::failed && is_fault_of_release(error.message));
    case Phase::before:
    case Phase::gating:
    case Phase::committing:
    case Phase::after:
    case Phase::gating_rollback:
      // Only errors of the Engine or the disk get here; how containers and hooks exited is not
      // reported as an Error.
      return false;
  }
  return false;
}

}  // namespace

bool is_fault_of_release(std::string_view words) {
  if (says_any(words, words_of_host)) return false;
  return says_any(words, words_of_release) || is_command_refused(words);
}

FailureCause classify(Phase phase, const Error& error) {
  return is_known_to_be_wrong(phase, error) ? FailureCause::release : FailureCause::host;
}

FailureCause classify_rendering(const Error& error) {
  const bool wrong = error.code == Errc::invalid || error.code == Errc::too_large;
  return wrong ? FailureCause::release : FailureCause::host;
}

}  // namespace trimtab
