// More than 400 lines, because it holds the whole format of the configuration files in one place:
// the tables of their keys, the rules about them, and how the files are found and read.
#include "agent/config/load.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "agent/config/address.hpp"
#include "agent/config/reader.hpp"
#include "agent/config/yaml.hpp"
#include "agent/model/wanted_ref.hpp"
#include "common/files.hpp"
#include "common/text.hpp"
#include "common/trusted_file.hpp"
#include "common/url.hpp"

namespace trimtab {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr std::size_t file_limit = 256 * 1024;
constexpr auto min_interval = 1s;
constexpr auto max_interval = 24h;
constexpr const char* daemon_file_name = "trimtab.yaml";
constexpr const char* stacks_directory = "stacks.d";

constexpr std::string_view lower_and_digits = "abcdefghijklmnopqrstuvwxyz0123456789";
constexpr std::string_view letters_and_digits =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

// Whether the text is a character of `first` followed by characters of `first` and `more`.
bool is_word(std::string_view text, std::string_view first, std::string_view more,
             std::size_t longest) {
  return !text.empty() && text.size() <= longest && first.find(text[0]) != first.npos &&
         std::all_of(text.begin(), text.end(), [&](char c) {
           return first.find(c) != first.npos || more.find(c) != more.npos;
         });
}

// Complaints: each returns what is wrong with one text.

std::string project_complaint(const std::string& text) {
  if (is_stack_name(text)) return {};
  return "expected a name of lower-case letters, digits, - and _, found " + in_quotes(text);
}

std::string profile_complaint(const std::string& text) {
  if (is_word(text, letters_and_digits, "_.-", 63)) return {};
  return "expected the name of a profile of the compose file, found " + in_quotes(text);
}

std::string service_complaint(const std::string& text) {
  if (is_word(text, letters_and_digits, "_.-", 255)) return {};
  return "expected the name of a service of the compose file, found " + in_quotes(text);
}

std::string username_complaint(const std::string& text) {
  // HTTP Basic authentication separates user name and password by a colon.
  if (text.find(':') == text.npos) return {};
  return "a user name has no colon; the password belongs into password_file";
}

std::string aws_profile_complaint(const std::string& text) {
  if (text.find_first_of("[]") == text.npos) return {};
  return "expected the name of a profile without brackets, found " + in_quotes(text);
}

std::string host_pattern_complaint(const std::string& text) {
  if (is_word(text, letters_and_digits, "", 1) || text == "*") return {};
  constexpr std::string_view allowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]";
  if (text.find_first_not_of(allowed) == text.npos) return {};
  return "expected a host, .DOMAIN or *, found " + in_quotes(text);
}

std::string group_complaint(const std::string& text) {
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
  if (is_word(text, letters, "0123456789.-", 32)) return {};
  return "expected the name of a group, found " + in_quotes(text);
}

// The characters that systemd.unit(5) allows in the name of a service.
std::string unit_complaint(const std::string& text) {
  constexpr std::string_view allowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:_.\\-";
  const bool is_service = text.ends_with(".service") && text.size() > 8 && text.size() < 256;
  if (text == "docker.service" || text == "trimtabd.service") {
    return text + " is not the stack's own: choose another `unit:`";
  }
  if (is_service && text.find_first_not_of(allowed) == text.npos) return {};
  return "expected the name of a service unit such as shop.service, found " + in_quotes(text);
}

// Compose would read a path with a leading "-" as an option or as standard input.
std::string relative_file_complaint(const std::string& text) {
  if (text.front() == '/') return "expected a path relative to the stack's directory";
  if (text.front() == '-') return "a path must not begin with -";
  if (has_parent_segment(text)) return "\"..\" is not allowed in a path";
  return {};
}

std::string ref_complaint(const std::string& text) {
  if (parse_ref(text)) return {};
  return "expected a branch such as production or a pattern of tags such as v*, found " +
         in_quotes(text);
}

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
      {"webhook", section({
                      {"listen", text(daemon.webhook.listen, listen_complaint),
                       "webhook.listen is missing: the ADDRESS:PORT to listen at"},
                      {"secret_file", existing_file(daemon.webhook.secret_file, Privacy::secret),
                       "webhook.secret_file is missing: the file of what callers must know"},
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
      {"url", text(probe.url, probe_url_complaint), "url is missing: what the probe asks"},
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
    return "a hook has either service and run, or program: where it runs, and what";
  }
  if (has("service")) {
    if (!has("run")) return "run is missing: the command, as a list such as [pg_dump, -U, shop]";
    return has("args") ? "args belongs to program; a command in a service is run" : "";
  }
  if (has("run")) return "run belongs to service; a program takes args";
  return has("one_off") ? "one_off belongs to service" : "";
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
      {"keep", whole_number(stack.keep, 0, 1000)},
      {"unit", text(stack.unit, unit_complaint)},
  });
}

// Rules about several keys of one file.

bool is_loopback_url(std::string_view web_url) {
  const Result<http::Url> url = http::parse_url(web_url);
  return url && http::is_loopback_host(url->host);
}

void check_git(const GitSettings& git, Document& document) {
  if (git.url.empty()) return;
  const GitTransport transport = git_transport(git.url);
  const bool is_ssh = transport == GitTransport::ssh;
  const bool is_web = transport == GitTransport::https || transport == GitTransport::http;
  if (is_ssh && !document.has("git.key")) {
    document.report_key("git.url",
                        "an SSH url needs git.key, the file of a private deploy key; `trimtab "
                        "init` makes one");
  }
  for (const char* key : {"git.key", "git.known_hosts"}) {
    if (document.has(key) && !is_ssh) {
      document.report_key(key, std::string(key) + " is for SSH urls, and git.url is none" +
                                   (is_web ? "; https takes git.token_file" : ""));
    }
  }
  for (const char* key : {"git.token_file", "git.ca_file"}) {
    if (document.has(key) && !is_web) {
      document.report_key(key, std::string(key) + " is for https urls, and git.url is none" +
                                   (is_ssh ? "; SSH takes git.key" : ""));
    }
  }
  if (transport == GitTransport::http && !is_loopback_url(git.url)) {
    const bool sends_token = document.has("git.token_file");
    document.report_key("git.url",
                        sends_token ? "http:// would send the token unencrypted; use https://"
                                    : "http:// is not encrypted: whoever is on the way can change "
                                      "what is deployed; use https://",
                        sends_token ? Severity::error : Severity::warning);
  }
}

void check_stack(const StackSettings& stack, Document& document) {
  check_git(stack.git, document);
  if (stack.directory == "/") {
    document.report_key("directory", "the root directory cannot be a stack's checkout");
  }
  constexpr std::array shared = {"/bin", "/home", "/lib", "/media", "/mnt", "/opt",     "/root",
                                 "/run", "/sbin", "/srv", "/tmp",   "/var", "/var/lib", "/var/www"};
  if (std::find(shared.begin(), shared.end(), stack.directory) != shared.end()) {
    document.report_key("directory", stack.directory.string() +
                                         " holds what is not the stack's; take a directory in it, "
                                         "such as " +
                                         (stack.directory / stack.name).string());
  }
  if (stack.directory.string().find(':') != std::string::npos) {
    document.report_key("directory", "\":\" is not allowed: Git and Docker separate paths by it");
  }
  const std::string directory = stack.directory.string() + "/";
  bool is_own = false;
  for (const char* own : {"/etc/trimtab/", "/var/lib/trimtab/"}) {
    if (directory.starts_with(own)) {
      is_own = true;
      document.report_key("directory", std::string(own) +
                                           " is trimtab's own, and goes when its "
                                           "package is purged; take /srv/" +
                                           stack.name + " or the like");
    }
  }
  for (const char* closed : {"/usr/", "/etc/", "/boot/", "/efi/", "/proc/", "/sys/", "/dev/"}) {
    if (!is_own && directory.starts_with(closed)) {
      document.report_key("directory", std::string(closed) +
                                           " is closed to trimtabd by its own unit; take /srv/" +
                                           stack.name + " or the like");
    }
  }
  if (stack.gate.stable >= stack.gate.timeout) {
    const std::string key = document.has("gate.stable") ? "gate.stable" : "gate.timeout";
    document.report_key(key, "gate.stable (" + format_duration(stack.gate.stable) +
                                 ") must be shorter than gate.timeout (" +
                                 format_duration(stack.gate.timeout) + ")");
  }
}

void read_document(std::string_view text, const Reader& reader, Document& document) {
  const std::variant<YamlNode, YamlProblem> parsed = read_yaml_nodes(text);
  if (const auto* problem = std::get_if<YamlProblem>(&parsed)) {
    document.report(problem->place, problem->message);
    return;
  }
  reader.read(std::get<YamlNode>(parsed), document);
}

void check_daemon(const DaemonSettings& daemon, Document& document) {
  std::set<std::string> hosts;
  for (const RegistrySettings& registry : daemon.registries) {
    if (registry.host.empty() || hosts.insert(registry.host).second) continue;
    document.report_key("registries", in_quotes(registry.host) + " is listed twice");
  }
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

// Rules about several files.

struct LoadedStack {
  StackSettings settings;
  Document document;
};

void refuse_same(std::vector<LoadedStack>& stacks, const std::string& key,
                 const std::function<std::string(const StackSettings&)>& value) {
  std::map<std::string, std::vector<LoadedStack*>> by_value;
  for (LoadedStack& stack : stacks) by_value[value(stack.settings)].push_back(&stack);
  for (const auto& [same, group] : by_value) {
    for (LoadedStack* stack : group) {
      // None of the conflicting stacks is loaded, because nobody can tell which one is meant to
      // have the value.
      const LoadedStack* other = group.front() == stack ? group.back() : group.front();
      if (other == stack) continue;
      stack->document.report_key(key, key + " " + in_quotes(same) + " is also that of " +
                                          other->document.file().string() +
                                          "; each stack needs its own");
    }
  }
}

// A stack's checkout would change, or remove, what another stack keeps in it.
void refuse_nested(std::vector<LoadedStack>& stacks) {
  for (LoadedStack& inner : stacks) {
    for (LoadedStack& outer : stacks) {
      const std::string above = outer.settings.directory.string() + "/";
      if (!inner.settings.directory.string().starts_with(above)) continue;
      inner.document.report_key("directory",
                                "directory " + in_quotes(inner.settings.directory.string()) +
                                    " lies in that of " + outer.document.file().string());
      outer.document.report_key("directory",
                                "directory " + in_quotes(outer.settings.directory.string()) +
                                    " contains that of " + inner.document.file().string());
    }
  }
}

void check_stacks(std::vector<LoadedStack>& stacks) {
  refuse_nested(stacks);
  refuse_same(stacks, "directory",
              [](const StackSettings& stack) { return stack.directory.string(); });
  refuse_same(stacks, "unit", [](const StackSettings& stack) { return stack.unit; });
  // The `name:` of a Compose file may change a default project name, but it is not known here.
  refuse_same(stacks, "project", [](const StackSettings& stack) {
    return stack.project.empty() ? stack.name : stack.project;
  });
}

// The origin of a file. Files in the configuration directory decide what root runs, so they must
// be trusted.
enum class Origin { given, installed };

std::optional<std::string> read_text(Document& document, Origin origin) {
  std::error_code ec;
  const fs::file_status status = fs::status(document.file(), ec);
  // Opening a named pipe would block until a writer appears.
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    document.report({0, 0}, "not a regular file");
    return std::nullopt;
  }
  if (origin == Origin::installed) {
    const Result<void> trusted = check_trusted(document.file(), Privacy::open);
    const bool is_there = trusted || trusted.error().code != Errc::not_found;
    if (!trusted && is_there) document.report({0, 0}, trusted.error().text());
  }
  Result<std::string> content = read_file(document.file(), file_limit);
  if (content) return std::move(*content);
  document.report({0, 0}, content.error().text());
  return std::nullopt;
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

// Returns the stack files in the directory and reports other files that look like misnamed ones.
std::vector<fs::path> find_stack_files(const fs::path& directory, std::vector<Finding>& findings) {
  std::vector<fs::path> files;
  std::error_code ec;
  fs::directory_iterator entry(directory, ec);
  for (; !ec && entry != fs::directory_iterator(); entry.increment(ec)) {
    const fs::path& file = entry->path();
    // Editors leave hidden files with this extension behind.
    if (file.filename().string().starts_with(".")) continue;
    if (file.extension() == ".yaml") files.push_back(file);
    if (file.extension() == ".yml") {
      findings.push_back(
          {file, 0, 0, Severity::warning, "not read: the name of a stack's file ends with .yaml"});
    }
  }
  if (ec && ec != std::errc::no_such_file_or_directory) {
    findings.push_back({directory, 0, 0, Severity::error, "cannot be listed: " + ec.message()});
  }
  return files;
}

std::vector<std::string> without_first_dot(std::vector<std::string> keys) {
  for (std::string& key : keys) key.erase(0, 1);
  return keys;
}

}  // namespace

std::string to_string(const Finding& finding) {
  std::string text = finding.file.string();
  if (finding.line > 0) {
    text += ":" + std::to_string(finding.line) + ":" + std::to_string(finding.column);
  }
  text += finding.severity == Severity::warning ? ": warning: " : ": ";
  return printable(text + finding.message);
}

bool LoadResult::ok() const {
  return std::none_of(findings.begin(), findings.end(),
                      [](const Finding& finding) { return finding.severity == Severity::error; });
}

bool is_stack_name(std::string_view text) {
  return is_word(text, lower_and_digits, "_-", 63);
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
    result.findings.push_back({config_dir, 0, 0, Severity::error,
                               "no such directory: trimtab's configuration belongs there"});
    return result;
  }
  std::vector<Finding> findings;
  std::vector<fs::path> stack_files = find_stack_files(config_dir / stacks_directory, findings);
  std::vector<fs::path> daemon_files = {config_dir / daemon_file_name};
  if (fs::symlink_status(daemon_files[0], ec).type() == fs::file_type::not_found) {
    daemon_files.clear();
  }
  LoadResult result = load(daemon_files, std::move(stack_files), Origin::installed);
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
