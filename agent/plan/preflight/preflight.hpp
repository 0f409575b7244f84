// Finds common mistakes before anything is touched. Pure: what the checks need to know about the
// host is gathered beforehand.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/model/manifest.hpp"
#include "agent/model/observed.hpp"
#include "agent/model/plan.hpp"
#include "agent/model/release.hpp"
#include "agent/model/server_certificate.hpp"
#include "agent/model/stored_form.hpp"
#include "agent/plan/volumes.hpp"

namespace trimtab::preflight {

// Major versions of PostgreSQL in the image that is running and in the release's.
struct PostgresMajors {
  std::string runs;
  std::string wanted;
};

// More than 15 members: plain data, everything that the checks look at.
struct Input {
  std::string project;
  std::string directory;  // live directory
  const Rendering* next = nullptr;
  bool is_first = false;               // nothing has been deployed yet
  const Rendering* current = nullptr;  // newest readable release; null: none
  std::vector<std::string> unset_variables;
  std::vector<std::string> compose_warnings;
  std::set<DollarValue> dollar_values;
  std::string env_file;                            // as the user knows it, for hints; "": none
  std::set<std::string> built_images_missing;      // services with only build: and no image
  std::map<std::string, std::string> shown_state;  // path that exposes it → what mounts it
  std::set<std::string> missing_sources;  // bind sources that exist neither live nor in the commit
  std::vector<Container> all_containers;  // of the whole host
  std::vector<Container> foreign;         // with the project's label, but not the stack's
  std::string project_holder;             // other stack with the same project; "": none
  std::vector<Container> running;         // manually created ones, if the stack is to be taken over
  std::vector<std::string> compose_files;          // relative to the directory
  std::set<std::string> tracked_files;             // absolute paths of mounted files of the commit
  std::vector<LostVolume> lost_volumes;            // of the last release that ran
  std::vector<PortHolder> port_holders;            // of the ports that `next` publishes
  std::map<std::string, StoredForm> stored_forms;  // of mounted files that are not as they are
  std::vector<std::string> collisions;             // untracked files in the way of the commit
  std::vector<ServerCertificateFile> certificates;
  bool self_signed_until_issued = false;  // missing certificates are created before the start
  WallTime now;
  std::map<std::string, PostgresMajors> postgres;  // by service
  std::vector<ImagePull> pulls;
  std::string image_directory;              // directory where the Engine stores images
  std::optional<std::uint64_t> free_bytes;  // in that directory; unset if unknown
  std::map<std::string, HealthCheck> image_health_checks;  // by service, of local images
  std::chrono::milliseconds gate_timeout{0};
  std::optional<std::set<std::string>> networks;  // of the host; unset if Docker does not answer
  std::optional<std::set<std::string>> volumes;
};

using Findings = std::vector<PreflightFinding>;

Findings unset_variable(const Input& input);
Findings no_service(const Input& input);
Findings only_build(const Input& input);
Findings bind_source_missing(const Input& input);
Findings state_directory(const Input& input);
Findings host_port_taken(const Input& input);
Findings other_project(const Input& input);
Findings project_in_use(const Input& input);
Findings foreign_container(const Input& input);
Findings taken_over(const Input& input);
Findings volume_changed(const Input& input);
Findings volume_missing(const Input& input);
Findings network_changed(const Input& input);
Findings untracked_collision(const Input& input);
Findings host_access(const Input& input);
Findings disk_space(const Input& input);
Findings postgres_major(const Input& input);
Findings service_settings(const Input& input);
Findings certificates(const Input& input);
Findings health_known_late(const Input& input);
Findings external_missing(const Input& input);
Findings container_name_taken(const Input& input);
Findings stored_form(const Input& input);
Findings compose_warning(const Input& input);

// The finding for a file that cannot be used in the form in which it was committed.
PreflightFinding not_as_it_is(const std::string& path, StoredForm form);

// Runs all checks; returns errors first.
Findings check(const Input& input);

}  // namespace trimtab::preflight
