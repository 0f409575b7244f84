// More than 400 lines, because the steps of one dialogue share the settings and the access that
// they build up.
#include "cli/init.hpp"

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <cctype>
#include <csignal>
#include <cstdio>
#include <exception>
#include <optional>

#include "agent/config/address.hpp"
#include "agent/config/load.hpp"
#include "agent/git/remote.hpp"
#include "cli/exit_code.hpp"
#include "cli/init_host_key.hpp"
#include "cli/init_questions.hpp"
#include "cli/init_remote.hpp"
#include "cli/init_stack_file.hpp"
#include "common/files.hpp"
#include "common/process.hpp"
#include "common/text.hpp"

namespace trimtab::cli {

namespace fs = std::filesystem;

namespace {

constexpr int exit_interrupted = 128 + SIGINT;

// Runs a task to its end. Ctrl-C cancels it and kills its children. While a question waits for its
// answer no event loop runs, so there Ctrl-C ends the program as usual.
template <class T>
Result<T> perform(Task<Result<T>> task) {
  asio::io_context loop(1);
  asio::signal_set signals(loop, SIGINT, SIGTERM);
  asio::cancellation_signal cancel;
  Result<T> result = Error{Errc::cancelled, "stopped", {}};
  std::exception_ptr failure;
  bool stopped = false;
  signals.async_wait([&](const boost::system::error_code& error, int) {
    if (error) return;
    stopped = true;
    cancel.emit(asio::cancellation_type::terminal);
  });
  auto done = [&](const std::exception_ptr& thrown, Result<T> value) {
    signals.cancel();
    failure = thrown;
    if (!thrown && !stopped) result = std::move(value);
  };
  asio::co_spawn(loop, std::move(task),
                 asio::bind_cancellation_slot(cancel.slot(), std::move(done)));
  loop.run();
  if (failure && !stopped) std::rethrow_exception(failure);
  return result;
}

// A temporary directory for one call to the remote. Never kept while waiting for the user, because
// Ctrl-C would then leave it behind.
class WorkDirectory {
 public:
  WorkDirectory() {
    std::error_code ec;
    std::string name = (fs::temp_directory_path(ec) / "trimtab-init-XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) path_ = name;
  }
  WorkDirectory(const WorkDirectory&) = delete;
  WorkDirectory& operator=(const WorkDirectory&) = delete;
  ~WorkDirectory() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  [[nodiscard]] Result<fs::path> path() const {
    if (!path_.empty()) return path_;
    std::error_code ec;
    return Error{Errc::failed,
                 "cannot create a directory in " + fs::temp_directory_path(ec).string(),
                 "free some space there, or set TMPDIR to another directory"};
  }

 private:
  fs::path path_;
};

Command command_of(std::vector<std::string> argv, std::chrono::seconds timeout) {
  Command command;
  command.argv = std::move(argv);
  command.environment = minimal_environment();
  command.timeout = timeout;
  return command;
}

Error with_hint(Error error, std::string hint) {
  error.hint = std::move(hint);
  return error;
}

// Creates the directory and its parents with default permissions and checks that it is writable.
Result<void> make_directory(const fs::path& path) {
  std::error_code ec;
  fs::create_directories(path, ec);
  if (!ec && ::access(path.c_str(), W_OK) == 0) return {};
  const int reason = ec ? ec.value() : errno;
  return with_hint(os_error(ec ? "make" : "write into", path, reason),
                   "run it as root, or use another --config-dir");
}

std::vector<std::string> words_of(std::string text) {
  std::replace(text.begin(), text.end(), ',', ' ');
  std::vector<std::string> words;
  for (const std::string& word : split(text, ' ')) {
    if (!word.empty()) words.push_back(word);
  }
  return words;
}

// Lists the first few names and says how many more there are.
std::string some_of(const std::vector<std::string>& names) {
  constexpr std::size_t most = 8;
  if (names.size() <= most) return join(names, ", ");
  const std::vector<std::string> first(names.begin(), names.begin() + most);
  return fmt::format("{} and {} more", join(first, ", "), names.size() - most);
}

// Returns the repository's name on its forge: "acme/shop".
std::string path_on_host(const Remote& remote) {
  std::string_view url = remote.url;
  const auto scheme = url.find("://");
  if (scheme != std::string_view::npos) {
    url.remove_prefix(scheme + 3);
    url.remove_prefix(std::min(url.find('/'), url.size()));
  } else {
    url.remove_prefix(url.find(':') + 1);
  }
  while (url.starts_with('/')) url.remove_prefix(1);
  while (url.ends_with('/')) url.remove_suffix(1);
  if (url.ends_with(".git")) url.remove_suffix(4);
  return std::string(url);
}

// Tells where to add the public half of a deploy key.
Lines where_to_paste(const Remote& remote) {
  const std::string host = parse_host_address(remote.host).host;
  const std::string path = path_on_host(remote);
  const auto is_of = [&host](const std::string& forge) {
    return host == forge || host.ends_with("." + forge);
  };
  if (is_of("github.com")) {
    return {"GitHub: Settings > Deploy keys > Add deploy key, without write access:",
            fmt::format("https://github.com/{}/settings/keys/new", path)};
  }
  if (is_of("gitlab.com")) {
    return {"GitLab: Settings > Repository > Deploy keys > Add new key, without write permissions:",
            fmt::format("https://gitlab.com/{}/-/settings/repository", path)};
  }
  if (is_of("bitbucket.org")) {
    return {"Bitbucket: Repository settings > Access keys > Add key:",
            fmt::format("https://bitbucket.org/{}/admin/access-keys/", path)};
  }
  return {fmt::format("Add it on {} as a deploy key of the repository, for reading only (where a",
                      host),
          "plain sshd serves it: a line of its user's ~/.ssh/authorized_keys)."};
}

// The steps in order; each stores its result in the stack's settings or the access.
//
// More than 15 members: one function per step, and the answers so far.
class Init {
 public:
  Init(const InitOptions& options, const fs::path& config_dir, Terminal& terminal)
      : options_(options),
        config_dir_(fs::absolute(config_dir).lexically_normal()),
        terminal_(terminal),
        questions_(options.yes) {
    // A trailing slash would end up in every path below the directory.
    if (!config_dir_.has_filename()) config_dir_ = config_dir_.parent_path();
  }

  Result<void> run();

 private:
  Result<void> name_repository();
  Result<void> prepare_ssh();
  Result<void> pin_host_key(const fs::path& known_hosts);
  Result<void> prepare_key();
  Result<void> make_key(const fs::path& key);
  Result<void> name_token_file(const std::string& given);
  Result<RemoteRefs> ask_remote() const;
  Result<void> reach_repository();
  Result<void> get_access(const Error& refused);
  Result<void> choose_ref();
  Result<void> choose_compose();
  Result<void> choose_directory();
  Result<void> write_stack_file();
  void advise();

  [[nodiscard]] fs::path stack_file() const {
    return config_dir_ / "stacks.d" / (stack_.name + ".yaml");
  }
  [[nodiscard]] std::string ref_complaint(const std::string& text) const;
  [[nodiscard]] std::string compose_complaint(const std::string& text) const;
  [[nodiscard]] std::string docker_advice() const;
  [[nodiscard]] std::string env_advice() const;
  [[nodiscard]] std::string start_advice() const;
  void say(const std::string& line) { terminal_.print({one_line(line)}); }

  const InitOptions& options_;
  fs::path config_dir_;
  Terminal& terminal_;
  Questions questions_;
  StackSettings stack_;
  GitAccess access_;
  Remote remote_;
  std::string public_key_;
  bool key_shown_ = false;
  RemoteRefs refs_;
  CommitFiles files_;
};

Result<void> Init::run() {
  using Step = Result<void> (Init::*)();
  constexpr Step steps[] = {&Init::name_repository, &Init::prepare_ssh,    &Init::reach_repository,
                            &Init::choose_ref,      &Init::choose_compose, &Init::choose_directory,
                            &Init::write_stack_file};
  for (const Step step : steps) {
    if (auto done = (this->*step)(); !done) return done.error();
  }
  advise();
  return {};
}

Result<void> Init::name_repository() {
  Question url{"Git repository, as for git clone", "--url", options_.url, {}, git_url_complaint};
  const auto address = questions_.ask(url);
  if (!address) return address.error();
  stack_.git.url = *address;
  access_.url = *address;
  access_.proxies = proxies_of(load_config(config_dir_).daemon);
  auto remote = parse_remote(*address);
  if (!remote) return remote.error();
  remote_ = std::move(*remote);

  const auto name_complaint = [this](const std::string& text) -> std::string {
    if (!is_stack_name(text)) return "a name is lower-case letters, digits, - and _";
    const fs::path file = config_dir_ / "stacks.d" / (text + ".yaml");
    if (!is_there(file)) return {};
    return file.string() +
           " already exists and is not changed: edit it and run `trimtab check`, "
           "or choose another name";
  };
  const std::string proposal = propose_name(*address);
  const auto name =
      questions_.ask({"Name of the stack", "--name", options_.name, proposal, name_complaint});
  if (!name) return name.error();
  stack_.name = *name;
  return make_directory(config_dir_ / "stacks.d");
}

Result<void> Init::prepare_ssh() {
  const bool ssh = remote_.protocol == GitProtocol::ssh;
  const bool web = remote_.protocol == GitProtocol::https || remote_.protocol == GitProtocol::http;
  if (!ssh && !(options_.key.empty() && options_.host_fingerprint.empty())) {
    return Error{Errc::invalid,
                 "--key and --host-fingerprint are only for SSH urls, and the url is not one",
                 {}};
  }
  if (!web && !options_.token_file.empty()) {
    return Error{Errc::invalid, "--token-file is only for https urls, and the url is not one", {}};
  }
  if (web && !options_.token_file.empty()) return name_token_file(options_.token_file);
  if (!ssh) return {};
  const fs::path known_hosts = config_dir_ / "known_hosts";
  if (auto pinned = pin_host_key(known_hosts); !pinned) return pinned.error();
  stack_.git.known_hosts = known_hosts;
  access_.known_hosts = known_hosts;
  return prepare_key();
}

Result<void> Init::name_token_file(const std::string& given) {
  const fs::path file = fs::absolute(given).lexically_normal();
  const auto token = read_secret_file(file);
  if (!token) {
    Error error = token.error().context("--token-file");
    error.code = Errc::invalid;
    if (error.hint.empty()) error.hint = "put the access token into that file, mode 0600";
    return error;
  }
  stack_.git.token_file = file;
  access_.token_file = file;
  return {};
}

Result<void> Init::pin_host_key(const fs::path& known_hosts) {
  const HostAddress address = parse_host_address(remote_.host);
  const std::string host = address.known_as();
  const std::string& expected = options_.host_fingerprint;
  if (is_there(known_hosts)) {
    const auto found = perform(trimtab::run(command_of(
        {"ssh-keygen", "-F", host, "-f", known_hosts.string()}, std::chrono::seconds(30))));
    if (!found) return found.error();
    const auto pinned = parse_host_keys(found->out);
    if (!pinned.empty()) {
      const bool as_expected =
          expected.empty() || std::any_of(pinned.begin(), pinned.end(), [&](const HostKey& key) {
            return key.fingerprint == expected;
          });
      if (!as_expected) {
        return Error{Errc::untrusted,
                     fmt::format("{} pins another SSH host key of {}: {}", known_hosts.string(),
                                 host, pinned.front().fingerprint),
                     "if the host has a new one, remove its line there and run this again"};
      }
      say(fmt::format("Host key of {} is pinned in {}: {}", host, known_hosts.string(),
                      pinned.front().fingerprint));
      return {};
    }
  }

  const auto scanned =
      perform(trimtab::run(command_of({"ssh-keyscan", "-T", "10", "-p", address.port, "-t",
                                       "ed25519,ecdsa,rsa", "--", address.host},
                                      std::chrono::seconds(60))));
  if (!scanned) return scanned.error();
  const auto keys = parse_host_keys(scanned->out);
  if (keys.empty()) {
    const std::string words = last_lines(scanned->error_tail(), 1);
    return Error{
        Errc::unavailable,
        fmt::format("{} presents no SSH host key{}", host, words.empty() ? "" : ": " + words),
        "check the url's host and port, and that this server can connect to them"};
  }
  const auto judged = verify_host_keys(address.host, keys, expected);
  if (!judged) return judged.error();
  const HostKey& key = judged->key;
  const std::string shown = key.fingerprint + " (" + key.type + ")";
  if (judged->trust == Trust::unknown) {
    const std::string what = fmt::format("the SSH host key of {} is unknown: {}", host, shown);
    const std::string hint = fmt::format(
        "compare it with the key that its operator publishes (on the host itself: `ssh-keygen -lf "
        "/etc/ssh/ssh_host_{}_key.pub`), then pass it as --host-fingerprint",
        key.type);
    if (!questions_.interactive()) return Error{Errc::untrusted, what, hint};
    say(fmt::format("Host key of {}: {}", host, shown));
    const auto same = questions_.confirm("Is this the one that its operator publishes?");
    if (!same) return same.error();
    if (!*same) return Error{Errc::untrusted, what + ", and was not confirmed", hint};
  }
  // If the file's last line has no newline, ours must not be appended to it.
  const auto before = read_file(known_hosts);
  if (!before && before.error().code != Errc::not_found) return before.error();
  const bool open_line = before && !before->empty() && !before->ends_with('\n');
  auto written = append_durably(known_hosts, (open_line ? "\n" : "") + key.line + "\n");
  if (!written) return written.error();
  say(judged->trust == Trust::unknown
          ? "Pinned in " + known_hosts.string()
          : fmt::format("Host key of {}: {}{}; pinned in {}", host, shown,
                        judged->trust == Trust::published ? ", as published" : "",
                        known_hosts.string()));
  return {};
}

Result<void> Init::make_key(const fs::path& key) {
  if (auto made = make_private_directory(key.parent_path()); !made) return made.error();
  // Created under another name first, so that an interruption leaves no partial key.
  const fs::path aside = key.parent_path() / (fmt::format(".{}.new", key.filename().string()));
  const fs::path aside_public = aside.string() + ".pub";
  std::error_code ec;
  fs::remove(aside, ec);
  fs::remove(aside_public, ec);
  char host[256] = "";
  if (::gethostname(host, sizeof host - 1) != 0) host[0] = '\0';
  const std::string comment = fmt::format("trimtab {}@{}", stack_.name, host);
  const auto made = perform(trimtab::run(command_of(
      {"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", aside.string()},
      std::chrono::seconds(60))));
  if (!made) return made.error();
  if (!made->ok()) {
    return Error{
        Errc::failed,
        fmt::format("ssh-keygen could not create {}: {}", key.string(), made->error_tail()),
        {}};
  }
  fs::rename(aside_public, key.string() + ".pub", ec);
  if (!ec) fs::rename(aside, key, ec);
  if (ec) return os_error("make", key, ec.value());
  return sync_directory(key.parent_path());
}

Result<void> Init::prepare_key() {
  const fs::path key = options_.key.empty() ? config_dir_ / "keys" / stack_.name
                                            : fs::absolute(options_.key).lexically_normal();
  const bool reused = is_there(key);
  if (!reused) {
    if (auto made = make_key(key); !made) return made.error();
  }
  const auto read = perform(trimtab::run(
      command_of({"ssh-keygen", "-y", "-P", "", "-f", key.string()}, std::chrono::seconds(30))));
  if (!read) return read.error();
  if (!read->ok()) {
    return Error{
        Errc::invalid,
        fmt::format("{} cannot be used as a deploy key: {}", key.string(),
                    last_lines(read->error_tail(), 1)),
        "it must be a private SSH key without a passphrase, mode 0600; move it away to have "
        "a new one created"};
  }
  public_key_ = trim(read->out);
  stack_.git.key = key;
  access_.key = key;
  say((reused ? "Deploy key: " : "Deploy key created: ") + key.string());
  return {};
}

Result<RemoteRefs> Init::ask_remote() const {
  const WorkDirectory work;
  const auto directory = work.path();
  if (!directory) return directory.error();
  return perform(list_remote(access_, remote_, *directory));
}

Result<void> Init::reach_repository() {
  while (true) {
    auto refs = ask_remote();
    if (refs) {
      refs_ = std::move(*refs);
      break;
    }
    // Forges report a private repository as not found.
    const bool refused = refs.error().code == Errc::denied || refs.error().code == Errc::not_found;
    if (refs.error().code == Errc::unavailable || refs.error().code == Errc::timed_out) {
      return with_hint(refs.error(),
                       "make sure that this server can reach it, then run this again");
    }
    if (!refused || remote_.protocol == GitProtocol::local) return refs.error();
    if (auto granted = get_access(refs.error()); !granted) return granted.error();
  }
  if (refs_.refs.empty()) {
    return Error{Errc::not_found, stack_.git.url + " is empty",
                 "push a branch, then run this again"};
  }
  const auto branches = refs_.branches();
  say("Access works." + (branches.empty() ? std::string() : " Branches: " + some_of(branches)));
  return {};
}

// Does what is needed before the repository can be queried again. Returns an error if that is not
// possible now.
Result<void> Init::get_access(const Error& refused) {
  if (remote_.protocol != GitProtocol::ssh) {
    Error error = refused;
    error.hint =
        "for a private repository, use --token-file, or use its SSH address (git@…) as --url";
    if (!questions_.interactive() || !access_.token_file.empty()) return error;
    say(error.message);
    const auto file_complaint = [](const std::string& text) -> std::string {
      const auto token = read_secret_file(text);
      return token ? std::string() : token.error().text();
    };
    const auto file = questions_.ask(
        {"File that contains an access token", "--token-file", {}, {}, file_complaint});
    if (!file) return file.error();
    return name_token_file(*file);
  }
  if (!key_shown_) {
    Lines lines = {"", "Add this key to the repository:", "", "  " + one_line(public_key_), ""};
    for (const std::string& line : where_to_paste(remote_)) lines.push_back("  " + one_line(line));
    lines.emplace_back();
    terminal_.print(lines);
    key_shown_ = true;
  } else {
    say(refused.message);
  }
  if (!questions_.interactive() || options_.yes) {
    return with_hint(refused,
                     "add the key shown above there, then run this again: it continues here");
  }
  return questions_.wait("Press Enter when it is added, or Ctrl-C to continue later: ");
}

std::string Init::ref_complaint(const std::string& text) const {
  const auto wanted = parse_ref(text);
  if (!wanted) return wanted.error().text();
  if (find_tip(refs_.refs, *wanted)) return {};
  if (wanted->is_tag) return "the repository has no tag that matches " + text;
  const auto branches = refs_.branches();
  const auto near = nearest(wanted->name, branches);
  return fmt::format("the repository has no branch {}; it has {}{}", text, some_of(branches),
                     near ? fmt::format(" (did you mean {}?)", *near) : "");
}

Result<void> Init::choose_ref() {
  const auto ref = questions_.ask(
      {"Branch (or tag pattern such as v*)", "--ref", options_.ref, refs_.default_branch,
       [this](const std::string& text) { return ref_complaint(text); }});
  if (!ref) return ref.error();
  stack_.git.ref = *ref;
  const auto wanted = parse_ref(*ref);
  if (!wanted) return wanted.error();
  const auto tip = find_tip(refs_.refs, *wanted);
  if (!tip) return Error{Errc::invalid, ref_complaint(*ref), {}};
  const WorkDirectory work;
  const auto directory = work.path();
  if (!directory) return directory.error();
  auto files = perform(read_commit(access_, remote_, *tip, *directory));
  if (!files) return files.error();
  files_ = std::move(*files);
  return {};
}

std::string Init::compose_complaint(const std::string& text) const {
  const auto chosen = words_of(text);
  for (const std::string& path : chosen) {
    if (std::find(files_.paths.begin(), files_.paths.end(), path) != files_.paths.end()) continue;
    const auto near = nearest(path, compose_files_of(files_.paths));
    return fmt::format("{} has no file {}{}", stack_.git.ref, path,
                       near ? fmt::format(" (did you mean {}?)", *near) : "");
  }
  return chosen.empty() ? "choose at least one file" : "";
}

Result<void> Init::choose_compose() {
  const auto found = compose_files_of(files_.paths);
  if (found.empty() && options_.compose.empty()) {
    return Error{Errc::invalid,
                 fmt::format("{} of {} has no compose file", stack_.git.ref, stack_.git.url),
                 "push one, for example compose.yaml, or choose it with --compose"};
  }
  if (found.size() > 1 && options_.compose.empty()) say("Compose files found: " + some_of(found));
  const auto answer =
      questions_.ask({"Compose files to run", "--compose", join(options_.compose, " "),
                      join(propose_compose(found, files_.texts), " "),
                      [this](const std::string& text) { return compose_complaint(text); }});
  if (!answer) return answer.error();
  const auto chosen = words_of(*answer);
  if (!is_usual_compose(chosen, found)) stack_.compose = chosen;
  return {};
}

Result<void> Init::choose_directory() {
  const auto complaint = [this](const std::string& text) -> std::string {
    if (text.front() != '/' || text == "/" || has_parent_segment(text)) {
      return "use an absolute path, such as /srv/" + stack_.name;
    }
    const LoadResult others = load_config(config_dir_);
    const fs::path directory = fs::path(text).lexically_normal();
    for (const StackSettings& other : others.stacks) {
      if (other.directory == directory)
        return fmt::format("{} is used by the stack {}", text, other.name);
    }
    return {};
  };
  const auto directory = questions_.ask({"Directory for the live checkout", "--directory",
                                         options_.directory, "/srv/" + stack_.name, complaint});
  if (!directory) return directory.error();
  stack_.directory = fs::path(*directory).lexically_normal();
  if (!stack_.directory.has_filename()) stack_.directory = stack_.directory.parent_path();
  return {};
}

Result<void> Init::write_stack_file() {
  const fs::path file = stack_file();
  const std::string text = stack_file_text(stack_);
  // Validated before it is placed where the daemon reads it.
  std::vector<Finding> findings;
  parse_stack(text, file, findings);
  for (const Finding& finding : findings) {
    if (finding.severity == Severity::error) {
      return Error{Errc::invalid, to_string(finding), "nothing was written"};
    }
    say(to_string(finding));
  }
  if (auto written = write_file_durably(file, text, 0644); !written) return written.error();
  terminal_.print({"", "Written: " + one_line(file.string())});
  return {};
}

std::string Init::docker_advice() const {
  const std::string path = minimal_environment()["PATH"];
  if (find_program("docker", path).empty()) {
    return "Install Docker and Compose: apt install docker.io docker-compose";
  }
  const auto plugin =
      perform(trimtab::run(command_of({"docker", "compose", "version"}, std::chrono::seconds(30))));
  if (plugin && plugin->ok()) return {};
  if (!find_program("docker-compose", path).empty()) return {};
  return "Install Compose: apt install docker-compose (beside docker-ce: docker-compose-plugin)";
}

std::string Init::env_advice() const {
  const auto example = files_.texts.find(example_env_file);
  const fs::path env_file = stack_.directory / default_env_file;
  if (example == files_.texts.end() || is_there(env_file)) return {};
  const auto keys = env_keys(example->second);
  return fmt::format("Write {} (chmod 600) after {}{}", env_file.string(), example_env_file,
                     keys.empty() ? std::string() : ", with " + some_of(keys));
}

std::string Init::start_advice() const {
  if (config_dir_ != Options().config_dir)
    return "Start the daemon: trimtabd --config-dir " + config_dir_.string();
  if (!is_there("/run/systemd/system")) return "Start the daemon: trimtabd";
  const auto active = perform(trimtab::run(
      command_of({"systemctl", "is-active", "--quiet", "trimtabd"}, std::chrono::seconds(30))));
  return active && active->ok() ? "Let the daemon read it: systemctl reload trimtabd"
                                : "Start the daemon: systemctl enable --now trimtabd";
}

void Init::advise() {
  Lines lines = {"", "Next:"};
  int number = 0;
  for (const std::string& step :
       {docker_advice(), env_advice(), start_advice(),
        fmt::format("Watch it start: trimtab status {} --watch", stack_.name)}) {
    if (!step.empty()) lines.push_back(fmt::format("  {}. {}", ++number, one_line(step)));
  }
  terminal_.print(lines);
}

}  // namespace

int init(const InitOptions& options, const fs::path& config_dir, Terminal& terminal) {
  const auto done = Init(options, config_dir, terminal).run();
  if (done) return exit_done;
  const Error& error = done.error();
  std::fflush(stdout);
  std::fprintf(stderr, "trimtab: %s\n", printable(error.text()).c_str());
  if (error.code == Errc::cancelled) return exit_interrupted;
  return error.code == Errc::invalid ? exit_usage : exit_failed;
}

}  // namespace trimtab::cli
