// Operations on the containers of services. Each observes them first, so that it may be repeated.
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

  // Stops and removes the containers that trimtab created for them, not those created manually.
  Task<Result<void>> remove(std::vector<std::string> services);
  // Has Compose create and replace the containers of these services of a release, and no others.
  Task<Result<void>> apply(int number, std::vector<std::string> services, bool force_recreate);
  // In this order.
  Task<Result<void>> restart(std::vector<std::string> services);
  // Has them read their files again. If a service rejects files and is not among `with_new_files`,
  // that is only noted: the gate decides.
  Task<Result<void>> reload(int number, std::vector<std::string> services,
                            std::set<std::string> with_new_files);

 private:
  Task<Result<void>> remove_half_made(std::vector<std::string> services);

  ServiceOperationsDeps deps_;
};

}  // namespace trimtab
