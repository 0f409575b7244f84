// State that earlier versions have written, in which a release's file had what became of it as
// well, and the deployment in flight was the last line of a journal. Pure.
#pragma once

#include <optional>
#include <string_view>

#include "agent/model/deployment.hpp"
#include "agent/model/release_record.hpp"
#include "common/json.hpp"

namespace trimtab::schema_1 {

bool is_of_it(const Json& json);

// The deployment that such a release's file tells of, with the release's number as its id. Invalid
// where it is none. The release itself is read as one of today.
Result<Deployment> deployment_in(const Json& release);

// The deployment that was in flight, without an id; unset where no line can be read. A torn last
// line is ignored.
std::optional<Deployment> last_of_journal(std::string_view journal);

// The journal's deployment as it is kept from now on. `of_release`: what its release's file tells;
// null where that tells of nothing. `next_id`: for one that is not the same.
Deployment in_flight(Deployment journalled, const Deployment* of_release, int next_id);

}  // namespace trimtab::schema_1
