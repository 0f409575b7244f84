#include <fmt/core.h>

#include "cli/render.hpp"
#include "common/text.hpp"

namespace trimtab::cli {

namespace {

Colour outcome_colour(const std::string& outcome) {
  if (outcome == "good") return Colour::green;
  if (outcome == "in_progress" || outcome == "superseded") return Colour::yellow;
  return Colour::red;
}

}  // namespace

Lines render_history(const Json& answer, const Screen& screen) {
  const Json& releases = json_array(answer, "releases");
  if (releases.empty()) return {words(answer, "stack") + ": no release yet"};
  std::vector<Row> rows;
  rows.push_back({{"", Colour::dim},
                  {"release", Colour::dim},
                  {"outcome", Colour::dim},
                  {"commit", Colour::dim},
                  {"made", Colour::dim},
                  {"subject", Colour::dim},
                  {"cause", Colour::dim}});
  for (const Json& release : releases) {
    const std::string outcome = words(release, "outcome");
    const std::string author = words(release, "author");
    rows.push_back(
        {{json_bool(release, "current") ? "*" : "", Colour::green},
         {std::to_string(json_int(release, "number")), Colour::bold},
         {spaced(outcome), outcome_colour(outcome)},
         {short_commit(json_string(release, "commit")), Colour::plain},
         {age(release, "created_at", screen), Colour::plain},
         {words(release, "subject") + (author.empty() ? "" : ", " + author), Colour::plain},
         {words(release, "cause"), Colour::plain}});
  }
  Lines lines = table(screen, 0, rows.front().size(), rows);
  lines.emplace_back("* is current");
  return lines;
}

Lines render_release(const std::string& stack, const Json& release, const Screen& screen) {
  constexpr std::size_t label_width = 10;  // the longest label, "timeline", and two spaces
  const std::string outcome = words(release, "outcome");
  Lines lines = {paint(screen, Colour::bold,
                       stack + " release " + std::to_string(json_int(release, "number"))) +
                 "  " + paint(screen, outcome_colour(outcome), spaced(outcome)) +
                 (json_bool(release, "current") ? ", current" : "")};

  std::string commit = words(release, "commit");
  const std::string ref = words(release, "ref");
  if (!ref.empty()) commit += " (" + ref + ")";
  append(lines, labelled(screen, label_width, "commit", commit));
  const std::string author = words(release, "author");
  append(lines,
         labelled(screen, label_width, "",
                  "\"" + words(release, "subject") + "\"" + (author.empty() ? "" : ", " + author)));
  append(lines, labelled(screen, label_width, "made",
                         age(release, "created_at", screen) + ", " + words(release, "created_at")));
  append(lines, labelled(screen, label_width, "cause", words(release, "cause")));
  append(lines, labelled(screen, label_width, "compose", words(release, "compose")));
  for (const std::string& notice : word_list(release, "notices")) {
    append(lines, labelled(screen, label_width, "note", notice));
  }

  std::vector<Row> images;
  for (const auto& [service, image] : json_object(release, "images").items()) {
    if (!image.is_string()) continue;
    images.push_back(
        {{one_line(service), Colour::plain}, {one_line(image.get<std::string>()), Colour::plain}});
  }
  if (!images.empty()) {
    lines.push_back("  " + paint(screen, Colour::dim, "images"));
    append(lines, table(screen, 4, images.front().size(), images));
  }

  std::vector<Row> steps;
  for (const Json& step : json_array(release, "plan")) {
    steps.push_back(
        {{words(step, "service"), Colour::plain},
         {words(step, "action") == "none" ? "unchanged" : words(step, "action"), Colour::plain},
         {join(word_list(step, "reasons"), "; "), Colour::plain}});
  }
  if (!steps.empty()) {
    lines.push_back("  " + paint(screen, Colour::dim, "plan"));
    append(lines, table(screen, 4, steps.front().size(), steps));
  }

  std::vector<Row> timeline;
  for (const Json& entry : json_array(release, "timeline")) {
    timeline.push_back({{words(entry, "started_at"), Colour::dim},
                        {spaced(words(entry, "phase")), Colour::plain},
                        {human_duration(duration_of(entry, "seconds")), Colour::plain}});
  }
  if (!timeline.empty()) {
    lines.push_back("  " + paint(screen, Colour::dim, "timeline"));
    append(lines, table(screen, 4, timeline.front().size(), timeline));
  }

  // The newest deployment is shown above; the earlier ones only by their outcome.
  std::vector<Row> deployments;
  for (const Json& deployment : json_array(release, "deployments")) {
    const std::string reason = words(json_object(deployment, "failure"), "reason");
    deployments.push_back({{words(deployment, "started_at"), Colour::dim},
                           {spaced(words(deployment, "kind")), Colour::plain},
                           {spaced(words(deployment, "outcome")), Colour::plain},
                           {reason.empty() ? words(deployment, "cause") : reason, Colour::plain}});
  }
  if (deployments.size() > 1) {
    lines.push_back("  " + paint(screen, Colour::dim, "deployments"));
    append(lines, table(screen, 4, deployments.front().size(), deployments));
  }

  const Json& hooks = json_array(release, "hooks");
  if (!hooks.empty()) lines.push_back("  " + paint(screen, Colour::dim, "hooks"));
  for (const Json& hook : hooks) {
    const std::string problem = words(hook, "problem");
    lines.push_back(fmt::format("    {}, {}: {} in {}", words(hook, "name"), words(hook, "phase"),
                                problem.empty() ? paint(screen, Colour::green, "done")
                                                : paint(screen, Colour::red, problem),
                                human_duration(duration_of(hook, "seconds"))));
    for (const std::string& line : word_list(hook, "output")) {
      lines.push_back("      " + paint(screen, Colour::dim, "|") + " " + line);
    }
  }

  const Json& failure = json_object(release, "failure");
  if (!failure.empty()) {
    append(lines,
           labelled(screen, label_width, "failed",
                    "while " + spaced(words(failure, "phase")) + ": " + words(failure, "reason"),
                    Colour::red));
    append(lines, render_failure(failure, 4, screen));
  }
  return lines;
}

}  // namespace trimtab::cli
