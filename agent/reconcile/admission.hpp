// Whether a stack takes an operator's request. Pure.
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
  // One that came before waits or is looked at, and nothing was begun for it.
  bool has_open_request = false;
};

enum class Admission {
  accepted,
  supersedes,  // takes the open one's place
};

// Only what has begun refuses others: of those that have not, the newest is what people want now.
// conflict, with what to do, where the stack is in no state for it.
Result<Admission> admit(const AdmissionInput& input);

Error busy_with_deployment(const std::string& stack);

}  // namespace trimtab
