#pragma once

#include <filesystem>
#include <string>

namespace trimtab {

// Credentials for a registry. Must never be printed or logged.
struct RegistryLogin {
  std::string username;
  std::string password;
  std::string identity_token;  // OAuth 2 refresh token instead of a password; otherwise empty
  // Name in Docker's config.json and for the Engine: https://index.docker.io/v1/.
  std::string server;
  friend bool operator==(const RegistryLogin&, const RegistryLogin&) = default;
};

// Configures the login for one registry, instead of Docker's config.json.
struct RegistrySettings {
  std::string host;  // "docker.io", "ghcr.io", "127.0.0.1:5000"
  std::string username;
  std::filesystem::path password_file;
  // For Amazon ECR instead of user name and password: AWS's credentials file and the profile in it.
  // Empty: the environment, else /root/.aws/credentials.
  std::filesystem::path aws_credentials_file;
  std::string aws_profile;  // empty: AWS_PROFILE, else "default"
  friend bool operator==(const RegistrySettings&, const RegistrySettings&) = default;
};

}  // namespace trimtab
