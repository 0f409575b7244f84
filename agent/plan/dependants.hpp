// Services that cannot keep running next to a new container of another service: they share its
// network, processes or volumes, or request to be restarted with it. Compose would include them
// itself, but it is told to touch only what the plan names. Pure.
#pragma once

#include <string>
#include <vector>

#include "agent/model/observed.hpp"
#include "agent/model/plan.hpp"
#include "agent/model/release.hpp"

namespace trimtab {

struct Tie {
  std::string service;  // the other service
  std::string words;    // "shares its network"; "" if it only requests to be restarted
};

// Returns the services to which this one is tied by `network_mode`, `ipc`, `pid`, `volumes_from` or
// `depends_on` with `restart: true`, without duplicates. `container:NAME` counts if NAME is a
// service's `container_name`.
std::vector<Tie> ties_of(const Rendering& rendering, const std::string& service);

// Adds steps for services tied to others. If those get new containers, the dependent service gets
// new ones too, or is restarted if that is all it requests. If those are restarted, it is
// restarted. Finished jobs and services that an operator stopped are left alone.
void take_dependants_along(Plan& plan, const Rendering& rendering, const Observed& observed);

// Whether a container of the service shares the network or processes of a container that is gone,
// which only a new container can fix.
bool has_lost_what_it_shares(const Rendering& rendering, const Observed& observed,
                             const std::string& service);

}  // namespace trimtab
