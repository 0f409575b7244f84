// Can a service's new container run beside the old one? Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "agent/model/observed.hpp"
#include "agent/model/plan.hpp"
#include "agent/model/release.hpp"

namespace trimtab {

// Whether the service says `deploy: {update_config: {order: start-first}}`.
bool asks_for_start_first(const Json& service);

// Why two containers of the service cannot run at once, in words that follow "stop-first, since";
// "" where they can. What a database keeps in a volume has one server at a time; a volume of
// anything else is taken for shareable, as the compose file asks for start-first. `containers`: of
// the service, which tell of the volumes that only their image asks for.
std::string obstacle_to_rolling(const Rendering& rendering, const std::string& service,
                                const std::vector<const Container*>& containers);

// Rolls for which the memory does not suffice become recreations; a line for people on each.
// What a container needs is what its service reserves or what its largest one takes now, whichever
// is more. `used`: service → bytes, as far as known. `available`: bytes.
std::vector<std::string> keep_within_memory(Plan& plan, const Rendering& rendering,
                                            const Observed& observed,
                                            const std::map<std::string, std::uint64_t>& used,
                                            std::uint64_t available);

// The risk of replacing the service's containers by stopping them first.
Risk risk_of_replacing(const Json& service, const std::vector<const Container*>& containers);

}  // namespace trimtab
