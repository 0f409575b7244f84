#include <CLI/CLI.hpp>
#include <cstdio>

#include "agent/run_agent.hpp"

int main(int argc, char** argv) {
  trimtab::AgentOptions options;
  CLI::App app("Keeps Docker Compose stacks on the course that Git sets.", "trimtabd");
  app.set_version_flag("--version", "trimtabd " TRIMTAB_VERSION);
  app.add_option("--config-dir", options.config_dir, "where trimtab.yaml and stacks.d are")
      ->capture_default_str();
  app.add_option("--state-dir", options.state_dir, "where releases and repositories are kept")
      ->capture_default_str();
  app.add_option("--socket", options.socket, "the status socket")->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : 2;
  }
  if (trimtab::SystemdUnits::manages_this_host()) options.systemd.emplace();
  try {
    return trimtab::run_agent(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "trimtabd: %s\n", error.what());
    return 1;
  }
}
