#pragma once

#include <filesystem>
#include <string>

namespace trimtab {

// What a registry asks for before it gives an image. Never printed, never logged.
struct RegistryLogin {
  std::string username;
  std::string password;
  std::string identity_token;  // in place of a password: OAuth 2's refresh token; else empty
  std::string
      server;  // as Docker's config.json and the Engine name it: https://index.docker.io/v1/
  friend bool operator==(const RegistryLogin&, const RegistryLogin&) = default;
};

// Where the login for one registry comes from, if not from Docker's config.json.
struct RegistrySettings {
  std::string host;  // "docker.io", "ghcr.io", "127.0.0.1:5000"
  std::string username;
  std::filesystem::path password_file;
  // For Amazon ECR instead of a name and a password: AWS's file of keys and the part of it that
  // counts. Empty: the environment, else /root/.aws/credentials.
  std::filesystem::path aws_credentials_file;
  std::string aws_profile;  // empty: AWS_PROFILE, else "default"
  friend bool operator==(const RegistrySettings&, const RegistrySettings&) = default;
};

}  // namespace trimtab
