#include "cli/render.hpp"

#include <fmt/core.h>

namespace trimtab::cli {

namespace {

Colour action_colour(const std::string& action, const std::string& risk) {
  if (risk == "data" || action == "remove") return Colour::red;
  const bool smooth = action == "reload" || action == "roll" || action == "create";
  return smooth ? Colour::green : Colour::yellow;
}

Lines finding_lines(const Json& findings, const Screen& screen) {
  Lines lines;
  for (const Json& finding : findings) {
    const std::string severity = words(finding, "severity");
    const Colour colour = severity == "error" ? Colour::red : Colour::yellow;
    constexpr std::size_t label = 9;  // "warning" and two spaces
    append(lines, labelled(screen, label, severity, words(finding, "message"), colour));
    const std::string hint = words(finding, "hint");
    if (!hint.empty()) append(lines, labelled(screen, label, "", hint));
  }
  return lines;
}

std::string pull_words(const Json& pull) {
  const std::vector<std::string> images = word_list(pull, "images");
  if (images.empty()) return "pulls nothing: all images are here";
  const auto size = [&pull](const char* key) -> std::string {
    const std::int64_t bytes = json_int(pull, key, -1);
    return bytes < 0 ? "" : human_size(static_cast<std::uint64_t>(bytes));
  };
  std::string out = "pulls " + join(images, ", ");
  const std::string bytes = size("bytes");
  const std::string free = size("free_bytes");
  if (!bytes.empty()) out += fmt::format(": {} of {}", bytes, size("total_bytes"));
  if (!free.empty()) out += fmt::format(", {} are free", free);
  return out;
}

}  // namespace

Lines render_plan(const Json& plan, const Screen& screen) {
  const std::string stack = words(plan, "stack");
  const std::string verdict = words(plan, "verdict");
  const std::int64_t from = json_int(plan, "from");
  const Json& to = json_object(plan, "to");
  const std::string commit = short_commit(json_string(to, "commit"));
  const std::string subject = words(to, "subject");
  const std::string target = commit + (subject.empty() ? "" : " \"" + subject + "\"");

  Lines lines;
  if (verdict == "nothing to do") {
    lines.push_back(
        fmt::format("{}: nothing to do{}", stack,
                    from == 0 ? "" : fmt::format(", release {} runs {}", from, target)));
  } else {
    const std::string origin = from == 0 ? "first release" : fmt::format("release {}", from);
    lines.push_back(stack + ": " + origin + " → " + target +
                    (verdict == "would deploy" ? "" : ": " + verdict));
  }

  std::vector<Row> rows;
  std::vector<std::string> unchanged;
  for (const Json& step : json_array(plan, "steps")) {
    const std::string service = words(step, "service");
    const std::string action = words(step, "action");
    const std::string risk = words(step, "risk");
    std::vector<std::string> reasons = word_list(step, "reasons");
    if (action == "none" && reasons.empty()) {
      unchanged.push_back(service);
      continue;
    }
    if (risk == "data") reasons.insert(reasons.begin(), "data at risk");
    rows.push_back({{service, Colour::plain},
                    {action == "none" ? "leave" : action, action_colour(action, risk)},
                    {join(reasons, "; "), Colour::plain}});
  }
  append(lines, table(screen, 2, 3, rows));
  if (!unchanged.empty() && verdict != "nothing to do") {
    lines.push_back(fmt::format("  {}: unchanged", join(unchanged, ", ")));
  }
  if (verdict == "would deploy" || verdict == "waiting") {
    for (const std::string& line :
         wrap(pull_words(json_object(plan, "pull")), screen.width > 20 ? screen.width - 2 : 0)) {
      lines.push_back("  " + line);
    }
  }
  append(lines, finding_lines(json_array(plan, "findings"), screen));
  return lines;
}

}  // namespace trimtab::cli
