#include "agent/record/schema_1.hpp"

#include <string>

#include "agent/record/release_json.hpp"

namespace trimtab::schema_1 {
namespace {

// What ran, from the containers and the jobs that a release's file has.
Json ran_in(const Json& release) {
  Json ran;
  ran["schema"] = record_schema;
  ran["release"] = json_int(release, "number");
  ran["services"] = Json::object();
  const auto add = [&](const std::string& service) -> Json& {
    Json& item = ran["services"][service];
    if (item.is_null()) item["release"] = json_int(release, "number");
    return item;
  };
  for (const auto& item : json_object(release, "images").items()) add(item.key());
  for (const auto& item : json_object(release, "seen").items()) {
    add(item.key())["containers"] = item.value();
  }
  for (const Json& job : json_array(release, "jobs")) {
    if (job.is_string()) add(job.get<std::string>())["is_job"] = true;
  }
  return ran;
}

}  // namespace

bool is_of_it(const Json& json) {
  return json.is_object() && json_int(json, "schema") == 1;
}

Result<Deployment> deployment_in(const Json& release) {
  Json json = release;
  json["id"] = json_int(release, "number");
  json["release"] = json_int(release, "number");
  json["phase"] = to_string(Phase::committing);
  json["started_at"] = json_string(release, "created_at");
  json["ended_at"] = json_string(release, "created_at");
  if (!json_object(release, "seen").empty()) json["ran"] = ran_in(release);
  const bool is_open = json_string(release, "outcome") == to_string(Outcome::in_progress);
  if (is_open) json["outcome"] = to_string(Outcome::postponed);
  return deployment_from_json(json);
}

std::optional<Deployment> last_of_journal(std::string_view journal) {
  std::optional<Deployment> last;
  for (const std::string& line : split(journal, '\n')) {
    Result<Json> json = parse_json(line);
    if (!json || !is_of_it(*json)) continue;
    (*json)["id"] = 1;
    (*json)["outcome"] = to_string(Outcome::in_progress);
    // Versions before it had it went by what they would go back to.
    if (!json->contains("checkout")) (*json)["checkout"] = json_int(*json, "fallback");
    Result<Deployment> deployment = deployment_from_json(*json);
    if (deployment) last = std::move(*deployment);
  }
  return last;
}

Deployment in_flight(Deployment journalled, const Deployment* of_release, int next_id) {
  const bool is_first = of_release != nullptr && of_release->outcome != Outcome::good &&
                        journalled.kind != DeploymentKind::operator_rollback;
  journalled.id = next_id;
  if (!is_first) {
    // A deployment that had passed its gate was begun again where it broke on probation.
    if (journalled.kind == DeploymentKind::deploy && journalled.phase >= Phase::rolling_back) {
      journalled.kind = DeploymentKind::probation_rollback;
    }
    return journalled;
  }
  journalled.id = of_release->id;
  journalled.previous = of_release->previous;
  journalled.cause = of_release->cause;
  journalled.findings = of_release->findings;
  journalled.timeline = of_release->timeline;
  journalled.hooks = of_release->hooks;
  journalled.notices = of_release->notices;
  journalled.ran = of_release->ran;
  return journalled;
}

}  // namespace trimtab::schema_1
