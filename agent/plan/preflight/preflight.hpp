// The mistakes that people really make, found before anything is touched. Pure: what a check needs
// to know of the host is gathered beforehand.
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
#include "agent/plan/volumes.hpp"

namespace trimtab::preflight {

// The major versions of PostgreSQL in the image that a service runs and in that of the release.
struct PostgresMajors {
  std::string runs;
  std::string wanted;
};

struct Input {
  std::string project;
  std::string directory;  // the live one
  const Rendering* next = nullptr;
  bool is_first = false;               // nothing was deployed yet
  const Rendering* current = nullptr;  // the newest release that can be read; null: there is none
  std::vector<std::string> unset_variables;
  std::set<DollarValue> dollar_values;
  std::string env_file;  // as the user knows it, for hints; "" where there is none
  std::set<std::string> built_images_missing;  // services with only build: whose image is not here
  std::map<std::string, std::string> shown_state;  // paths that show the state directory: who names
  std::set<std::string> missing_sources;   // bind sources that exist neither live nor in the commit
  std::vector<Container> all_containers;   // of the whole host
  std::vector<Container> foreign;          // that bear the project's label, but are not the stack's
  std::string project_holder;              // another stack that has the project; "": none
  std::vector<Container> running;          // made by hand, where the stack is to be taken over
  std::vector<std::string> compose_files;  // relative to the directory
  std::set<std::string> tracked_files;   // absolute paths of files of the commit, as far as mounted
  std::vector<LostVolume> lost_volumes;  // of the release that ran last
  std::vector<PortHolder> port_holders;  // of the ports that `next` publishes
  std::vector<std::string> collisions;   // untracked files where the commit has a different one
  std::vector<ServerCertificateFile> certificates;
  bool self_signed_until_issued = false;  // what is missing of these is made before the start
  WallTime now;
  std::map<std::string, PostgresMajors> postgres;  // by service
  std::vector<ImagePull> pulls;
  std::string image_directory;                             // where the Engine keeps images
  std::optional<std::uint64_t> free_bytes;                 // there; unset where it is not known
  std::map<std::string, HealthCheck> image_health_checks;  // by service, of images that are here
  std::chrono::milliseconds gate_timeout{0};
  std::optional<std::set<std::string>> networks;  // of the host; unset where Docker does not tell
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

// All of them, errors first.
Findings check(const Input& input);

}  // namespace trimtab::preflight
