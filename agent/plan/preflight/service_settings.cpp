#include <fmt/core.h>

#include <algorithm>

#include "agent/model/reload.hpp"
#include "agent/plan/preflight/preflight.hpp"

namespace trimtab::preflight {
namespace {

using Findings = std::vector<PreflightFinding>;

void add(Findings& findings, std::string message, std::string hint) {
  PreflightFinding finding;
  finding.name = "x-trimtab";
  finding.message = std::move(message);
  finding.hint = std::move(hint);
  findings.push_back(std::move(finding));
}

// Returns false after adding a finding if `value` is not an object or has unknown keys.
bool has_only(const Json& value, const std::vector<std::string>& known, const std::string& where,
              Findings& findings) {
  const std::string form = "write `x-trimtab: {reload: {check: [nginx, -t], signal: HUP}}`";
  if (!value.is_object()) {
    add(findings, where + " is not a mapping", form);
    return false;
  }
  bool good = true;
  for (const auto& item : value.items()) {
    if (std::find(known.begin(), known.end(), item.key()) != known.end()) continue;
    const auto meant = nearest(item.key(), known);
    add(findings, fmt::format("{} has an unknown key {}", where, printable(item.key())),
        meant ? fmt::format("did you mean {}?", *meant) : form);
    good = false;
  }
  return good;
}

void check_reload(const Json& reload, const std::string& where, Findings& findings) {
  if (!has_only(reload, {"check", "signal"}, where, findings)) return;
  if (reload.empty()) add(findings, where + " is empty", "name the `signal:` to send");
  if (reload.contains("check")) {
    const Json& check = json_array(reload, "check");
    const bool words = std::all_of(check.begin(), check.end(), [](const Json& word) {
      return word.is_string() && !word.get<std::string>().empty();
    });
    if (check.empty() || !words) {
      add(findings, where + ".check is not a list of words", "write it like `check: [nginx, -t]`");
    }
  }
  const std::string signal = json_string(reload, "signal", reload.contains("signal") ? "" : "HUP");
  if (!is_signal_name(signal)) {
    add(findings,
        fmt::format("{}.signal is not a signal for reloading: {}", where, printable(signal)),
        "write its name, like `signal: HUP`");
  }
}

}  // namespace

Findings service_settings(const Input& input) {
  Findings findings;
  for (const std::string& name : input.next->service_names()) {
    const Json& service = input.next->service(name);
    if (!service.contains("x-trimtab")) continue;
    const Json& said = service["x-trimtab"];
    const std::string where = "x-trimtab of service " + name;
    if (!has_only(said, {"reload"}, where, findings)) continue;
    if (said.contains("reload")) check_reload(said["reload"], where + ": reload", findings);
  }
  return findings;
}

}  // namespace trimtab::preflight
