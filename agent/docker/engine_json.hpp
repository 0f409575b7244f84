// Parses the Engine's JSON. Tolerant: a member that is missing or has another type becomes the
// default, because API versions differ and new ones drop fields.
#pragma once

#include <optional>
#include <vector>

#include "agent/docker/docker.hpp"
#include "agent/model/observed.hpp"
#include "common/json.hpp"

namespace trimtab {

// A version of the Engine's API, such as 1.41.
struct ApiVersion {
  int major = 0;
  int minor = 0;
  [[nodiscard]] std::string text() const;
  friend auto operator<=>(const ApiVersion&, const ApiVersion&) = default;
};

std::optional<ApiVersion> parse_api_version(std::string_view text);

// Picks the highest version that both sides support from the response to GET /version. invalid if
// there is none.
Result<ApiVersion> choose_api_version(const Json& version);

// Parses GET /info. The negotiated version is not set.
EngineInfo parse_info(const Json& info);
// Parses one entry of GET /containers/json; sets only what a list request returns.
Container parse_listed_container(const Json& entry);
// Parses GET /containers/ID/json.
Container parse_container(const Json& inspected);
// Parses GET /images/NAME/json.
Image parse_image(const Json& inspected);
// Builds the body of POST /containers/create for a throwaway container. `like` is the inspected
// container that it resembles. It joins the first of that container's networks; the others must be
// connected after its creation.
Json throwaway_container(const Json& like, const ThrowawayRequest& request);

// Returns the names of the networks of an inspected container.
std::vector<std::string> networks_joined_by(const Json& container);
// Parses GET /containers/ID/stats: bytes in use, as `docker stats` counts them.
std::uint64_t memory_of_stats(const Json& stats);
// Returns the tags in an entry of GET /images/json.
std::vector<std::string> parse_listed_tags(const Json& entry);
// Parses a line of GET /events. Nothing unless it is about a container of a Compose project.
std::optional<EngineEvent> parse_event(const Json& event);

}  // namespace trimtab
