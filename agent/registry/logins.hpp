// Where the login for a registry comes from: trimtab.yaml, Docker's config.json and the helpers
// that it names, or AWS.
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
  std::filesystem::path docker_config;  // need not exist
  std::vector<RegistrySettings> registries;
  http::Proxies proxies;
};

class Logins {
 public:
  explicit Logins(LoginSettings settings);
  ~Logins();

  // From the next question on.
  void use(std::vector<RegistrySettings> registries, http::Proxies proxies);

  // The registry's entry in the settings counts first, then what config.json says of the registry
  // by name, then AWS where it is one of Amazon ECR, then config.json's credsStore; none:
  // anonymous. Files are read anew when they change. What a helper or AWS gave is used again, until
  // it is forgotten or nears its end. Errors say what to do about them; denied, invalid, not_found,
  // or those of a process or a connection.
  Task<Result<std::optional<RegistryLogin>>> login_for(std::string registry);

  // The registry refused the login that it was given: the next login_for makes a new one.
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
  std::map<std::string, std::unique_ptr<Kept>> kept_;  // by registry; its entries stay
};

}  // namespace trimtab
