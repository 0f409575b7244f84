#include "agent/api/stack_json.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "agent/model/reference.hpp"
#include "agent/plan/diff.hpp"
#include "agent/record/release_json.hpp"

namespace trimtab {
namespace {

Json time_or_null(const std::optional<WallTime>& time) {
  return time ? Json(format_time(*time)) : Json(nullptr);
}

Json time_or_null(WallTime time) {
  // Docker reports the year 1 for what never happened.
  return time.time_since_epoch().count() <= 0 ? Json(nullptr) : Json(format_time(time));
}

// refs/heads/production → production
std::string short_ref(const std::string& ref) {
  for (const std::string_view prefix : {"refs/heads/", "refs/tags/"}) {
    if (ref.rfind(prefix, 0) == 0) return ref.substr(prefix.size());
  }
  return ref;
}

double seconds(std::chrono::milliseconds duration) {
  return static_cast<double>(duration.count()) / 1000.0;
}

std::string digest_part(const std::string& pinned) {
  const auto at = pinned.find("sha256:");
  return at == std::string::npos ? std::string() : short_digest(pinned.substr(at));
}

bool is_job(const Container& container, const ReleaseRecord* release) {
  return is_finished_job(container, release) ||
         (release != nullptr && release->jobs.contains(container.service));
}

Json container_json(const Container& container, const ReleaseRecord* release) {
  Json json;
  json["service"] = container.service;
  json["image"] = container.image;
  json["digest"] = short_digest(container.image_id);
  if (release != nullptr) {
    const auto pin = release->images.find(container.service);
    if (pin != release->images.end()) {
      json["image"] = pin->second.reference;
      json["digest"] = digest_part(pin->second.pinned);
    }
  }
  const bool runs =
      container.state == ContainerState::running || container.state == ContainerState::restarting;
  json["state"] = to_string(container.state);
  json["health"] = to_string(container.health);
  json["exit_code"] = container.exit_code;
  json["restarts"] = container.restart_count;
  json["since"] = time_or_null(runs ? container.started_at : container.finished_at);
  json["one_shot"] = is_job(container, release);
  json["stopped_manually"] = is_stopped_manually(container);
  return json;
}

// A service of the release that has no container.
Json missing_json(const std::string& service, const ImagePin& pin) {
  Json json;
  json["service"] = service;
  json["image"] = pin.reference;
  json["digest"] = digest_part(pin.pinned);
  json["state"] = "missing";
  json["health"] = "none";
  json["exit_code"] = 0;
  json["restarts"] = 0;
  json["since"] = nullptr;
  json["one_shot"] = false;
  json["stopped_manually"] = false;
  return json;
}

bool is_well(const Container& container, const ReleaseRecord* release) {
  if (is_finished_job(container, release)) return true;
  return container.state == ContainerState::running &&
         (container.health == Health::none || container.health == Health::healthy);
}

void add_services(const Reconciler& stack, const ReleaseRecord* release, Json& json) {
  json["containers"] = Json::array();
  std::map<std::string, bool> well;
  for (const Container& container : stack.observation().own.containers) {
    json["containers"].push_back(container_json(container, release));
    const auto entry = well.try_emplace(container.service, true).first;
    entry->second = entry->second && is_well(container, release);
  }
  if (release != nullptr) {
    for (const auto& [service, pin] : release->images) {
      if (well.contains(service) || release->jobs.contains(service)) continue;
      json["containers"].push_back(missing_json(service, pin));
      well[service] = false;
    }
  }
  json["healthy"] = std::count_if(well.begin(), well.end(), [](const auto& s) { return s.second; });
  json["services"] = well.size();
}

Json git_json(const Reconciler& stack) {
  const Fact<RefTip>& tip = stack.facts().tip;
  Json json;
  json["url"] = stack.settings().git.url;
  json["ref"] = stack.settings().git.ref;
  json["commit"] = tip.value ? tip.value->commit : std::string();
  json["checked_at"] = time_or_null(tip.asked_at);
  json["interval_seconds"] = seconds(stack.settings().git.interval);
  json["error"] = tip.error ? tip.error->text() : std::string();
  json["transport"] = stack.git_transport();
  return json;
}

Json images_json(const Reconciler& stack) {
  Json json;
  json["watched"] = stack.watched_images();
  std::optional<WallTime> checked;
  json["errors"] = Json::array();
  for (const auto& [image, fact] : stack.facts().digests) {
    if (fact.asked_at) checked = std::max(checked.value_or(WallTime()), *fact.asked_at);
    if (!fact.error) continue;
    Json item;
    item["image"] = image;
    item["error"] = fact.error->text();
    json["errors"].push_back(std::move(item));
  }
  json["checked_at"] = time_or_null(checked);
  json["interval_seconds"] = seconds(stack.settings().images.interval);
  return json;
}

Json certificates_json(const std::vector<ServerCertificateFile>& files) {
  Json list = Json::array();
  for (const ServerCertificateFile& file : files) {
    Json item;
    item["service"] = file.service;
    item["path"] = file.certificate;
    item["names"] = file.found ? file.found->names : file.names;
    item["expires_at"] = file.found ? Json(format_time(file.found->expires_at)) : Json(nullptr);
    item["self_signed"] = file.found && file.found->self_signed;
    item["problem"] = file.missing ? "it is missing" : file.problem;
    list.push_back(std::move(item));
  }
  return list;
}

Json attempt_json(const std::optional<DeploymentView>& view) {
  if (!view) return nullptr;
  Json json;
  json["release"] = view->deployment.release;
  json["phase"] = to_string(view->deployment.phase);
  json["started_at"] = format_time(view->deployment.started_at);
  json["phase_started_at"] = format_time(view->phase_started_at);
  json["pull"]["current"] = view->pull.current;
  json["pull"]["total"] = view->pull.total;
  json["pull"]["image"] = view->pull_image;
  json["services"] = Json::array();
  for (const auto& [service, words] : view->waiting_for) {
    Json item;
    item["service"] = service;
    item["health"] = words;
    json["services"].push_back(std::move(item));
  }
  return json;
}

Json request_json(const std::optional<RequestResult>& request) {
  if (!request) return nullptr;
  Json json;
  json["id"] = request->id;
  json["outcome"] = request->outcome;
  json["release"] = request->release ? Json(*request->release) : Json(nullptr);
  json["message"] = request->message;
  return json;
}

Json unit_json(const std::optional<UnitView>& unit) {
  if (!unit) return nullptr;
  Json json;
  json["name"] = unit->name;
  json["active"] = unit->active;
  json["enabled"] = unit->enabled;
  json["problem"] = unit->problem;
  return json;
}

}  // namespace

std::string stack_line(const Json& stack, WallTime now) {
  const std::string state = json_string(stack, "state");
  const std::string reason = json_string(stack, "reason");
  std::string line = json_string(stack, "name") + ": ";
  if (state != "synced") line += state + (reason.empty() ? "" : ": " + reason) + "; ";
  if (stack.value("release", Json()).is_number()) {
    line += fmt::format("release {} ({} {}) healthy {}/{}", json_int(stack, "release"),
                        json_string(stack, "commit").substr(0, 7), json_string(stack, "ref"),
                        json_int(stack, "healthy"), json_int(stack, "services"));
  } else {
    line += "no release yet";
  }
  const auto checked = parse_time(json_string(stack, "checked_at"));
  if (!checked) return line;
  return fmt::format(
      "{}, checked {} ago", line,
      human_duration(std::chrono::duration_cast<std::chrono::milliseconds>(now - *checked)));
}

Json stack_json(const Reconciler& stack) {
  const ReleaseRecord* const release = stack.store().current();
  Json json;
  json["name"] = stack.settings().name;
  json["state"] = to_string(stack.stack_status().state);
  json["reason"] = stack.stack_status().reason;
  json["notices"] = stack.notices();
  json["release"] = release == nullptr ? Json(nullptr) : Json(release->number);
  json["commit"] = release == nullptr ? std::string() : release->commit;
  json["ref"] = release == nullptr ? stack.settings().git.ref : short_ref(release->ref);
  json["subject"] = release == nullptr ? std::string() : release->subject;
  json["author"] = release == nullptr ? std::string() : release->author;
  json["deployed_at"] = nullptr;
  if (release != nullptr && !release->timeline.empty()) {
    json["deployed_at"] = format_time(release->timeline.back().started_at);
  }
  const WallTime observed_at = stack.observation().own.at;
  json["observed_at"] = observed_at == WallTime() ? Json(nullptr) : Json(format_time(observed_at));
  add_services(stack, release, json);
  json["git"] = git_json(stack);
  json["images"] = images_json(stack);
  json["unit"] = unit_json(stack.unit());
  json["certificates"] = certificates_json(stack.certificates());
  json["drift"] = stack.observation().drift;
  json["next"] = stack.stack_status().next;
  json["checked_at"] = time_or_null(stack.facts().tip.asked_at);
  json["deployment"] = attempt_json(stack.deployment());
  json["last_request"] = request_json(stack.last_request());
  return json;
}

// Same form, though only its settings are known.
Json stack_json(const UnavailableStack& stack) {
  Json json;
  json["name"] = stack.settings.name;
  json["state"] = to_string(StackState::failed);
  json["reason"] = stack.error.message;
  json["notices"] = Json::array();
  json["release"] = nullptr;
  json["commit"] = "";
  json["ref"] = stack.settings.git.ref;
  json["subject"] = "";
  json["author"] = "";
  json["deployed_at"] = nullptr;
  json["observed_at"] = nullptr;
  json["containers"] = Json::array();
  json["healthy"] = 0;
  json["services"] = 0;
  json["git"]["url"] = stack.settings.git.url;
  json["git"]["ref"] = stack.settings.git.ref;
  json["git"]["commit"] = "";
  json["git"]["checked_at"] = nullptr;
  json["git"]["interval_seconds"] = seconds(stack.settings.git.interval);
  json["git"]["error"] = "";
  json["git"]["transport"] = "";
  json["images"]["watched"] = 0;
  json["images"]["errors"] = Json::array();
  json["images"]["checked_at"] = nullptr;
  json["images"]["interval_seconds"] = seconds(stack.settings.images.interval);
  json["unit"] = nullptr;
  json["certificates"] = Json::array();
  json["drift"] = Json::array();
  json["next"] = (stack.error.hint.empty() ? "" : stack.error.hint + "; ") + stack.next;
  json["checked_at"] = nullptr;
  json["deployment"] = nullptr;
  json["last_request"] = nullptr;
  return json;
}

Json deployment_json(const Deployment& deployment) {
  Json json;
  json["id"] = deployment.id;
  json["kind"] = to_string(deployment.kind);
  json["cause"] = deployment.cause;
  json["started_at"] = format_time(deployment.started_at);
  json["ended_at"] = time_or_null(deployment.ended_at);
  json["outcome"] = to_string(deployment.outcome);
  json["timeline"] = to_json(deployment.timeline);
  json["failure"] = deployment.failure ? to_json(*deployment.failure) : Json(nullptr);
  return json;
}

Json release_json(const Store& store, const ReleaseRecord& release, bool brief) {
  Json json = to_json(release);
  for (const char* inner :
       {"schema", "inputs_key", "content_key", "mounted_files", "inputs", "watched"}) {
    json.erase(inner);
  }
  json["ref"] = short_ref(release.ref);
  json["images"] = Json::object();
  for (const auto& [service, pin] : release.images) json["images"][service] = pin.pinned;
  json["outcome"] = to_string(release.outcome);
  json["previous"] = release.previous ? Json(*release.previous) : Json(nullptr);
  json["cause"] = release.cause;
  json["plan"] = to_json(release.plan);
  json["findings"] = to_json(release.findings);
  json["notices"] = release.notices;
  json["timeline"] = to_json(release.timeline);
  json["failure"] = release.failure ? to_json(*release.failure) : Json(nullptr);
  json["hooks"] = to_json(release.hooks);
  json["probation_until"] = time_or_null(release.probation_until);
  json["current"] = store.current() != nullptr && store.current()->number == release.number;
  if (brief) {
    if (json["failure"].is_object()) json["failure"]["services"] = Json::array();
    for (Json& hook : json["hooks"]) hook["output"] = Json::array();
    return json;
  }
  json["deployments"] = Json::array();
  for (const auto& [id, deployment] : store.deployments()) {
    if (deployment.release != release.number) continue;
    json["deployments"].push_back(deployment_json(deployment));
  }
  return json;
}

Json pull_json(const PlanAnswer& answer) {
  std::optional<std::uint64_t> bytes = 0;
  std::optional<std::uint64_t> total = 0;
  Json images = Json::array();
  for (const ImagePull& pull : answer.pulls) {
    images.push_back(pull.reference);
    // The sum is unknown if any summand is.
    bytes =
        bytes && pull.missing_bytes ? std::optional(*bytes + *pull.missing_bytes) : std::nullopt;
    total = total && pull.total_bytes ? std::optional(*total + *pull.total_bytes) : std::nullopt;
  }
  Json json;
  json["bytes"] = bytes ? Json(*bytes) : Json(nullptr);
  json["total_bytes"] = total ? Json(*total) : Json(nullptr);
  json["free_bytes"] = answer.free_bytes ? Json(*answer.free_bytes) : Json(nullptr);
  json["images"] = std::move(images);
  return json;
}

Json plan_json(const std::string& stack, const PlanAnswer& answer) {
  Json json;
  json["stack"] = stack;
  json["from"] = answer.from ? Json(*answer.from) : Json(nullptr);
  json["to"]["commit"] = answer.commit;
  json["to"]["subject"] = answer.subject;
  json["verdict"] = answer.verdict;
  json["steps"] = to_json(answer.plan);
  json["findings"] = to_json(answer.findings);
  json["pull"] = pull_json(answer);
  return json;
}

}  // namespace trimtab
