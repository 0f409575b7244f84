#include <algorithm>
#include <cmath>

#include "cli/render.hpp"
#include "common/text.hpp"

namespace trimtab::cli {

std::string words(const Json& object, std::string_view key) {
  return one_line(json_string(object, key));
}

std::string short_commit(const std::string& commit) {
  return one_line(commit.substr(0, 7));
}

std::string short_digest_of(const std::string& digest) {
  constexpr std::string_view prefix = "sha256:";
  const std::string hex = digest.starts_with(prefix) ? digest.substr(prefix.size()) : digest;
  return hex.empty() ? std::string() : one_line(hex.substr(0, 6)) + "…";
}

std::string age(const Json& object, std::string_view key, const Screen& screen) {
  const auto time = parse_time(json_string(object, key));
  if (!time) return "never";
  // Whole seconds, because tenths would flicker.
  const auto seconds = std::chrono::floor<std::chrono::seconds>(screen.now - *time);
  if (seconds.count() < 1) return "just now";
  return human_duration(seconds) + " ago";
}

std::vector<std::string> word_list(const Json& object, std::string_view key) {
  std::vector<std::string> out;
  for (const Json& text : json_array(object, key)) {
    if (text.is_string()) out.push_back(one_line(text.get<std::string>()));
  }
  return out;
}

std::chrono::milliseconds duration_of(const Json& object, std::string_view key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number()) return {};
  return std::chrono::milliseconds(std::llround(found->get<double>() * 1000));
}

std::string spaced(std::string value) {
  std::replace(value.begin(), value.end(), '_', ' ');
  return value;
}

Lines render_failure(const Json& failure, std::size_t indent, const Screen& screen) {
  const std::string left(indent, ' ');
  Lines lines;
  for (const Json& service : json_array(failure, "services")) {
    lines.push_back(left + words(service, "service") + ": " + words(service, "reason"));
    // Never truncated: the cause of an error is often at the end of a line.
    for (const std::string& line : word_list(service, "log")) {
      lines.push_back(left + "  " + paint(screen, Colour::dim, "|") + " " + line);
    }
  }
  return lines;
}

}  // namespace trimtab::cli
