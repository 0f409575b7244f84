#include "agent/reconcile/admission.hpp"

#include <fmt/core.h>

namespace trimtab {

Result<Admission> admit(const AdmissionInput& input) {
  if (input.is_paused) {
    return Error{Errc::conflict, input.stack + " is paused",
                 fmt::format("`trimtab resume {}` resumes it", input.stack)};
  }
  if (input.is_stopped) {
    return Error{Errc::conflict, input.stack + " is stopped",
                 fmt::format("`systemctl start {}` starts it", input.unit)};
  }
  if (input.is_deploying) return busy_with_deployment(input.stack);
  return input.has_open_request ? Admission::supersedes : Admission::accepted;
}

Error busy_with_deployment(const std::string& stack) {
  return Error{Errc::conflict, stack + " is busy with a deployment",
               fmt::format("`trimtab status {} --watch` shows it", stack)};
}

}  // namespace trimtab
