#include "tests/simulation/corpus.hpp"

#include <charconv>
#include <sstream>

#include "common/files.hpp"
#include "common/text.hpp"

namespace trimtab::simulation {
namespace {

template <typename Number>
bool read_number(std::string_view text, Number* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size();
}

std::optional<Happening> happening_from(std::string_view words) {
  for (int i = 0; i < happenings; ++i) {
    if (to_string(static_cast<Happening>(i)) == words) return static_cast<Happening>(i);
  }
  return std::nullopt;
}

std::optional<StoryEvent> event_from(const std::string& line) {
  std::istringstream words(line);
  std::string milliseconds;
  std::string detail;
  std::string rest;
  words >> milliseconds >> detail >> std::ws;
  std::getline(words, rest);
  StoryEvent event;
  std::int64_t at = 0;
  const std::optional<Happening> what = happening_from(rest);
  if (!what || !read_number(milliseconds, &at) || !read_number(detail, &event.detail)) {
    return std::nullopt;
  }
  event.what = *what;
  event.at = std::chrono::milliseconds(at);
  return event;
}

}  // namespace

Result<std::vector<CorpusEntry>> read_corpus(const std::filesystem::path& file) {
  const Result<std::string> text = read_file(file);
  if (!text) return text.error();
  std::vector<CorpusEntry> entries;
  std::string why;
  int number = 0;
  for (const std::string& line : split(*text, '\n')) {
    ++number;
    const Error bad{Errc::invalid, file.string() + ", line " + std::to_string(number), {}};
    if (line.empty()) continue;
    if (line.starts_with('#')) {
      why += (why.empty() ? "" : " ") + line.substr(std::min<std::size_t>(line.size(), 2));
    } else if (line.starts_with("seed ")) {
      CorpusEntry entry;
      entry.why = std::exchange(why, "");
      if (!read_number(std::string_view(line).substr(5), &entry.seed)) return bad;
      entries.push_back(std::move(entry));
    } else {
      const std::optional<StoryEvent> event = event_from(line);
      if (!event || entries.empty()) return bad;
      entries.back().story.push_back(*event);
    }
  }
  for (CorpusEntry& entry : entries) {
    if (entry.story.empty()) entry.story = story_of(entry.seed);
  }
  return entries;
}

std::string to_string(const CorpusEntry& entry) {
  std::string text = "# " + entry.why + "\nseed " + std::to_string(entry.seed) + "\n";
  for (const StoryEvent& event : entry.story) {
    const auto at = std::chrono::duration_cast<std::chrono::milliseconds>(event.at).count();
    text += "  " + std::to_string(at) + " " + std::to_string(event.detail) + " " +
            std::string(to_string(event.what)) + "\n";
  }
  return text;
}

}  // namespace trimtab::simulation
