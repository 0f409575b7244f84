// A release: what is to run, and where it came from. What becomes of it is its deployments'
// (model/deployment.hpp).
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/json.hpp"
#include "common/text.hpp"

namespace trimtab {

// How a service's image was pinned.
struct ImagePin {
  std::string reference;  // as the compose file writes it: acme/backend:latest
  std::string pinned;     // acme/backend@sha256:…; for a local image its id
  bool local = false;     // exists only on this host: never pulled

  friend bool operator==(const ImagePin&, const ImagePin&) = default;
};

// The containers of one service as seen right after the release passed its gate.
using SeenContainers = std::map<std::string, std::set<std::string>>;  // service → container ids

// Is never changed once it is written, but for the form that another Compose gives its rendering:
// `compose` and `content_key` are that form's.
struct Release {
  int number = 0;
  std::string commit;
  std::string ref;  // refs/heads/production
  std::string subject;
  std::string author;
  WallTime created_at;
  std::string project;      // Compose's project name
  std::string compose;      // the tool that rendered compose.yaml: "docker compose 2.26.1"
  std::string inputs_key;   // of all that it was made from
  std::string content_key;  // of what runs; empty where it could not be rendered
  std::map<std::string, ImagePin> images;                                   // by service
  std::map<std::string, std::map<std::string, std::string>> mounted_files;  // service → path → blob
  std::map<std::string, std::string> inputs;  // untracked files read when rendering → SHA-256
  std::set<std::string> watched;              // services whose tag is watched
};

// The rendered services of a release: its compose.yaml read back.
struct Rendering {
  Json model;  // `$` doubled, images pinned, paths of the live directory
  // The service's definition, or null.
  [[nodiscard]] const Json& service(const std::string& name) const;
  [[nodiscard]] std::vector<std::string> service_names() const;
};

}  // namespace trimtab
