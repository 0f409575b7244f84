// A release: what to run, and where it comes from. Its results are recorded in its deployments
// (model/deployment.hpp).
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/json.hpp"
#include "common/text.hpp"

namespace trimtab {

// The pinned image of a service.
struct ImagePin {
  std::string reference;      // as in the Compose file: acme/backend:latest
  std::string pinned;         // acme/backend@sha256:…; the id for a local image
  bool local = false;         // exists only on this host; never pulled
  std::string index = {};     // digest of the index of which `pinned` is an entry; "": of none
  std::string platform = {};  // as the service asks for it; "": the host's own

  // The digest that the registry names for the reference; "" for a local image.
  [[nodiscard]] std::string tag_digest() const;

  friend bool operator==(const ImagePin&, const ImagePin&) = default;
};

// The containers of each service as seen right after the release passed its gate.
using SeenContainers = std::map<std::string, std::set<std::string>>;  // service → container ids

// Immutable once written, with one exception: when another Compose has to render it again,
// `compose` and `content_key` are updated to that rendering.
struct Release {
  int number = 0;
  std::string commit;
  std::string ref;  // refs/heads/production
  std::string subject;
  std::string author;
  WallTime created_at;
  std::string project;      // Compose's project name
  std::string compose;      // the tool that rendered compose.yaml: "docker compose 2.26.1"
  std::string inputs_key;   // hash of everything that it was built from
  std::string content_key;  // hash of what runs; empty if it could not be rendered
  std::map<std::string, ImagePin> images;                                   // by service
  std::map<std::string, std::map<std::string, std::string>> mounted_files;  // service → path → blob
  std::map<std::string, std::string> inputs;  // untracked files read when rendering → SHA-256
  std::set<std::string> watched;              // services whose tag is watched
};

// The rendered services of a release, parsed from its compose.yaml.
struct Rendering {
  Json model;  // `$` doubled, images pinned, paths in the live directory
  // Returns the service's definition, or null.
  [[nodiscard]] const Json& service(const std::string& name) const;
  [[nodiscard]] std::vector<std::string> service_names() const;
};

}  // namespace trimtab
