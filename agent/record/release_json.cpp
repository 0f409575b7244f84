#include "agent/record/release_json.hpp"

#include <fmt/core.h>

namespace trimtab {
namespace {

std::vector<std::string> strings_of(const Json& list) {
  std::vector<std::string> strings;
  for (const Json& item : list) {
    if (item.is_string()) strings.push_back(item.get<std::string>());
  }
  return strings;
}

std::map<std::string, std::string> string_map_of(const Json& object) {
  std::map<std::string, std::string> map;
  for (const auto& item : object.items()) {
    if (item.value().is_string()) map[item.key()] = item.value().get<std::string>();
  }
  return map;
}

WallTime time_of(const Json& object, std::string_view key) {
  return parse_time(json_string(object, key)).value_or(WallTime());
}

Plan plan_from_json(const Json& json) {
  Plan plan;
  for (const Json& item : json) {
    Step step;
    step.service = json_string(item, "service");
    step.action = action_from(json_string(item, "action"));
    step.risk = risk_from(json_string(item, "risk"));
    step.reasons = strings_of(json_array(item, "reasons"));
    plan.steps.push_back(std::move(step));
  }
  return plan;
}

std::string_view text_of(FailureCause cause) {
  return cause == FailureCause::host ? "host" : "release";
}

// Earlier versions wrote a class: "content" or "world".
FailureCause cause_of(const Json& json) {
  const bool is_of_host =
      json_string(json, "cause") == "host" || json_string(json, "class") == "world";
  return is_of_host ? FailureCause::host : FailureCause::release;
}

std::vector<PreflightFinding> findings_from_json(const Json& json) {
  std::vector<PreflightFinding> findings;
  for (const Json& item : json) {
    PreflightFinding finding;
    finding.name = json_string(item, "name");
    finding.severity = json_string(item, "severity") == "warning"
                           ? PreflightFinding::Severity::warning
                           : PreflightFinding::Severity::error;
    finding.cause = cause_of(item);
    finding.message = json_string(item, "message");
    finding.hint = json_string(item, "hint");
    findings.push_back(std::move(finding));
  }
  return findings;
}

std::optional<Failure> failure_from_json(const Json& json) {
  if (!json.is_object() || json.empty()) return std::nullopt;
  Failure failure;
  failure.cause = cause_of(json);
  failure.phase = json_string(json, "phase");
  failure.reason = json_string(json, "reason");
  failure.hint = json_string(json, "hint");
  for (const Json& item : json_array(json, "services")) {
    ServiceFailure service;
    service.service = json_string(item, "service");
    service.reason = json_string(item, "reason");
    service.log = strings_of(json_array(item, "log"));
    failure.services.push_back(std::move(service));
  }
  return failure;
}

std::vector<TimelineEntry> timeline_from_json(const Json& json) {
  std::vector<TimelineEntry> timeline;
  for (const Json& item : json) {
    TimelineEntry entry;
    entry.phase = json_string(item, "phase");
    entry.started_at = time_of(item, "started_at");
    if (item.contains("seconds") && item["seconds"].is_number()) {
      entry.seconds = item["seconds"].get<double>();
    }
    timeline.push_back(std::move(entry));
  }
  return timeline;
}

std::vector<HookRun> hooks_from_json(const Json& json) {
  std::vector<HookRun> hooks;
  for (const Json& item : json) {
    HookRun hook;
    hook.phase = json_string(item, "phase");
    hook.name = json_string(item, "name");
    if (item.contains("exit") && item["exit"].is_number_integer()) {
      hook.exit = static_cast<int>(json_int(item, "exit"));
    }
    if (item.contains("seconds") && item["seconds"].is_number()) {
      hook.seconds = item["seconds"].get<double>();
    }
    hook.problem = json_string(item, "problem");
    hook.output = strings_of(json_array(item, "output"));
    hooks.push_back(std::move(hook));
  }
  return hooks;
}

Json time_or_null(const std::optional<WallTime>& time) {
  return time ? Json(format_time(*time)) : Json(nullptr);
}

}  // namespace

Result<void> check_schema(const Json& json, const char* what) {
  const std::int64_t schema = json.is_object() ? json_int(json, "schema") : 0;
  if (schema >= 1 && schema <= record_schema) return {};
  return Error{Errc::invalid,
               fmt::format("{} has schema {}, and this version of trimtab reads schemas up to {}",
                           what, schema, record_schema),
               {}};
}

bool is_newer(const Json& json) {
  return json.is_object() && json_int(json, "schema") > record_schema;
}

Json to_json(const Plan& plan) {
  Json steps = Json::array();
  for (const Step& step : plan.steps) {
    Json item;
    item["service"] = step.service;
    item["action"] = to_string(step.action);
    item["risk"] = to_string(step.risk);
    item["reasons"] = step.reasons;
    steps.push_back(std::move(item));
  }
  return steps;
}

Json to_json(const std::vector<PreflightFinding>& findings) {
  Json list = Json::array();
  for (const PreflightFinding& finding : findings) {
    Json item;
    item["name"] = finding.name;
    item["severity"] =
        finding.severity == PreflightFinding::Severity::warning ? "warning" : "error";
    item["cause"] = text_of(finding.cause);
    item["message"] = finding.message;
    item["hint"] = finding.hint;
    list.push_back(std::move(item));
  }
  return list;
}

Json to_json(const Failure& failure) {
  Json json;
  json["cause"] = text_of(failure.cause);
  json["phase"] = failure.phase;
  json["reason"] = failure.reason;
  json["hint"] = failure.hint;
  json["services"] = Json::array();
  for (const ServiceFailure& service : failure.services) {
    Json item;
    item["service"] = service.service;
    item["reason"] = service.reason;
    item["log"] = service.log;
    json["services"].push_back(std::move(item));
  }
  return json;
}

Json to_json(const std::vector<TimelineEntry>& timeline) {
  Json list = Json::array();
  for (const TimelineEntry& entry : timeline) {
    Json item;
    item["phase"] = entry.phase;
    item["started_at"] = format_time(entry.started_at);
    item["seconds"] = entry.seconds ? Json(*entry.seconds) : Json(nullptr);
    list.push_back(std::move(item));
  }
  return list;
}

Json to_json(const std::vector<HookRun>& hooks) {
  Json list = Json::array();
  for (const HookRun& hook : hooks) {
    Json item;
    item["phase"] = hook.phase;
    item["name"] = hook.name;
    item["exit"] = hook.exit ? Json(*hook.exit) : Json(nullptr);
    item["seconds"] = hook.seconds;
    item["problem"] = hook.problem;
    item["output"] = hook.output;
    list.push_back(std::move(item));
  }
  return list;
}

Json to_json(const Release& release) {
  Json json;
  json["schema"] = record_schema;
  json["number"] = release.number;
  json["commit"] = release.commit;
  json["ref"] = release.ref;
  json["subject"] = release.subject;
  json["author"] = release.author;
  json["created_at"] = format_time(release.created_at);
  json["project"] = release.project;
  json["compose"] = release.compose;
  json["inputs_key"] = release.inputs_key;
  json["content_key"] = release.content_key;
  json["images"] = Json::object();
  for (const auto& [service, pin] : release.images) {
    Json item;
    item["reference"] = pin.reference;
    item["pinned"] = pin.pinned;
    item["local"] = pin.local;
    if (!pin.index.empty()) item["index"] = pin.index;
    if (!pin.platform.empty()) item["platform"] = pin.platform;
    json["images"][service] = std::move(item);
  }
  json["mounted_files"] = release.mounted_files;
  json["inputs"] = release.inputs;
  json["watched"] = release.watched;
  return json;
}

Json to_json(const Deployment& deployment) {
  Json json;
  json["schema"] = record_schema;
  json["id"] = deployment.id;
  json["release"] = deployment.release;
  json["fallback"] = deployment.fallback;
  json["checkout"] = deployment.checkout;
  json["kind"] = to_string(deployment.kind);
  json["from"] = to_json(deployment.from);
  json["plan"] = to_json(deployment.plan);
  json["unwell"] = deployment.already_failing;
  json["request"] = deployment.request;
  json["phase"] = to_string(deployment.phase);
  json["entries"] = deployment.phase_attempts;
  json["return_plan"] = to_json(deployment.return_plan);
  json["leaving"] = deployment.outgoing ? Json(*deployment.outgoing) : Json(nullptr);
  json["hook_mark"] = deployment.hook_mark;
  json["previous"] = deployment.previous ? Json(*deployment.previous) : Json(nullptr);
  json["cause"] = deployment.cause;
  json["findings"] = to_json(deployment.findings);
  json["started_at"] = format_time(deployment.started_at);
  json["timeline"] = to_json(deployment.timeline);
  json["hooks"] = to_json(deployment.hooks);
  json["notices"] = deployment.notices;
  json["failure"] = deployment.failure ? to_json(*deployment.failure) : Json(nullptr);
  json["ran"] = to_json(deployment.ran);
  json["ended_at"] = time_or_null(deployment.ended_at);
  json["outcome"] = to_string(deployment.outcome);
  json["probation_until"] = time_or_null(deployment.probation_until);
  return json;
}

Json to_json(const RunningSet& running) {
  Json json;
  json["schema"] = record_schema;
  json["release"] = running.release;
  json["services"] = Json::object();
  for (const auto& [name, service] : running.services) {
    Json item;
    item["release"] = service.release;
    item["containers"] = service.containers;
    item["is_job"] = service.is_job;
    item["is_touched"] = service.is_touched;
    json["services"][name] = std::move(item);
  }
  return json;
}

Result<Release> release_from_json(const Json& json) {
  if (const auto checked = check_schema(json, "the release"); !checked) return checked.error();
  Release release;
  release.number = static_cast<int>(json_int(json, "number"));
  if (release.number < 1) return Error{Errc::invalid, "the release has no number", {}};
  release.commit = json_string(json, "commit");
  release.ref = json_string(json, "ref");
  release.subject = json_string(json, "subject");
  release.author = json_string(json, "author");
  release.created_at = time_of(json, "created_at");
  release.project = json_string(json, "project");
  release.compose = json_string(json, "compose");
  release.inputs_key = json_string(json, "inputs_key");
  release.content_key = json_string(json, "content_key");
  for (const auto& item : json_object(json, "images").items()) {
    ImagePin pin;
    pin.reference = json_string(item.value(), "reference");
    pin.pinned = json_string(item.value(), "pinned");
    pin.local = json_bool(item.value(), "local");
    pin.index = json_string(item.value(), "index");
    pin.platform = json_string(item.value(), "platform");
    release.images[item.key()] = std::move(pin);
  }
  for (const auto& item : json_object(json, "mounted_files").items()) {
    release.mounted_files[item.key()] = string_map_of(item.value());
  }
  release.inputs = string_map_of(json_object(json, "inputs"));
  const std::vector<std::string> watched = strings_of(json_array(json, "watched"));
  release.watched = std::set<std::string>(watched.begin(), watched.end());
  return release;
}

Result<Deployment> deployment_from_json(const Json& json) {
  if (const auto checked = check_schema(json, "the deployment"); !checked) return checked.error();
  const std::optional<Phase> phase = phase_from(json_string(json, "phase"));
  const std::optional<Outcome> outcome = outcome_from(json_string(json, "outcome"));
  Deployment deployment;
  deployment.id = static_cast<int>(json_int(json, "id"));
  deployment.release = static_cast<int>(json_int(json, "release"));
  if (!phase || !outcome || deployment.id < 1 || deployment.release < 1) {
    return Error{
        Errc::invalid, "the deployment has no id, no release, or no known phase or outcome", {}};
  }
  deployment.outcome = *outcome;
  deployment.phase = *phase;
  deployment.fallback = static_cast<int>(json_int(json, "fallback"));
  deployment.checkout = static_cast<int>(json_int(json, "checkout"));
  deployment.kind =
      deployment_kind_from(json_string(json, "kind")).value_or(DeploymentKind::deploy);
  for (const auto& [key, set] :
       {std::pair("from", &deployment.from), std::pair("ran", &deployment.ran)}) {
    if (!json.contains(key)) continue;
    Result<RunningSet> read = running_set_from_json(json[key]);
    if (!read) return read.error();
    *set = std::move(*read);
  }
  if (json.contains("previous") && json["previous"].is_number_integer()) {
    deployment.previous = static_cast<int>(json_int(json, "previous"));
  }
  deployment.cause = json_string(json, "cause");
  deployment.findings = findings_from_json(json_array(json, "findings"));
  deployment.plan = plan_from_json(json_array(json, "plan"));
  for (std::string& name : strings_of(json_array(json, "unwell"))) {
    deployment.already_failing.insert(std::move(name));
  }
  deployment.request = json_string(json, "request");
  deployment.return_plan = plan_from_json(json_array(json, "return_plan"));
  deployment.phase_attempts = static_cast<int>(json_int(json, "entries"));
  if (json.contains("leaving") && json["leaving"].is_object()) {
    deployment.outgoing = SeenContainers();
    for (const auto& item : json["leaving"].items()) {
      const std::vector<std::string> ids = strings_of(item.value());
      (*deployment.outgoing)[item.key()] = std::set<std::string>(ids.begin(), ids.end());
    }
  }
  deployment.hook_mark = json_string(json, "hook_mark");
  deployment.started_at = time_of(json, "started_at");
  deployment.timeline = timeline_from_json(json_array(json, "timeline"));
  deployment.hooks = hooks_from_json(json_array(json, "hooks"));
  deployment.notices = strings_of(json_array(json, "notices"));
  deployment.ended_at = parse_time(json_string(json, "ended_at"));
  deployment.probation_until = parse_time(json_string(json, "probation_until"));
  deployment.failure = failure_from_json(json_object(json, "failure"));
  return deployment;
}

Result<RunningSet> running_set_from_json(const Json& json) {
  if (const auto checked = check_schema(json, "it"); !checked) return checked.error();
  RunningSet running;
  running.release = static_cast<int>(json_int(json, "release"));
  for (const auto& item : json_object(json, "services").items()) {
    RunningService service;
    service.release = static_cast<int>(json_int(item.value(), "release"));
    const std::vector<std::string> ids = strings_of(json_array(item.value(), "containers"));
    service.containers = std::set<std::string>(ids.begin(), ids.end());
    service.is_job = json_bool(item.value(), "is_job");
    service.is_touched = json_bool(item.value(), "is_touched");
    running.services[item.key()] = std::move(service);
  }
  return running;
}

}  // namespace trimtab
