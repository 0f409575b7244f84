// Finds the login for a registry: in trimtab.yaml, in Docker's config.json, from the helpers that
// it names, or from AWS.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/registry/docker_config.hpp"
#include "agent/registry/ecr.hpp"
#include "common/async.hpp"
#include "common/async_mutex.hpp"
#include "common/proxy.hpp"

namespace trimtab {

struct LoginSettings {
  std::filesystem::path docker_config;  // may be missing
  std::vector<RegistrySettings> registries;
  http::Proxies proxies;
};

class Logins {
 public:
  explicit Logins(LoginSettings settings);
  ~Logins();

  // Replaces the settings, from the next call on.
  void use(std::vector<RegistrySettings> registries, http::Proxies proxies);

  // The first of these that has a login: the registry's entry in the settings, config.json's entry
  // for the registry, AWS if it is a registry of Amazon ECR, config.json's credsStore. None of
  // them: anonymous. Files are reread when they change. Logins from helpers and AWS are cached
  // until they are forgotten or near their expiry. Errors say how to fix them: denied, invalid,
  // not_found, or those of a process or a connection.
  Task<Result<std::optional<RegistryLogin>>> login_for(std::string registry);

  // Call this after the registry refused the login: the next login_for creates a new one.
  void forget(const std::string& registry);

 private:
  using Login = std::optional<RegistryLogin>;
  struct Kept;

  Kept& kept_for(const std::string& registry, const asio::any_io_executor& executor);
  Task<Result<Login>> from_config(std::string registry, StoredLogin stored);
  Task<Result<Login>> from_helper(std::string registry, std::string helper);
  Task<Result<Login>> from_aws(std::string registry, EcrRegistry ecr, RegistrySettings settings);

  LoginSettings settings_;
  DockerConfigFile docker_config_;
  std::map<std::string, std::unique_ptr<Kept>> kept_;  // by registry; entries are never removed
};

}  // namespace trimtab
