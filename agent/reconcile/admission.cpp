#include "agent/reconcile/admission.hpp"

namespace trimtab {

Result<Admission> admit(const AdmissionInput& input) {
  if (input.is_paused) {
    return Error{Errc::conflict, input.stack + " is paused",
                 "`trimtab resume " + input.stack + "` resumes it"};
  }
  if (input.is_stopped) {
    return Error{Errc::conflict, input.stack + " is stopped",
                 "`systemctl start " + input.unit + "` starts it"};
  }
  if (input.is_deploying) return busy_with_deployment(input.stack);
  return input.has_open_request ? Admission::supersedes : Admission::accepted;
}

Error busy_with_deployment(const std::string& stack) {
  return Error{Errc::conflict, stack + " is busy with a deployment",
               "`trimtab status " + stack + " --watch` shows it"};
}

}  // namespace trimtab
