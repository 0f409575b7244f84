// The Engine's JSON as values. Tolerant: what is missing or of another type becomes the default, as
// versions of the API differ and new ones drop fields.
#pragma once

#include <optional>
#include <vector>

#include "agent/docker/docker.hpp"
#include "agent/model/observed.hpp"
#include "common/json.hpp"

namespace trimtab {

// A version of the Engine's API: 1.41.
struct ApiVersion {
  int major = 0;
  int minor = 0;
  [[nodiscard]] std::string text() const;
  friend auto operator<=>(const ApiVersion&, const ApiVersion&) = default;
};

std::optional<ApiVersion> parse_api_version(std::string_view text);

// The highest version that both sides know, out of the answer to GET /version; invalid, in words
// for people, where there is none.
Result<ApiVersion> choose_api_version(const Json& version);

// GET /info, without the negotiated version.
EngineInfo parse_info(const Json& info);
// One entry of GET /containers/json: what a listing knows.
Container parse_listed_container(const Json& entry);
// GET /containers/ID/json.
Container parse_container(const Json& inspected);
// GET /images/NAME/json.
Image parse_image(const Json& inspected);
// The body of POST /containers/create for a trial; `like` is what an inspection of that container
// gives.
// It joins the first of the networks; the others are for after it was created.
Json trial_container(const Json& like, const ThrowawayRequest& request);

// Names of the networks of an inspected container.
std::vector<std::string> networks_joined_by(const Json& container);
// GET /containers/ID/stats: bytes in use, as `docker stats` counts them.
std::uint64_t memory_of_stats(const Json& stats);
// The tags in an entry of GET /images/json.
std::vector<std::string> parse_listed_tags(const Json& entry);
// A line of GET /events; none where it is not about a container of a compose project.
std::optional<EngineEvent> parse_event(const Json& event);

}  // namespace trimtab
