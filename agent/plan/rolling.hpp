// Decides whether a service's new container can run beside the old one. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "agent/model/observed.hpp"
#include "agent/model/plan.hpp"
#include "agent/model/release.hpp"

namespace trimtab {

// Whether the service sets `deploy: {update_config: {order: start-first}}`.
bool asks_for_start_first(const Json& service);

// Returns why two containers of the service cannot run at once, in words that follow "stop-first,
// since"; "" if they can. A database's volume allows only one server at a time; any other volume is
// assumed to be shareable, since the Compose file asks for start-first. `containers`: those of the
// service, which show the volumes that only their image declares.
std::string obstacle_to_rolling(const Rendering& rendering, const std::string& service,
                                const std::vector<const Container*>& containers);

// Replaces rolling updates for which memory does not suffice by recreation. Returns one line per
// service for the user. A new container is assumed to need what its service reserves or what the
// service's largest container uses now, whichever is more. `used`: service → bytes, as far as
// known. `available`: bytes.
std::vector<std::string> keep_within_memory(Plan& plan, const Rendering& rendering,
                                            const Observed& observed,
                                            const std::map<std::string, std::uint64_t>& used,
                                            std::uint64_t available);

// Returns the risk of replacing the service's containers stop-first.
Risk risk_of_replacing(const Json& service, const std::vector<const Container*>& containers);

}  // namespace trimtab
