// A release: what is to run, where it came from, and what became of it.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/model/plan.hpp"
#include "common/json.hpp"
#include "common/text.hpp"

namespace trimtab {

enum class Outcome {
  in_progress,
  good,         // passed its gate
  rejected,     // refused before anything was touched
  rolled_back,  // its gate failed, or an operator went back from it
  failed,       // its gate failed and there was nothing to go back to, or going back failed
  superseded,   // a newer one came before anything was touched
};

std::string_view to_string(Outcome outcome);
std::optional<Outcome> outcome_from(std::string_view text);

struct ServiceFailure {
  std::string service;
  std::string reason;
  std::vector<std::string> log;  // its last lines
};

struct Failure {
  FailureClass cls = FailureClass::content;
  std::string phase;   // the phase that failed
  std::string reason;  // one sentence for people
  std::string hint;
  std::vector<ServiceFailure> services;
};

struct TimelineEntry {
  std::string phase;
  WallTime started_at;
  std::optional<double> seconds;  // unset while it lasts, or where the daemon ended in it
};

// How one of the stack's hooks went.
struct HookRun {
  std::string phase;        // before, after
  std::string name;         // "db: pg_dump"
  std::optional<int> exit;  // unset where it did not end by itself
  double seconds = 0;
  std::string problem;              // why it counts as failed; "": it does not
  std::vector<std::string> output;  // its last lines, printable
};

// How a service's image was pinned.
struct ImagePin {
  std::string reference;  // as the compose file writes it: acme/backend:latest
  std::string pinned;     // acme/backend@sha256:…; for a local image its id
  bool local = false;     // exists only on this host: never pulled

  friend bool operator==(const ImagePin&, const ImagePin&) = default;
};

// The containers of one service as seen right after the release passed its gate.
using SeenContainers = std::map<std::string, std::set<std::string>>;  // service → container ids

struct Release {
  int number = 0;
  std::string commit;
  std::string ref;  // refs/heads/production
  std::string subject;
  std::string author;
  WallTime created_at;
  // The release of other content that ran when it was deployed; 0: none did. Unset in records of
  // earlier versions.
  std::optional<int> previous;
  std::string cause;        // why it was made: "push", "image acme/backend:latest changed", …
  std::string project;      // Compose's project name
  std::string compose;      // the tool that rendered compose.yaml: "docker compose 2.26.1"
  std::string inputs_key;   // of all that it was made from
  std::string content_key;  // of what runs; empty where it could not be rendered
  std::map<std::string, ImagePin> images;                                   // by service
  std::map<std::string, std::map<std::string, std::string>> mounted_files;  // service → path → blob
  std::map<std::string, std::string> inputs;  // untracked files read when rendering → SHA-256
  std::set<std::string> watched;              // services whose tag is watched
  Plan plan;
  std::vector<PreflightFinding> findings;
  std::vector<std::string> notices;
  std::vector<TimelineEntry> timeline;
  Outcome outcome = Outcome::in_progress;
  std::optional<Failure> failure;
  SeenContainers seen;         // set when it passed its gate
  std::set<std::string> jobs;  // services that had done their work and exited with 0 by then
  int tries = 0;               // attempts begun
  std::vector<HookRun> hooks;  // of the newest attempt
  // Until then it goes back by itself if it breaks; unset: no longer.
  std::optional<WallTime> probation_until;
};

// The rendered services of a release: its compose.yaml read back.
struct Rendering {
  Json model;  // `$` doubled, images pinned, paths of the live directory
  // The service's definition, or null.
  [[nodiscard]] const Json& service(const std::string& name) const;
  [[nodiscard]] std::vector<std::string> service_names() const;
};

}  // namespace trimtab
