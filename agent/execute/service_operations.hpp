// What is done to the containers of services: each looks at what is there first, so that it may be
// repeated.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "agent/compose/compose.hpp"
#include "agent/execute/progress.hpp"
#include "agent/execute/stack_reader.hpp"

namespace trimtab {

// All outlive the operations.
struct ServiceOperationsDeps {
  const StackSettings& settings;
  const std::string& project;
  const Store& store;
  Docker& docker;
  Compose& compose;
  Progress& progress;
  const StackReader& stack;
};

// Errors of each: those of Docker, of Compose, and of reading the release.
class ServiceOperations {
 public:
  explicit ServiceOperations(ServiceOperationsDeps deps) : deps_(deps) {}

  // Stops and removes what trimtab made for them; what was made by hand stays.
  Task<Result<void>> remove(std::vector<std::string> services);
  // Has Compose make and replace the containers of these services of a release, and no others.
  Task<Result<void>> apply(int number, std::vector<std::string> services, bool force_recreate);
  // In this order.
  Task<Result<void>> restart(std::vector<std::string> services);
  // Has them read their files again. A service that refuses files which are not among
  // `with_new_files` is told: what it misses is for the gate to say.
  Task<Result<void>> reload(int number, std::vector<std::string> services,
                            std::set<std::string> with_new_files);

 private:
  Task<Result<void>> remove_half_made(std::vector<std::string> services);

  ServiceOperationsDeps deps_;
};

}  // namespace trimtab
