#include <fmt/core.h>

#include <algorithm>

#include "cli/render.hpp"

namespace trimtab::cli {

namespace {

Colour state_colour(const std::string& state) {
  if (state == "synced" || state == "checking") return Colour::green;
  if (state == "failed" || state == "degraded") return Colour::red;
  return Colour::yellow;
}

// release 42 · 3f2c1ab (production) "Fix totals", Ana, 2 h ago
std::string release_words(const Json& stack, const Screen& screen) {
  const std::int64_t number = json_int(stack, "release");
  if (number == 0) return "no release yet";
  std::string out =
      fmt::format("release {} · {}", number, short_commit(json_string(stack, "commit")));
  const std::string ref = words(stack, "ref");
  if (!ref.empty()) out += " (" + ref + ")";
  const std::string subject = words(stack, "subject");
  if (!subject.empty()) out += " \"" + subject + "\"";
  const std::string author = words(stack, "author");
  if (!author.empty()) out += ", " + author;
  return out + ", " + age(stack, "deployed_at", screen);
}

Cell condition(const Json& container) {
  const std::string state = words(container, "state");
  const std::string health = words(container, "health");
  const std::int64_t code = json_int(container, "exit_code");
  if (json_bool(container, "stopped_manually")) return {"stopped manually", Colour::yellow};
  if (state == "running") {
    if (health == "healthy") return {"healthy", Colour::green};
    if (health == "unhealthy") return {"unhealthy", Colour::red};
    if (health == "starting") return {"starting", Colour::yellow};
    return {"running", Colour::green};
  }
  if (state == "exited") {
    if (code == 0 && json_bool(container, "one_shot")) return {"done", Colour::green};
    return {fmt::format("exited with {}", code), Colour::red};
  }
  if (state == "paused" || state == "created") return {state, Colour::yellow};
  return {state, Colour::red};
}

std::string since(const Json& container, const Screen& screen) {
  const std::string ago = age(container, "since", screen);
  std::string out;
  if (ago != "never") {
    constexpr std::string_view ago_suffix = " ago";
    const bool up = json_string(container, "state") == "running" && ago.ends_with(ago_suffix);
    out = up ? "up " + ago.substr(0, ago.size() - ago_suffix.size()) : ago;
  }
  const std::int64_t restarts = json_int(container, "restarts");
  if (restarts > 0) {
    if (!out.empty()) out += ", ";
    out += std::to_string(restarts) + (restarts == 1 ? " restart" : " restarts");
  }
  return out;
}

std::string interval(const Json& fact) {
  return ", every " + human_duration(duration_of(fact, "interval_seconds"));
}

Lines git_lines(const Json& stack, std::size_t width, const Screen& screen) {
  const Json& git = json_object(stack, "git");
  const std::string error = words(git, "error");
  const std::string when = age(git, "checked_at", screen);
  if (!error.empty()) {
    return labelled(screen, width, "git", error + " (tried " + when + interval(git) + ")",
                    Colour::red);
  }
  if (when == "never") return labelled(screen, width, "git", "not checked yet");
  std::string out = fmt::format("checked {}{}", when, interval(git));
  const std::string commit = json_string(git, "commit");
  if (!commit.empty() && commit != json_string(stack, "commit")) {
    out += fmt::format("; {} is at {}", words(git, "ref"), short_commit(commit));
  }
  // Shown if the daemon could resolve refs itself, which is cheaper, but has to use the git
  // program.
  const std::string by = words(git, "transport");
  if (words(git, "url").starts_with("http") && by.starts_with("git program")) {
    out += "; queried with the " + by;
  }
  return labelled(screen, width, "git", out);
}

Lines image_lines(const Json& stack, std::size_t width, const Screen& screen) {
  const Json& images = json_object(stack, "images");
  const std::int64_t watched = json_int(images, "watched");
  const std::string when = age(images, "checked_at", screen);
  Lines lines;
  if (watched == 0) {
    lines = labelled(screen, width, "images", "none watched");
  } else if (when == "never") {
    lines = labelled(screen, width, "images", std::to_string(watched) + " watched");
  } else {
    lines = labelled(screen, width, "images",
                     std::to_string(watched) + " watched, checked " + when + interval(images));
  }
  for (const Json& failed : json_array(images, "errors")) {
    append(lines, labelled(screen, width, "",
                           words(failed, "image") + ": " + words(failed, "error"), Colour::red));
  }
  return lines;
}

Lines unit_lines(const Json& stack, std::size_t width, const Screen& screen) {
  if (!stack.contains("unit")) return {};
  const Json& unit = json_object(stack, "unit");
  if (unit.empty()) return labelled(screen, width, "unit", "none: systemd does not run here");
  const std::string problem = words(unit, "problem");
  if (!problem.empty()) return labelled(screen, width, "unit", problem, Colour::red);
  return labelled(screen, width, "unit",
                  words(unit, "name") + ", " + words(unit, "active") + ", " +
                      (json_bool(unit, "enabled") ? "enabled at boot" : "not enabled at boot"));
}

Lines certificate_lines(const Json& stack, std::size_t width, const Screen& screen) {
  constexpr double day = 24 * 3600.0;
  Lines lines;
  for (const Json& one : json_array(stack, "certificates")) {
    const std::string path = words(one, "path");
    const std::string problem = words(one, "problem");
    const auto expires = parse_time(json_string(one, "expires_at"));
    if (!problem.empty() || !expires) {
      append(lines, labelled(screen, width, "certs", path + ": " + problem, Colour::red));
      continue;
    }
    const double left = std::chrono::duration<double>(*expires - screen.now).count();
    const std::string when =
        left < 0
            ? fmt::format("expired {} ago",
                          human_duration(std::chrono::seconds(static_cast<int>(-left))))
            : "expires in " + human_duration(std::chrono::seconds(static_cast<std::int64_t>(left)));
    const bool self_signed = json_bool(one, "self_signed");
    append(lines, labelled(screen, width, "certs",
                           path + " " + when + (self_signed ? ", self-signed" : ""),
                           left < 14 * day && !self_signed ? Colour::yellow : Colour::plain));
  }
  return lines;
}

Lines host_lines(const Json& status, const Screen& screen) {
  std::vector<std::string> troubles;
  const std::string error = words(json_object(status, "docker"), "error");
  if (!error.empty()) troubles.push_back("Docker: " + error);
  for (const std::string& problem : word_list(status, "problems")) troubles.push_back(problem);
  Lines lines;
  for (const std::string& trouble : troubles) {
    for (const std::string& line : wrap(trouble, screen.width)) {
      lines.push_back(paint(screen, Colour::red, line));
    }
  }
  return lines;
}

// The daemon queries Docker twice a minute, and Docker has equally long to answer.
bool is_old(const Json& stack, const Screen& screen) {
  const auto seen = parse_time(json_string(stack, "observed_at"));
  return seen && screen.now - *seen > std::chrono::seconds(90);
}

std::string health_count(const Json& stack) {
  return fmt::format("healthy {}/{}", json_int(stack, "healthy"), json_int(stack, "services"));
}

}  // namespace

Lines render_stack(const Json& stack, const Screen& screen) {
  const std::string state = words(stack, "state");
  const std::string name = words(stack, "name");
  std::string head = name + "  " + state + "   ";
  std::string rest = release_words(stack, screen);
  if (screen.width > 0) {
    const std::size_t used = display_width(head);
    rest = used < screen.width ? cut_end(rest, screen.width - used) : std::string();
  }
  Lines lines = {paint(screen, Colour::bold, name) + "  " +
                 paint(screen, state_colour(state), state) + "   " + rest};

  std::vector<Row> rows;
  for (const Json& container : json_array(stack, "containers")) {
    rows.push_back({{words(container, "service"), Colour::plain},
                    {words(container, "image"), Colour::plain},
                    condition(container),
                    {since(container, screen), Colour::plain},
                    {short_digest_of(json_string(container, "digest")), Colour::dim}});
  }
  // The labels below are aligned with the column of service names.
  std::size_t width = std::string_view("images").size();
  for (const Row& row : rows) width = std::max(width, display_width(row.front().text));
  width += 2;

  const std::string reason = words(stack, "reason");
  const Json& deployment = json_object(stack, "deployment");
  if (!deployment.empty()) {
    append(lines, live_phase(deployment, width, screen));
  } else if (!reason.empty()) {
    append(lines, labelled(screen, width, "why", reason, state_colour(state)));
  }
  append(lines, table(screen, 2, 1, rows));
  if (is_old(stack, screen)) {
    const std::string seen = "as reported by Docker " + age(stack, "observed_at", screen);
    append(lines, labelled(screen, width, "", seen, Colour::yellow));
  }
  append(lines, git_lines(stack, width, screen));
  append(lines, image_lines(stack, width, screen));
  append(lines, unit_lines(stack, width, screen));
  append(lines, certificate_lines(stack, width, screen));
  for (const std::string& text : word_list(stack, "drift")) {
    append(lines, labelled(screen, width, "drift", text, Colour::yellow));
  }
  for (const std::string& text : word_list(stack, "notices")) {
    append(lines, labelled(screen, width, "note", text));
  }
  const std::string next = words(stack, "next");
  if (!next.empty()) append(lines, labelled(screen, width, "next", next));
  return lines;
}

Lines render_status(const Json& status, const Screen& screen) {
  Lines lines = host_lines(status, screen);
  const Json& stacks = json_array(status, "stacks");
  if (stacks.empty()) {
    lines.emplace_back("No stack is configured; `trimtab check` shows which files are read.");
    return lines;
  }
  if (stacks.size() == 1) {
    append(lines, render_stack(stacks.front(), screen));
    return lines;
  }
  std::vector<Row> rows;
  std::size_t width = 0;
  for (const Json& stack : stacks) width = std::max(width, display_width(words(stack, "name")));
  for (const Json& stack : stacks) {
    const std::string state = words(stack, "state");
    const std::int64_t number = json_int(stack, "release");
    std::string release = "no release yet";
    if (number != 0) {
      release = fmt::format("release {} · {} ({})", number,
                            short_commit(json_string(stack, "commit")), words(stack, "ref"));
    }
    rows.push_back({{words(stack, "name"), Colour::bold},
                    {state, state_colour(state)},
                    {release, Colour::plain},
                    {health_count(stack), Colour::plain},
                    {"checked " + age(stack, "checked_at", screen), Colour::plain}});
  }
  const Lines heads = table(screen, 0, rows.front().size(), rows);
  for (std::size_t i = 0; i < heads.size(); ++i) {
    lines.push_back(heads[i]);
    const std::string reason = words(stacks[i], "reason");
    if (!reason.empty()) {
      append(lines, labelled(screen, width, "", reason, state_colour(words(stacks[i], "state"))));
    }
  }
  return lines;
}

std::string summary_line(const Json& stack) {
  std::string out = words(stack, "name") + ": " + words(stack, "state");
  const std::int64_t number = json_int(stack, "release");
  if (number != 0) {
    out += fmt::format(", release {} ({} {})", number, short_commit(json_string(stack, "commit")),
                       words(stack, "ref"));
  }
  out += ", " + health_count(stack);
  const std::string reason = words(stack, "reason");
  if (!reason.empty()) out += "; " + reason;
  return out;
}

}  // namespace trimtab::cli
