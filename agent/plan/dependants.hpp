// Services that cannot go on beside a new container of another one: they share its network, its
// processes or its volumes, or ask to be restarted with it. Compose takes them along by itself, but
// is told to touch nothing but what the plan names. Pure.
#pragma once

#include <string>
#include <vector>

#include "agent/model/observed.hpp"
#include "agent/model/plan.hpp"
#include "agent/model/release.hpp"

namespace trimtab {

struct Tie {
  std::string service;  // the other one
  std::string words;    // "shares its network"; "" where it merely asks to be restarted
};

// What the service is tied to by `network_mode`, `ipc`, `pid`, `volumes_from` and `depends_on` with
// `restart: true`, each service once. `container:NAME` counts where NAME is a service's
// `container_name`.
std::vector<Tie> ties_of(const Rendering& rendering, const std::string& service);

// Has each service go with what it is tied to. New containers of that: it gets new ones too, or is
// restarted where it merely asks for that. A restart: it is restarted. Jobs that have done their
// work and what was stopped by hand stay as they are.
void take_dependants_along(Plan& plan, const Rendering& rendering, const Observed& observed);

// Whether a container of the service shares the network or processes of a container that is gone:
// only a new one mends that.
bool has_lost_what_it_shares(const Rendering& rendering, const Observed& observed,
                             const std::string& service);

}  // namespace trimtab
