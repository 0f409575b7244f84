#include "agent/registry/credential_helper.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "agent/registry/registry_errors.hpp"
#include "common/json.hpp"
#include "common/text.hpp"

namespace trimtab {

namespace {

constexpr std::chrono::seconds max_run{10};
constexpr std::size_t max_helper_answer = 64 * 1024;
constexpr std::string_view prefix = "docker-credential-";

// Whether the name can be part of a file name but not of a path.
bool is_helper_name(std::string_view name) {
  constexpr std::string_view allowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
  return !name.empty() && name.size() <= 100 && name.find_first_not_of(allowed) == name.npos;
}

// Passes on, besides PATH, only the variables by which the helpers of the clouds (ecr-login, gcr
// and gcloud, acr-env) and of pass find their keys and settings.
std::map<std::string, std::string> helper_environment(const http::Proxies& proxies) {
  constexpr std::string_view names[] = {"HOME", "GNUPGHOME", "PASSWORD_STORE_DIR"};
  constexpr std::string_view families[] = {"AWS_", "AZURE_", "CLOUDSDK_", "GOOGLE_"};
  auto environment = minimal_environment();
  environment["HOME"] = "/root";
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const auto name = text.substr(0, text.find('='));
    const bool wanted =
        std::find(std::begin(names), std::end(names), name) != std::end(names) ||
        std::any_of(std::begin(families), std::end(families),
                    [name](std::string_view family) { return name.starts_with(family); });
    if (wanted && name.size() < text.size())
      environment[std::string(name)] = text.substr(name.size() + 1);
  }
  environment.merge(http::proxy_variables(proxies));
  return environment;
}

// Returns a failed helper's message on one line; "" if the output could be a login after all.
std::string complaint(const Exit& exit) {
  const std::string_view said = trim(trim(exit.out).empty() ? exit.err : exit.out);
  if (said.find('{') != said.npos) return {};
  return short_message(said);
}

}  // namespace

Result<std::optional<RegistryLogin>> parse_helper_answer(const std::string& name,
                                                         const std::string& server,
                                                         const Exit& exit) {
  const std::string program = std::string(prefix) + name;
  if (!exit.ok()) {
    // The protocol's fixed message, which helpers print on standard output.
    if (trim(exit.out) == "credentials not found in native keychain")
      return std::optional<RegistryLogin>();
    const std::string said = complaint(exit);
    // Usually its keys are missing or its server cannot be reached, so this is never treated as the
    // image's fault.
    return Error{
        Errc::unavailable,
        fmt::format("{} returned no login for {}{}", program, server,
                    said.empty() ? fmt::format(" (exit code {})", exit.code) : ": " + said),
        fmt::format("`echo {} | {} get` as root reproduces it", server, program)};
  }
  const Error no_login{
      Errc::invalid,
      fmt::format("{} returned for {} something that is not a login", program, server),
      "check that it is a Docker credential helper"};
  if (exit.out_truncated) return no_login;
  const auto answer = parse_json(exit.out);
  if (!answer || !answer->is_object()) return no_login;
  RegistryLogin login;
  login.server = server;
  const std::string username = json_string(*answer, "Username");
  std::string secret = json_string(*answer, "Secret");
  if (secret.empty()) return no_login;
  if (username == "<token>") {
    login.identity_token = std::move(secret);
  } else if (username.empty()) {
    return no_login;
  } else {
    login.username = username;
    login.password = std::move(secret);
  }
  return std::optional<RegistryLogin>(std::move(login));
}

Task<Result<std::optional<RegistryLogin>>> ask_helper(std::string name, std::string server,
                                                      http::Proxies proxies) {
  if (!is_helper_name(name)) {
    co_return Error{
        Errc::invalid, fmt::format("\"{}\" is not a helper's name", short_message(name)),
        fmt::format("credsStore and credHelpers in config.json hold the part of its name after {}",
                    prefix)};
  }
  Command command;
  command.argv = {std::string(prefix) + name, "get"};
  command.environment = helper_environment(proxies);
  command.input = server;
  command.timeout = max_run;
  command.output_limit = max_helper_answer;
  command.error_limit = max_helper_answer;
  const auto exit = co_await run(std::move(command));
  if (!exit) {
    Error error = exit.error();
    if (error.code == Errc::timed_out)
      error.hint = "run it manually as root: it may be waiting for a passphrase";
    if (error.code != Errc::not_found) co_return error;
    co_return Error{Errc::not_found,
                    fmt::format("the login for {} is stored by {}{}, which is not installed",
                                server, prefix, name),
                    "install it, or remove it from config.json and run `docker login` again"};
  }
  co_return parse_helper_answer(name, server, *exit);
}

}  // namespace trimtab
