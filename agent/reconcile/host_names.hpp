// What a compose file asks of the host by name: external networks and volumes, and names of
// containers. Quickly asked for, so that what is cured is noticed soon.
#pragma once

#include "agent/docker/docker.hpp"
#include "agent/plan/preflight/preflight.hpp"

namespace trimtab {

// Fills in the host's networks and volumes; those that Docker does not tell stay unset.
Task<void> look_up_names(Docker& docker, preflight::Input* input);

bool is_about_names(const std::vector<PreflightFinding>& findings);

// Whether the host now has all names that the rendering of this project asks for.
Task<bool> has_all_names(Docker& docker, std::string project, const Rendering* rendering);

}  // namespace trimtab
