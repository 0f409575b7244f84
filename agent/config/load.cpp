#include "agent/config/load.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <tuple>
#include <utility>

#include "agent/config/address.hpp"
#include "agent/config/complaints.hpp"
#include "agent/config/config_files.hpp"
#include "agent/config/reader.hpp"
#include "agent/config/rules.hpp"
#include "agent/config/yaml.hpp"
#include "common/text.hpp"
#include "common/trusted_file.hpp"

namespace trimtab {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto min_interval = 1s;
constexpr auto max_interval = 24h;

// Readers used by several keys.

Reader service_name(std::string& into) {
  return text(into, service_complaint);
}
Reader profile_name(std::string& into) {
  return text(into, profile_complaint);
}
Reader host_pattern(std::string& into) {
  return text(into, host_pattern_complaint);
}
Reader relative_file(std::string& into) {
  return text(into, relative_file_complaint);
}
Reader service_list(std::vector<std::string>& into) {
  return list_of(into, service_name);
}

// Reads one of two words into a flag.
Reader word_is(bool& into, std::string yes, std::string no) {
  return {
      [&into, yes = std::move(yes), no = std::move(no)](const YamlNode& node, Document& document) {
        std::string word;
        choice(word, {yes, no}).read(node, document);
        if (!word.empty()) into = word == yes;
      }};
}

Reader rollback_mode(RollbackMode& into) {
  return {[&into](const YamlNode& node, Document& document) {
    std::string word;
    choice(word, {"automatic", "manual"}).read(node, document);
    if (!word.empty()) into = word == "manual" ? RollbackMode::manual : RollbackMode::automatic;
  }};
}

// Tables of the keys that the files may contain. A new key needs one line here, one in
// settings.hpp, and its description in config/*.schema.json.

Reader registry_section(RegistrySettings& registry) {
  Reader keys = section({
      {"host", text(registry.host, registry_complaint),
       "host is missing: the registry, as images name it"},
      {"username", text(registry.username, username_complaint)},
      {"password_file", existing_file(registry.password_file, Privacy::secret)},
      {"aws_credentials_file", existing_file(registry.aws_credentials_file, Privacy::secret)},
      {"aws_profile", text(registry.aws_profile, aws_profile_complaint)},
  });
  return {[&registry, read = keys.read](const YamlNode& node, Document& document) {
            read(node, document);
            if (node.kind != YamlNode::Kind::mapping || registry.host.empty()) return;
            const auto has = [&node](std::string_view key) {
              return std::any_of(node.keys.begin(), node.keys.end(),
                                 [key](const YamlNode& one) { return one.text == key; });
            };
            const bool aws = has("aws_credentials_file") || has("aws_profile");
            const bool login = has("username") || has("password_file");
            const bool whole = has("username") && has("password_file");
            if (aws ? login : !whole) {
              document.report(node.place,
                              in_quotes(registry.host) +
                                  " needs username and password_file, or for Amazon ECR "
                                  "aws_credentials_file or aws_profile");
            }
          },
          keys.keys};
}

Reader daemon_reader(DaemonSettings& daemon) {
  return section({
      {"docker", section({
                     {"socket", absolute_path(daemon.docker.socket)},
                     {"config", absolute_path(daemon.docker.config)},
                 })},
      {"socket", section({
                     {"group", text(daemon.socket.group, group_complaint)},
                 })},
      {"log", section({
                  {"level", choice(daemon.log.level, {"debug", "info", "warning", "error"})},
              })},
      {"registries", list_of(daemon.registries, registry_section)},
      {"proxy", section({
                    {"http", text(daemon.proxy.http, proxy_complaint)},
                    {"https", text(daemon.proxy.https, proxy_complaint)},
                    {"except", list_of(daemon.proxy.except, host_pattern)},
                })},
      {"webhook",
       section({
           {"listen", text(daemon.webhook.listen, listen_complaint),
            "webhook.listen is missing: the ADDRESS:PORT to listen on"},
           {"secret_file", existing_file(daemon.webhook.secret_file, Privacy::secret),
            "webhook.secret_file is missing: the file with the secret that callers must know"},
       })},
  });
}

constexpr const char* url_missing = "git.url is missing: the address of the stack's repository";

Reader git_section(GitSettings& git) {
  return section({
      {"url", text(git.url, git_url_complaint), url_missing},
      {"ref", text(git.ref, ref_complaint)},
      {"interval", duration(git.interval, min_interval, max_interval)},
      {"key", existing_file(git.key, Privacy::secret)},
      {"known_hosts", existing_file(git.known_hosts, Privacy::open)},
      {"token_file", existing_file(git.token_file, Privacy::secret)},
      {"ca_file", existing_file(git.ca_file, Privacy::open)},
  });
}

Reader probe_section(ProbeSettings& probe) {
  return section({
      {"url", text(probe.url, probe_url_complaint), "url is missing: the address to probe"},
      {"status", whole_number(probe.status, 100, 599)},
  });
}

// Unlike a list of names, arguments may repeat.
Reader arguments(std::vector<std::string>& into) {
  return {[&into](const YamlNode& node, Document& document) {
    if (!detail::check_list(node, document)) return;
    if (node.items.empty()) document.report(node.place, "expected at least one item");
    for (const YamlNode& each : node.items) {
      std::string argument;
      text(argument, [](const std::string&) { return std::string(); }).read(each, document);
      into.push_back(std::move(argument));
    }
  }};
}

std::string hook_complaint(const std::function<bool(std::string_view)>& has) {
  if (has("service") == has("program")) {
    return "a hook needs either service and run, or program";
  }
  if (has("service")) {
    if (!has("run")) return "run is missing: the command, as a list such as [pg_dump, -U, shop]";
    return has("args") ? "args is for program; use run for a command in a service" : "";
  }
  if (has("run")) return "run is for service; use args for a program";
  return has("one_off") ? "one_off is for service" : "";
}

// A program that comes with a commit may not exist yet; it is checked again right before it runs.
void check_program(const fs::path& program, YamlPlace place, Document& document) {
  if (program.empty()) return;
  const Result<void> trusted = check_trusted(program, Privacy::open);
  if (trusted || trusted.error().code == Errc::not_found) return;
  document.report(place, trusted.error().text());
}

Reader hook_section(HookSettings& hook) {
  Reader keys = section({
      {"service", text(hook.service, service_complaint)},
      {"run", arguments(hook.run)},
      {"one_off", boolean(hook.one_off)},
      {"program", absolute_path(hook.program)},
      {"args", arguments(hook.args)},
      {"timeout", duration(hook.timeout, 1s, 24h)},
      {"on_failure", word_is(hook.stop_on_failure, "stop", "continue")},
  });
  return {[read = keys.read, &hook](const YamlNode& node, Document& document) {
            read(node, document);
            if (node.kind != YamlNode::Kind::mapping) return;
            const auto has = [&node](std::string_view key) {
              return std::any_of(node.keys.begin(), node.keys.end(),
                                 [key](const YamlNode& one) { return one.text == key; });
            };
            const std::string complaint = hook_complaint(has);
            if (!complaint.empty()) document.report(node.place, complaint);
            check_program(hook.program, node.place, document);
          },
          keys.keys};
}

Reader check_level(std::map<std::string, CheckLevel>& into, const std::string& check) {
  return {[&into, check](const YamlNode& node, Document& document) {
    std::string word;
    choice(word, {"error", "warning", "off"}).read(node, document);
    if (word == "error") into[check] = CheckLevel::error;
    if (word == "warning") into[check] = CheckLevel::warning;
    if (word == "off") into[check] = CheckLevel::off;
  }};
}

Reader checks_section(std::map<std::string, CheckLevel>& checks) {
  std::vector<Key> keys;
  for (const char* const check : adjustable_checks) {
    keys.push_back({check, check_level(checks, check)});
  }
  return section(std::move(keys));
}

Reader stack_reader(StackSettings& stack) {
  return section({
      {"git", git_section(stack.git), url_missing},
      {"directory", absolute_path(stack.directory)},
      {"project", text(stack.project, project_complaint)},
      {"compose", list_of(stack.compose, relative_file)},
      {"profiles", list_of(stack.profiles, profile_name)},
      {"env_file", optional(stack.env_file, relative_file)},
      {"images", section({
                     {"interval", duration(stack.images.interval, min_interval, max_interval)},
                     {"watch", optional(stack.images.watch, service_list)},
                     {"wait", duration(stack.images.wait, 0s, 7 * 24h)},
                 })},
      {"gate", section({
                   {"timeout", duration(stack.gate.timeout, 1s, 24h)},
                   {"stable", duration(stack.gate.stable, 0s, 1h)},
                   {"probation", duration(stack.gate.probation, 0s, 24h)},
                   {"probe", list_of(stack.gate.probe, probe_section)},
               })},
      {"hooks", section({
                    {"before", list_of(stack.hooks.before, hook_section)},
                    {"after", list_of(stack.hooks.after, hook_section)},
                })},
      {"rollback", rollback_mode(stack.rollback)},
      {"certs", section({
                    {"self_signed_until_issued", boolean(stack.certs.self_signed_until_issued)},
                })},
      {"checks", checks_section(stack.checks)},
      {"keep", whole_number(stack.keep, 0, 1000)},
      {"unit", text(stack.unit, unit_complaint)},
  });
}

void read_document(std::string_view text, const Reader& reader, Document& document) {
  const std::variant<YamlNode, YamlProblem> parsed = read_yaml_nodes(text);
  if (const auto* problem = std::get_if<YamlProblem>(&parsed)) {
    document.report(problem->place, problem->message);
    return;
  }
  reader.read(std::get<YamlNode>(parsed), document);
}

DaemonSettings read_daemon(std::string_view text, Document& document) {
  DaemonSettings daemon;
  read_document(text, daemon_reader(daemon), document);
  check_daemon(daemon, document);
  return document.has_errors() ? DaemonSettings{} : daemon;
}

StackSettings read_stack(std::string_view text, Document& document) {
  StackSettings stack;
  stack.name = document.file().stem().string();
  if (!is_stack_name(stack.name)) {
    document.report({0, 0}, in_quotes(stack.name) +
                                " cannot name a stack: file names are lower-case letters, digits, "
                                "- and _, then .yaml");
  }
  stack.directory = fs::path("/srv") / stack.name;
  stack.unit = stack.name + ".service";
  read_document(text, stack_reader(stack), document);
  if (document.has("git.url")) check_stack(stack, document);
  return stack;
}

LoadResult load(const std::vector<fs::path>& daemon_files, std::vector<fs::path> stack_files,
                Origin origin) {
  LoadResult result;
  for (const fs::path& file : daemon_files) {
    Document document(file, result.findings);
    if (const auto text = read_text(document, origin)) result.daemon = read_daemon(*text, document);
  }
  std::sort(stack_files.begin(), stack_files.end());
  std::vector<LoadedStack> stacks;
  for (const fs::path& file : stack_files) {
    Document document(file, result.findings);
    const std::optional<std::string> text = read_text(document, origin);
    if (!text) continue;
    StackSettings settings = read_stack(*text, document);
    stacks.push_back({std::move(settings), std::move(document)});
  }
  check_stacks(stacks);
  for (LoadedStack& stack : stacks) {
    if (!stack.document.has_errors()) result.stacks.push_back(std::move(stack.settings));
  }
  std::stable_sort(result.findings.begin(), result.findings.end(),
                   [](const Finding& left, const Finding& right) {
                     return std::tie(left.file, left.line, left.column) <
                            std::tie(right.file, right.line, right.column);
                   });
  return result;
}

std::vector<std::string> without_first_dot(std::vector<std::string> keys) {
  for (std::string& key : keys) key.erase(0, 1);
  return keys;
}

}  // namespace

std::string to_string(const Finding& finding) {
  std::string text = finding.file.string();
  if (finding.line > 0) {
    text += fmt::format(":{}:{}", finding.line, finding.column);
  }
  text += finding.severity == Severity::warning ? ": warning: " : ": ";
  return printable(text + finding.message);
}

bool LoadResult::ok() const {
  return std::none_of(findings.begin(), findings.end(),
                      [](const Finding& finding) { return finding.severity == Severity::error; });
}

DaemonSettings parse_daemon(std::string_view text, const fs::path& file,
                            std::vector<Finding>& findings) {
  Document document(file, findings);
  return read_daemon(text, document);
}

StackSettings parse_stack(std::string_view text, const fs::path& file,
                          std::vector<Finding>& findings) {
  Document document(file, findings);
  return read_stack(text, document);
}

std::vector<std::string> daemon_keys() {
  DaemonSettings daemon;
  return without_first_dot(daemon_reader(daemon).keys);
}

std::vector<std::string> stack_keys() {
  StackSettings stack;
  return without_first_dot(stack_reader(stack).keys);
}

LoadResult load_files(const std::vector<fs::path>& files) {
  std::vector<fs::path> daemon_files;
  std::vector<fs::path> stack_files;
  for (const fs::path& file : files) {
    // A stack may be called trimtab.
    std::error_code ec;
    const bool is_of_daemon = file.filename() == daemon_file_name &&
                              fs::absolute(file, ec).parent_path().filename() != stacks_directory;
    (is_of_daemon ? daemon_files : stack_files).push_back(file);
  }
  return load(daemon_files, std::move(stack_files), Origin::given);
}

LoadResult load_config(const fs::path& config_dir) {
  std::error_code ec;
  if (!fs::is_directory(config_dir, ec)) {
    LoadResult result;
    result.is_complete = false;
    result.findings.push_back(
        {config_dir, 0, 0, Severity::error,
         "this directory does not exist: it should contain trimtab's configuration"});
    return result;
  }
  std::vector<Finding> findings;
  StackFiles stack_files = find_stack_files(config_dir / stacks_directory, findings);
  std::vector<fs::path> daemon_files = {config_dir / daemon_file_name};
  if (fs::symlink_status(daemon_files[0], ec).type() == fs::file_type::not_found) {
    daemon_files.clear();
  }
  LoadResult result = load(daemon_files, std::move(stack_files.files), Origin::installed);
  result.is_complete = stack_files.is_complete;
  result.findings.insert(result.findings.end(), findings.begin(), findings.end());
  return result;
}

http::Proxies proxies_of(const DaemonSettings& daemon) {
  http::Proxies proxies = http::proxies_from_environment();
  if (!daemon.proxy.http.empty()) proxies.http = daemon.proxy.http;
  if (!daemon.proxy.https.empty()) proxies.https = daemon.proxy.https;
  if (!daemon.proxy.except.empty()) proxies.except = daemon.proxy.except;
  return proxies;
}

}  // namespace trimtab
