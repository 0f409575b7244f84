// Releases and deployments as JSON: the form of the files, parts of which the status socket shows.
#pragma once

#include "agent/model/deployment.hpp"
#include "agent/model/release_record.hpp"
#include "agent/model/running_set.hpp"
#include "common/json.hpp"
#include "common/result.hpp"

namespace trimtab {

Json to_json(const Plan& plan);
Json to_json(const std::vector<PreflightFinding>& findings);
Json to_json(const Failure& failure);
Json to_json(const std::vector<TimelineEntry>& timeline);
Json to_json(const std::vector<HookRun>& hooks);
Json to_json(const Release& release);
Json to_json(const Deployment& deployment);
Json to_json(const RunningSet& running);

// Of every file below the state directory.
constexpr int record_schema = 2;
// invalid, of `what` as a subject, where its schema is none that is known. The files that schema 1
// had have the same form but for a release and the journal (record/schema_1.hpp).
Result<void> check_schema(const Json& json, const char* what);
// Whether it is a file of a later version, which must be left to that.
bool is_newer(const Json& json);

// invalid where a file's schema is not ours or a needed member is missing.
Result<Release> release_from_json(const Json& json);
Result<Deployment> deployment_from_json(const Json& json);
Result<RunningSet> running_set_from_json(const Json& json);

}  // namespace trimtab
