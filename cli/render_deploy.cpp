#include <fmt/core.h>

#include <algorithm>

#include "cli/render.hpp"

namespace trimtab::cli {

namespace {

std::string progress_bar(std::int64_t current, std::int64_t total, std::size_t width) {
  const double share =
      std::clamp(static_cast<double>(current) / static_cast<double>(total), 0.0, 1.0);
  const auto full = static_cast<std::size_t>(share * static_cast<double>(width));
  std::string out;
  for (std::size_t i = 0; i < width; ++i) out += i < full ? "█" : "░";
  return out;
}

std::string size_words(std::int64_t bytes) {
  return human_size(static_cast<std::uint64_t>(std::max<std::int64_t>(bytes, 0)));
}

std::string present_words(const std::string& phase) {
  if (phase == "gating") return "checking";
  if (phase == "rolling_back") return "rolling back";
  if (phase == "gating_rollback") return "checking";
  if (phase == "before" || phase == "after") return "hooks";
  return phase;
}

std::string touched_services(const Json& release) {
  std::vector<std::string> names;
  for (const Json& step : json_array(release, "plan")) {
    const std::string action = words(step, "action");
    if (action == "none") continue;
    const std::string how = action == "roll"     ? " (rolled)"
                            : action == "reload" ? " (reloaded)"
                                                 : "";
    names.push_back(words(step, "service") + how);
  }
  return names.empty() ? "nothing to start" : join(names, ", ");
}

// The line about a phase that has ended; an empty label: none.
struct Told {
  std::string label;
  std::string text;
  Colour colour = Colour::plain;
};

Told told(const Json& release, const Json& entry, const std::string& next,
          std::int64_t pulled_bytes) {
  const std::string phase = words(entry, "phase");
  const std::string took = human_duration(duration_of(entry, "seconds"));
  // The daemon was restarted during this phase and repeated it.
  if (next == phase) return {};
  if (next == "rolling_back") {
    return {"failed", fmt::format("while {}, after {}", present_words(phase), took), Colour::red};
  }
  if (phase == "pulling") {
    return {"pulled", pulled_bytes > 0 ? fmt::format("{} in {}", size_words(pulled_bytes), took)
                                       : "all images are here"};
  }
  if (phase == "switching") {
    return {"switched", "to " + short_commit(json_string(release, "commit"))};
  }
  if (phase == "before") return {"hooks", "done in " + took};
  if (phase == "starting")
    return {"started", fmt::format("{} in {}", touched_services(release), took)};
  if (phase == "gating" && next == "committing") return {"healthy", "after " + took, Colour::green};
  return {};
}

}  // namespace

std::string deploy_heading(const std::string& stack, const Json& release) {
  const std::string subject = words(release, "subject");
  return fmt::format("{}: release {} ({}{})", stack, json_int(release, "number"),
                     short_commit(json_string(release, "commit")),
                     subject.empty() ? "" : " \"" + subject + "\"");
}

Lines ended_phases(const Json& release, std::int64_t pulled_bytes, const Screen& screen,
                   std::size_t& done) {
  const Json& timeline = json_array(release, "timeline");
  Lines lines;
  // The next phase shows how a phase ended; the last one's result is part of the outcome.
  for (; done + 1 < timeline.size(); ++done) {
    const std::string next = words(timeline[done + 1], "phase");
    const Told tell = told(release, timeline[done], next, pulled_bytes);
    if (tell.label.empty()) continue;
    append(lines, labelled(screen, deploy_label, tell.label, tell.text, tell.colour));
  }
  return lines;
}

Lines live_phase(const Json& deployment, std::size_t label_width, const Screen& screen) {
  const std::string phase = words(deployment, "phase");
  std::string text = phase == "gating_rollback"
                         ? "what was put back"
                         : fmt::format("release {}", json_int(deployment, "release"));
  const std::string since = age(deployment, "phase_started_at", screen);
  if (since.ends_with(" ago")) text += ", for " + since.substr(0, since.size() - 4);

  const Json& pull = json_object(deployment, "pull");
  const std::int64_t total = json_int(pull, "total");
  if (phase == "pulling" && total > 0) {
    constexpr std::size_t bar = 20;
    const std::int64_t current = json_int(pull, "current");
    text = fmt::format("{} {} of {}", progress_bar(current, total, bar), size_words(current),
                       size_words(total));
    if (current == total) text += ", unpacking";
    const std::string image = words(pull, "image");
    if (!image.empty()) text += "  " + image;
  }
  const std::string label = present_words(phase);
  Lines lines;
  const std::size_t left = 2 + std::max(label_width, display_width(label) + 1);
  const std::size_t room = screen.width > left ? screen.width - left : 0;
  Screen unbroken = screen;
  unbroken.width = 0;
  append(lines, labelled(unbroken, left - 2, label, room > 0 ? cut_end(text, room) : text,
                         Colour::yellow));
  if (phase == "pulling") return lines;

  std::vector<Row> rows;
  for (const Json& service : json_array(deployment, "services")) {
    const std::string health = words(service, "health");
    const Colour colour = health.starts_with("healthy") ? Colour::green : Colour::yellow;
    rows.push_back({{words(service, "service"), Colour::plain}, {health, colour}});
  }
  append(lines, table(screen, 4, 2, rows));
  return lines;
}

Lines deploy_outcome(const std::string& stack, const Json& request, const Json& release,
                     const Screen& screen) {
  const std::string outcome = words(request, "outcome");
  const std::string message = words(request, "message");
  const std::int64_t number = json_int(request, "release");
  const std::string name = fmt::format("release {}", number);
  if (outcome == "done") {
    const std::string fallback = number == 0 ? "done" : name + " runs";
    return {stack + ": " + (message.empty() ? fallback : message)};
  }
  if (outcome == "nothing_to_do") {
    return {fmt::format("{}: nothing to do{}", stack, message.empty() ? "" : ": " + message)};
  }

  const Json& failure = json_object(release, "failure");
  const std::string what =
      message.empty() ? spaced(outcome) + ": " + words(failure, "reason") : message;
  Lines lines;
  for (const std::string& line : wrap(what, screen.width > 20 ? screen.width - 2 : 0)) {
    lines.push_back("  " + paint(screen, Colour::red, line));
  }
  append(lines, render_failure(failure, 4, screen));
  if (number == 0) return lines;
  const bool content = words(failure, "cause") == "release" || outcome == "rejected";
  const std::string all = fmt::format("`trimtab show {} {}` shows all of it", stack, number);
  append(lines,
         wrap((content ? "R" + name.substr(1) + " is not retried until something in it changes; "
                       : "") +
                  all,
              screen.width));
  return lines;
}

std::string render_event(const Json& event, const Screen& screen) {
  const std::string type = words(event, "type");
  Colour colour = Colour::plain;
  if (type == "pull" || type == "facts") colour = Colour::dim;
  if (type == "release" || type == "finished") colour = Colour::bold;
  std::string time = words(event, "at");
  const auto at = parse_time(time);
  // Seconds suffice for reading; the JSON has the full precision.
  if (at) time = format_time(*at).substr(0, std::string_view("2026-11-23T00:07:23").size()) + "Z";
  const std::string stack = words(event, "stack");
  return paint(screen, Colour::dim, time) + " " + (stack.empty() ? "" : stack + ": ") +
         paint(screen, colour, words(event, "message"));
}

}  // namespace trimtab::cli
