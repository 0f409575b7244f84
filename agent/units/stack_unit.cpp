#include "agent/units/stack_unit.hpp"

#include <fmt/core.h>

#include "common/text.hpp"

namespace trimtab {
namespace {

constexpr std::string_view header = "# Written by trimtab";

std::string header_of(const std::string& stack) {
  return fmt::format("{} for the stack {},", header, stack);
}

// Quotes a path for a setting that takes a list of paths; % introduces a specifier there.
std::string quoted_path(const std::string& path) {
  std::string out = "\"";
  for (const char c : path) {
    if (c == '%') out += c;
    if (c == '\\' || c == '"') out += '\\';
    out += c;
  }
  return out + '"';
}

// Quotes one argument of an Exec line, in which %, $, \ and " have a meaning.
std::string quoted(const std::string& argument) {
  std::string out = "\"";
  for (const char c : argument) {
    if (c == '%' || c == '$') out += c;
    if (c == '\\' || c == '"') out += '\\';
    out += c;
  }
  return out + '"';
}

// Quotes a value of an environment file, in which line breaks may stand between the quotes.
std::string quoted_value(const std::string& value) {
  std::string out = "\"";
  for (const char c : value) {
    if (c == '\\' || c == '"' || c == '$' || c == '`') out += '\\';
    out += c;
  }
  return out + '"';
}

std::string command(const StackUnit& unit, const std::string& file,
                    const std::vector<std::string>& arguments) {
  std::vector<std::string> argv = unit.compose;
  argv.insert(argv.end(), {"-f", fmt::format("{}/current/{}", unit.state_directory, file),
                           "--project-directory", unit.directory, "--env-file", unit.empty_file,
                           "-p", unit.project});
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  std::vector<std::string> words;
  for (const std::string& argument : argv) words.push_back(quoted(argument));
  return join(words, " ");
}

}  // namespace

std::string stack_unit_text(const StackUnit& unit) {
  std::vector<std::string> up{"up", "-d", "--no-build", "--no-deps", "--no-recreate"};
  if (unit.has_pull_option) up.insert(up.end(), {"--pull", "never"});
  // Unquoted, so that systemd splits it into one argument per service.
  const std::string start = command(unit, "boot.yaml", up) + " $TRIMTAB_SERVICES";
  std::string percent_free;
  for (const char c : unit.state_directory) percent_free += c == '%' ? "%%" : std::string(1, c);
  std::string text;
  text += header_of(unit.stack) + " and restored if it is changed.\n";
  text += "# `systemctl edit` adds settings of your own in a file beside it.\n";
  text += "[Unit]\n";
  text += fmt::format("Description=Docker Compose stack {}, kept by trimtab\n", unit.stack);
  text += "Documentation=man:trimtabd(8)\n";
  // Wants, not Requires: stopping Docker, as an upgrade of its package does, must not stop this
  // unit, which nobody would start again once Docker is back.
  text += "Wants=docker.service\n";
  text += "After=docker.service\n";
  // If the directory is on a disk of its own, Docker would create empty directories for its bind
  // mounts before that disk is mounted.
  text += fmt::format("RequiresMountsFor={}\n", quoted_path(unit.directory));
  text += fmt::format("ConditionPathExists={}/current/compose.yaml\n", percent_free);
  text += "\n[Service]\n";
  text += "Type=oneshot\n";
  text += "RemainAfterExit=yes\n";
  text += fmt::format("EnvironmentFile={}/current/boot.env\n", percent_free);
  text += fmt::format("Environment={}\n", quoted("DOCKER_HOST=unix://" + unit.docker_socket));
  text += fmt::format("ExecStart={}\n", start);
  text += fmt::format("ExecReload={}\n", start);
  text += fmt::format("ExecStop={}\n", command(unit, "compose.yaml", {"stop"}));
  // Long enough for any usual stop_grace_period; Docker goes on stopping services that take longer.
  text += "TimeoutStopSec=10min\n";
  text += "\n[Install]\n";
  text += "WantedBy=multi-user.target\n";
  return text;
}

bool is_unit_of(std::string_view text, const std::string& stack) {
  return text.starts_with(header_of(stack));
}

bool is_written_by_trimtab(std::string_view text) {
  return text.starts_with(header);
}

std::string boot_file_text(const std::vector<std::string>& services,
                           const std::map<std::string, std::string>& variables) {
  // Without arguments Compose would start all services, jobs included; --help starts none and
  // succeeds.
  std::string text =
      fmt::format("TRIMTAB_SERVICES={}\n", services.empty() ? "--help" : join(services, " "));
  for (const auto& [name, value] : variables)
    text += fmt::format("{}={}\n", name, quoted_value(value));
  return text;
}

}  // namespace trimtab
