// Decides whether a stack accepts an operator's request. Pure.
#pragma once

#include <string>

#include "common/result.hpp"

namespace trimtab {

struct AdmissionInput {
  std::string stack;
  std::string unit;
  bool is_paused = false;
  bool is_stopped = false;
  bool is_deploying = false;
  // An earlier request waits or is being evaluated, and nothing has been begun for it.
  bool has_open_request = false;
};

enum class Admission {
  accepted,
  supersedes,  // takes the open one's place
};

// Only a request that has begun makes others be refused; of those that have not, the newest is what
// the operator wants. conflict, with what to do, if the state of the stack does not allow it.
Result<Admission> admit(const AdmissionInput& input);

Error busy_with_deployment(const std::string& stack);

}  // namespace trimtab
