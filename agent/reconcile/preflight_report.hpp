// Checks whether a candidate could be deployed on this host, and at what cost: gathers the input of
// the preflight checks and runs them. Touches nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "agent/model/server_certificate.hpp"
#include "agent/reconcile/candidate.hpp"
#include "agent/reconcile/projects.hpp"
#include "agent/reconcile/renderings.hpp"

namespace trimtab {

struct PreflightReport {
  std::vector<ServerCertificateFile> certificates;
  std::vector<ImagePull> pulls;             // images that are not on this host yet
  std::optional<std::uint64_t> free_bytes;  // of the disk with the images
  std::vector<PreflightFinding> findings;
};

// All outlives the call.
struct PreflightDeps {
  CandidateDeps stack;
  WorkspaceLock& workspace;
  const Projects& projects;
  const Renderings& renderings;
  std::optional<EngineInfo> engine;  // unset while unknown
};

// `candidate` outlives the call. `running`: the stack's own containers, with the signs that
// distinguish them from others.
Task<PreflightReport> run_preflight(PreflightDeps deps, const Candidate* candidate,
                                    std::vector<Container> running, OwnSigns signs);

}  // namespace trimtab
