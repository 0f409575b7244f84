#include "agent/compose/compose_messages.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <regex>

#include "agent/model/classify.hpp"
#include "common/text.hpp"

namespace trimtab {
namespace {

constexpr std::array<std::string_view, 2> words_of_full_disk{"no space left on device",
                                                             "disk quota exceeded"};

constexpr std::array<std::string_view, 12> words_of_lost_engine{
    "error during connect",         "Cannot connect to the Docker daemon",
    "docker daemon running",        "Couldn't connect to Docker daemon",
    "Connection aborted",           "UnixHTTPConnectionPool",
    "Remote end closed connection", "unexpected EOF",
    "connection reset by peer",     "transport is closing",
    "connection error: desc",       "shutting down"};

// Compose is missing (as for seconds during its upgrade), or something that it needs to run is.
constexpr std::array<std::string_view, 17> words_of_host{"is not a docker command",
                                                         "unknown command: docker compose",
                                                         "unknown docker command",
                                                         "unknown shorthand flag: 'f' in -f",
                                                         "error while loading shared libraries",
                                                         "ModuleNotFoundError",
                                                         "ImportError",
                                                         "DistributionNotFound",
                                                         "PackageNotFoundError",
                                                         "MemoryError",
                                                         "annot allocate memory",
                                                         "out of memory",
                                                         "esource temporarily unavailable",
                                                         "oo many open files",
                                                         "o space left on device",
                                                         "nput/output error",
                                                         "ead-only file system"};

bool says_any(std::string_view text, const auto& phrases) {
  return std::any_of(phrases.begin(), phrases.end(), [&](std::string_view phrase) {
    return text.find(phrase) != std::string_view::npos;
  });
}

std::vector<std::string> last(const std::vector<std::string>& words, std::size_t count) {
  const std::size_t first = words.size() > count ? words.size() - count : 0;
  return {words.begin() + static_cast<std::ptrdiff_t>(first), words.end()};
}

// A line of Compose 2's log, `time="…" level=warning msg="…"`, becomes its message; other lines are
// kept as they are.
struct Line {
  bool warning = false;
  std::string text;
};

Line read_line(std::string_view raw) {
  static const std::regex logrus(
      R"re(^(?:time="[^"]*" )?level=(\w+) msg="((?:[^"\\]|\\.)*)".*$)re");
  Line line;
  line.text = std::string(trim(printable(raw)));
  std::smatch match;
  if (std::regex_match(line.text, match, logrus)) {
    line.warning = match[1] == "warning";
    line.text = replace_all(match[2].str(), "\\\"", "\"");
  } else if (line.text.rfind("WARNING: ", 0) == 0) {
    line.warning = true;
    line.text.erase(0, 9);
  }
  return line;
}

std::vector<Line> read_lines(std::string_view standard_error) {
  // Longer lines are no messages for people, and std::regex recurses once per character.
  std::vector<Line> lines;
  for (const std::string& raw : split(standard_error, '\n')) {
    Line line = read_line(std::string_view(raw).substr(0, 4096));
    if (!line.text.empty()) lines.push_back(std::move(line));
  }
  return lines;
}

std::string variable_of(const std::string& text) {
  static const std::regex unset(R"re(The "?([A-Za-z_][A-Za-z0-9_]*)"? variable is not set)re");
  std::smatch match;
  return std::regex_search(text, match, unset) ? match[1].str() : std::string();
}

}  // namespace

std::vector<std::string> unset_variables(std::string_view standard_error) {
  std::vector<std::string> names;
  for (const Line& line : read_lines(standard_error)) {
    const std::string name = variable_of(line.text);
    if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end()) {
      names.push_back(name);
    }
  }
  return names;
}

std::vector<std::string> other_warnings(std::string_view standard_error, const std::string& staged,
                                        const std::string& root) {
  std::vector<std::string> warnings;
  for (const Line& line : read_lines(standard_error)) {
    if (!line.warning || !variable_of(line.text).empty()) continue;
    warnings.push_back(replace_all(replace_all(line.text, staged, ""), root, ""));
  }
  return warnings;
}

Error explain_render_failure(std::string_view standard_error, const std::string& staged,
                             const std::string& shown, const std::string& root) {
  std::vector<std::string> words;
  for (const Line& line : read_lines(standard_error)) {
    if (line.warning || !variable_of(line.text).empty()) continue;
    words.push_back(replace_all(replace_all(line.text, staged, shown), root, ""));
  }
  const std::string all = join(words, "\n");
  std::smatch match;
  static const std::regex missing_env(
      R"re((?:[Ee]nv file (\S+) not found|Couldn't find env file: (\S+)|couldn't find env file: (\S+)))re");
  if (std::regex_search(all, match, missing_env)) {
    const std::string file = match[1].matched   ? match[1].str()
                             : match[2].matched ? match[2].str()
                                                : match[3].str();
    return Error{Errc::invalid,
                 fmt::format("the compose file reads the env file {}, which is missing", file),
                 "create it on this server, or remove it from the compose file"};
  }
  static const std::regex required(
      R"re(required variable "?([A-Za-z_][A-Za-z0-9_]*)"? is missing a value:? ?([^\n]*))re");
  if (std::regex_search(all, match, required)) {
    return Error{Errc::invalid,
                 fmt::format("the compose file requires the variable {}{}", match[1].str(),
                             match[2].str().empty() ? "" : " (" + match[2].str() + ")"),
                 "set it in the env file"};
  }
  static const std::regex required_v1(
      R"re(Missing mandatory value for .*\$\{([A-Za-z_][A-Za-z0-9_]*):?\?([^}]*)\}.*: (\2|\1)(?:\n|$))re");
  if (std::regex_search(all, match, required_v1)) {
    return Error{Errc::invalid,
                 fmt::format("the compose file requires the variable {}{}", match[1].str(),
                             match[2].str().empty() ? "" : " (" + match[2].str() + ")"),
                 "set it in the env file"};
  }
  // The rest of these messages is a value, possibly truncated or spelled differently, so none of it
  // is kept.
  static const std::regex env_file(
      R"re((?:failed to read (\S+): )?(?:line (\d+): (?:unterminated quoted value|key cannot contain a space|unexpected character)|Invalid template: ))re");
  if (std::regex_search(all, match, env_file)) {
    const std::string file = match[1].matched ? ": " + match[1].str() : std::string();
    const std::string line = match[2].matched ? ", line " + match[2].str() : std::string();
    return Error{Errc::invalid, fmt::format("an {}{}{}", unreadable_env_file, file, line),
                 "write each line as KEY=value, and a value with $, quotes or spaces in single "
                 "quotes: KEY='…'"};
  }
  static const std::regex bad_port(R"re(^Invalid (hostPort|containerPort|ip address|proto)\b)re");
  if (std::regex_search(all, match, bad_port)) {
    return Error{Errc::invalid, "`ports:` of a service has no valid " + match[1].str(),
                 "see which variables it takes from the env file"};
  }
  static const std::regex bad_value(
      R"re((?:interpolating (\S+): failed to cast to expected type|attempt(?:ing)? to convert (\S+) to appropriate type|'(services\[[^\]']*\][^']*)':? ))re");
  if (std::regex_search(all, match, bad_value)) {
    const std::string where = match[1].matched   ? match[1].str()
                              : match[2].matched ? match[2].str()
                                                 : match[3].str();
    return Error{Errc::invalid, where + " has a value of the wrong type",
                 "see which variables it takes from the env file"};
  }
  if (all.find("empty compose file") != std::string::npos ||
      all.find("needs to be an object not '<class 'NoneType'>'") != std::string::npos) {
    return Error{Errc::invalid, "the compose file is empty",
                 "nothing was removed: commit a compose file that has services"};
  }
  if (words.empty()) {
    return Error{Errc::failed, "Compose could not render the project and gave no reason",
                 "`docker compose config` in a checkout may show more"};
  }
  if (says_any(all, words_of_host)) {
    return Error{Errc::unavailable, "Compose does not work here: " + join(last(words, 6), " "),
                 "check with `docker compose version`"};
  }
  // Compose 1 prints the reason on the lines after a general first one; both are short.
  return Error{Errc::invalid, "Compose rejects the project: " + join(last(words, 6), " "),
               "`docker compose config` in a checkout reproduces it"};
}

std::string explain_up_failure(std::string_view standard_error) {
  std::vector<std::string> words;
  static const std::regex progress(
      R"re(^(?:Container|Network|Volume|Creating|Recreating|Starting|Stopping|Removing|Pulling|Attaching) .*$)re");
  // Compose 1 reports the reason under the container's name, then again under the service's.
  static const std::regex service_error(R"re(^ERROR: for (\S+)\s+(.*)$)re");
  const std::vector<Line> lines = read_lines(standard_error);
  for (const Line& line : lines) {
    if (line.warning || line.text == "Encountered errors while bringing up the project." ||
        std::regex_match(line.text, progress)) {
      continue;
    }
    std::smatch match;
    if (!std::regex_match(line.text, match, service_error)) {
      words.push_back(line.text);
      continue;
    }
    const std::string reason = ": " + match[2].str();
    if (!words.empty() && words.back().ends_with(reason)) words.pop_back();
    words.push_back(match[1].str() + reason);
  }
  if (words.empty()) return lines.empty() ? std::string() : lines.back().text;
  return join(last(words, 3), "; ");
}

Errc kind_of_up_failure(std::string_view standard_error) {
  if (says_any(standard_error, words_of_full_disk)) return Errc::no_space;
  if (says_any(standard_error, words_of_lost_engine)) return Errc::unavailable;
  return is_fault_of_release(standard_error) ? Errc::invalid : Errc::failed;
}

}  // namespace trimtab
