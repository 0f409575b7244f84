#include "cli/options.hpp"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <iostream>

#include "cli/exit_code.hpp"
#include "common/text.hpp"

namespace trimtab::cli {

namespace {

// Accepts a full or abbreviated commit id: 4 to 64 hexadecimal digits.
std::string check_commit(const std::string& text) {
  const bool hex =
      std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isxdigit(c) != 0; });
  if (hex && text.size() >= 4 && text.size() <= 64) return {};
  return "a commit is 4 to 64 hexadecimal digits, such as 3f2c1ab";
}

CLI::App* command(CLI::App& app, Options& options, Action action, const std::string& name,
                  const std::string& what) {
  CLI::App* const sub = app.add_subcommand(name, what);
  sub->callback([&options, action] { options.action = action; });
  return sub;
}

void add_stack(CLI::App* sub, Options& options, bool required) {
  sub->add_option("STACK", options.stack, "The stack's name")->required(required);
}

void add_json(CLI::App* sub, Options& options) {
  sub->add_flag("--json", options.json, "Print JSON, as returned by the status socket");
}

void add_config_dir(CLI::App* sub, Options& options) {
  sub->add_option("--config-dir", options.config_dir, "Where trimtab.yaml and stacks.d/ are")
      ->capture_default_str();
}

void add_init(CLI::App* sub, Options& options) {
  InitOptions& init = options.init;
  sub->add_option("--url", init.url, "The repository, as for git clone");
  sub->add_option("--name", init.name, "The stack's name; proposed: the repository's");
  sub->add_option("--ref", init.ref,
                  "A branch, or a tag pattern such as v*; proposed: the default branch");
  sub->add_option("--compose", init.compose,
                  "A compose file to run, repeatable; proposed: those in the repository");
  sub->add_option("--directory", init.directory, "The live checkout; proposed: /srv/NAME");
  sub->add_option("--key", init.key,
                  "The private SSH key, created if missing; default: keys/NAME beside stacks.d");
  sub->add_option(
      "--host-fingerprint", init.host_fingerprint,
      "The SSH host key to trust, SHA256:…; GitHub's, GitLab's and Bitbucket's are known");
  sub->add_option("--token-file", init.token_file,
                  "For https: a file that contains an access token");
  sub->add_flag("--yes,-y", init.yes, "Accept what is proposed, without asking");
  add_config_dir(sub, options);
}

// If the given command is unknown, CLI11 only reports that a command is missing.
int complain_about_command(const CLI::App& app, const CLI::RequiredError& error) {
  const std::vector<std::string> unknown = app.remaining();
  if (!app.get_subcommands().empty()) {
    app.exit(error);
    return exit_usage;
  }
  if (unknown.empty()) {
    std::cerr << app.help();
    return exit_usage;
  }
  std::vector<std::string> names;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(sub->get_name());
  }
  const auto meant = nearest(unknown.front(), names);
  std::cerr << "trimtab: unknown command \"" << printable(unknown.front()) << '"'
            << (meant ? fmt::format(" (did you mean \"{}\"?)", *meant) : std::string())
            << "; `trimtab --help` lists all\n";
  return exit_usage;
}

}  // namespace

std::variant<Options, int> parse_options(int argc, const char* const* argv) {
  Options options;
  CLI::App app("Keeps Docker Compose stacks in step with Git: queries and controls trimtabd.",
               "trimtab");
  app.set_version_flag("--version", "trimtab " TRIMTAB_VERSION);
  app.add_option("--socket", options.socket, "The daemon's socket")
      ->envname("TRIMTAB_SOCKET")
      ->capture_default_str();
  app.require_subcommand(1);
  app.fallthrough();

  CLI::App* sub = command(app, options, Action::status, "status",
                          "What runs, where it comes from, and what happens next");
  add_stack(sub, options, false);
  sub->add_flag("--watch,-w", options.watch, "Keep showing it as it changes");
  add_json(sub, options);

  sub = command(app, options, Action::init, "init",
                "Set up a stack: asks, creates a deploy key, tests access, writes its file");
  add_init(sub, options);

  sub = command(app, options, Action::check, "check",
                "Validate the configuration (works without the daemon)");
  sub->add_option("FILE", options.files, "These files only; default: all of the configuration");
  add_config_dir(sub, options);
  add_json(sub, options);

  sub = command(app, options, Action::plan, "plan", "What a deploy would change now, and why");
  add_stack(sub, options, true);
  add_json(sub, options);

  sub = command(app, options, Action::deploy, "deploy",
                "Deploy what Git and the registry offer now, even if it was rejected before");
  add_stack(sub, options, true);
  sub->add_option("--commit", options.commit, "This commit; it stays deployed until the ref moves")
      ->check(CLI::Validator(check_commit, "COMMIT"));
  sub->add_flag("--wait", options.wait, "Show the progress; exit with 4 if it is rejected");

  sub = command(app, options, Action::rollback, "rollback",
                "Go back to an older release and reject the current one");
  add_stack(sub, options, true);
  sub->add_option("RELEASE", options.release, "Its number; default: the last good one")
      ->check(CLI::PositiveNumber);
  sub->add_flag("--wait", options.wait, "Show the progress");

  sub = command(app, options, Action::history, "history", "The releases that are kept");
  add_stack(sub, options, true);
  add_json(sub, options);

  sub = command(app, options, Action::show, "show",
                "One release: what it contains, how it went, why it failed");
  add_stack(sub, options, true);
  sub->add_option("RELEASE", options.release, "Its number")->required()->check(CLI::PositiveNumber);
  add_json(sub, options);

  sub = command(app, options, Action::logs, "logs", "Logs of the services");
  add_stack(sub, options, true);
  sub->add_option("SERVICE", options.services, "These only; default: all");
  sub->add_flag("--follow,-f", options.follow, "Keep printing new lines");
  sub->add_option("--tail,-n", options.tail, "Number of last lines of each")
      ->check(CLI::Range(0, 10000))
      ->capture_default_str();

  sub = command(app, options, Action::events, "events", "Recent events");
  add_stack(sub, options, false);
  sub->add_flag("--follow,-f", options.follow, "Keep printing new events");
  sub->add_flag("--json", options.json, "Print one JSON object per line");

  sub = command(app, options, Action::pause, "pause", "Watch and report, but change nothing");
  add_stack(sub, options, true);
  sub->add_option("--reason", options.reason, "Shown in the status");

  sub = command(app, options, Action::resume, "resume", "End a pause");
  add_stack(sub, options, true);

  // Set last, because subcommands would inherit it.
  app.footer(
      "Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 trimtabd does not answer,\n"
      "4 the deploy was rejected or rolled back. `trimtab COMMAND --help` says more.");

  try {
    app.parse(argc, argv);
  } catch (const CLI::RequiredError& error) {
    return complain_about_command(app, error);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? exit_done : exit_usage;
  }
  return options;
}

}  // namespace trimtab::cli
