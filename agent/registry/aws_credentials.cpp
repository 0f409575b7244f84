#include "agent/registry/aws_credentials.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <utility>

#include "common/files.hpp"
#include "common/text.hpp"

namespace trimtab {

namespace {

constexpr std::size_t max_file = 1024 * 1024;

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : value;
}

// Whether the text can be part of a header's value.
bool is_token(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

// Returns the keys if all their parts are present and well-formed.
Result<AwsKeys> checked(AwsKeys keys, const std::string& where) {
  const std::string hint = "set aws_access_key_id and aws_secret_access_key of an IAM user";
  if (keys.access_key_id.empty() || keys.secret_access_key.empty()) {
    return Error{Errc::invalid,
                 where + (keys.access_key_id.empty() ? " has no aws_access_key_id"
                                                     : " has no aws_secret_access_key"),
                 hint};
  }
  // A slash would end the key id in the signature's scope.
  const bool usable = keys.access_key_id.find_first_of("/,") == std::string::npos &&
                      is_token(keys.access_key_id) && is_token(keys.secret_access_key) &&
                      is_token(keys.session_token);
  if (!usable)
    return Error{Errc::invalid, where + " has keys that contain spaces or other invalid characters",
                 hint};
  return keys;
}

// Returns the name in "[default]" or "[profile shop]"; AWS's config file uses the latter form.
std::string section_name(std::string_view line) {
  std::string_view name = trim(line.substr(1, line.find(']') - 1));
  constexpr std::string_view prefix = "profile ";
  if (name.starts_with(prefix)) name = trim(name.substr(prefix.size()));
  return std::string(name);
}

std::filesystem::path default_file() {
  const std::string home = variable("HOME");
  return std::filesystem::path(home.empty() ? "/root" : home) / ".aws" / "credentials";
}

}  // namespace

Result<AwsKeys> parse_aws_credentials(std::string_view text, const std::string& profile) {
  const std::string where = "profile " + profile;
  std::map<std::string, std::string> values;
  bool found = false;
  bool here = false;
  for (const std::string& raw : split(text, '\n')) {
    const std::string_view line = trim(raw);
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    if (line.front() == '[') {
      here = section_name(line) == profile;
      found = found || here;
      continue;
    }
    const auto equals = line.find('=');
    if (!here || equals == line.npos) continue;
    values[std::string(trim(line.substr(0, equals)))] = std::string(trim(line.substr(equals + 1)));
  }
  if (!found) {
    return Error{Errc::not_found, "it has no profile " + profile,
                 "add it, or set aws_profile to another one"};
  }
  if (values["aws_access_key_id"].empty()) {
    for (const char* const other :
         {"role_arn", "sso_session", "sso_start_url", "credential_process"}) {
      if (!values.contains(other)) continue;
      return Error{Errc::invalid,
                   fmt::format("{} uses {}, which trimtab does not support", where, other),
                   "give it the keys of an IAM user, or let docker-credential-ecr-login log in"};
    }
  }
  return checked(AwsKeys{values["aws_access_key_id"], values["aws_secret_access_key"],
                         values["aws_session_token"]},
                 where);
}

Result<AwsKeys> find_aws_keys(const RegistrySettings& settings) {
  const bool from_settings =
      !settings.aws_credentials_file.empty() || !settings.aws_profile.empty();
  if (!from_settings && !variable("AWS_ACCESS_KEY_ID").empty()) {
    return checked(AwsKeys{variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"),
                           variable("AWS_SESSION_TOKEN")},
                   "the environment");
  }
  std::string profile = settings.aws_profile;
  if (profile.empty()) profile = variable("AWS_PROFILE");
  if (profile.empty()) profile = "default";
  const auto file =
      settings.aws_credentials_file.empty() ? default_file() : settings.aws_credentials_file;
  const auto text = read_file(file, max_file);
  if (!text) {
    if (text.error().code != Errc::not_found) return text.error();
    return Error{Errc::not_found,
                 fmt::format("there are no AWS keys: {} does not exist", file.string()),
                 "put the keys of an IAM user into it, or set another file with "
                 "aws_credentials_file in trimtab.yaml"};
  }
  auto keys = parse_aws_credentials(*text, profile);
  if (!keys) return keys.error().context(file.string());
  return keys;
}

}  // namespace trimtab
