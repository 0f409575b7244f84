#include "cli/layout.hpp"

#include <fmt/core.h>
#include <wchar.h>

#include <algorithm>
#include <iterator>

namespace trimtab::cli {

namespace {

// A column truncated to less than this is unreadable.
constexpr std::size_t narrowest = 12;

struct Character {
  std::string_view bytes;
  std::size_t width = 0;
};

std::vector<Character> characters(std::string_view text) {
  std::vector<Character> out;
  std::mbstate_t state{};
  while (!text.empty()) {
    wchar_t wide = 0;
    std::size_t length = std::mbrtowc(&wide, text.data(), text.size(), &state);
    if (length == 0 || length > text.size()) {  // not UTF-8: one replacement character
      state = {};
      length = 1;
      wide = L'?';
    }
    const int width = ::wcwidth(wide);
    out.push_back({text.substr(0, length), width < 0 ? 1 : static_cast<std::size_t>(width)});
    text.remove_prefix(length);
  }
  return out;
}

std::string spaces(std::size_t count) {
  return std::string(count, ' ');
}

std::vector<std::size_t> column_widths(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths;
  for (const Row& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], display_width(row[i].text));
    }
  }
  return widths;
}

}  // namespace

std::string paint(const Screen& screen, Colour colour, std::string_view text) {
  const auto code = [colour]() -> std::string_view {
    switch (colour) {
      case Colour::bold:
        return "1";
      case Colour::dim:
        return "2";
      case Colour::green:
        return "32";
      case Colour::yellow:
        return "33";
      case Colour::red:
        return "31";
      case Colour::plain:
        break;
    }
    return {};
  }();
  if (!screen.colour || code.empty() || text.empty()) return std::string(text);
  std::string out = "\x1b[";
  out += code;
  out += 'm';
  out += text;
  out += "\x1b[0m";
  return out;
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  for (const Character& character : characters(text)) width += character.width;
  return width;
}

std::string cut_end(std::string_view text, std::size_t width) {
  if (display_width(text) <= width) return std::string(text);
  if (width == 0) return {};
  std::string out;
  std::size_t used = 1;  // the …
  for (const Character& character : characters(text)) {
    if (used + character.width > width) break;
    used += character.width;
    out += character.bytes;
  }
  return out + "…";
}

std::string cut_start(std::string_view text, std::size_t width) {
  if (display_width(text) <= width) return std::string(text);
  if (width == 0) return {};
  const std::vector<Character> all = characters(text);
  std::size_t used = 1;
  std::size_t begin = text.size();
  for (auto character = all.rbegin(); character != all.rend(); ++character) {
    if (used + character->width > width) break;
    used += character->width;
    begin -= character->bytes.size();
  }
  return fmt::format("…{}", text.substr(begin));
}

Lines wrap(std::string_view text, std::size_t width) {
  if (width == 0 || display_width(text) <= width) return {std::string(text)};
  Lines lines;
  std::string line;
  for (const std::string& word : split(text, ' ')) {
    if (word.empty()) continue;
    if (!line.empty() && display_width(line) + 1 + display_width(word) > width) {
      lines.push_back(std::move(line));
      line.clear();
    }
    if (!line.empty()) line += ' ';
    line += word;
  }
  lines.push_back(std::move(line));
  return lines;
}

Lines table(const Screen& screen, std::size_t indent, std::size_t elastic,
            const std::vector<Row>& rows) {
  constexpr std::size_t gap = 2;
  std::vector<std::size_t> widths = column_widths(rows);
  if (screen.width > 0 && elastic < widths.size()) {
    std::size_t total = indent + (widths.size() - 1) * gap;
    for (const std::size_t width : widths) total += width;
    std::size_t& give = widths[elastic];
    const std::size_t excess = total > screen.width ? total - screen.width : 0;
    if (excess > 0) give = std::max(std::min(give, narrowest), give - std::min(give, excess));
  }

  Lines lines;
  for (const Row& row : rows) {
    std::string line = spaces(indent);
    std::size_t column = indent;   // start of the next cell
    std::size_t written = indent;  // columns in `line`, not counting padding that may follow
    for (std::size_t i = 0; i < row.size(); ++i) {
      std::string text = i == elastic ? cut_start(row[i].text, widths[i]) : row[i].text;
      if (screen.width > 0) {
        if (column >= screen.width) break;
        text = cut_end(text, screen.width - column);
      }
      if (!text.empty()) {
        line += spaces(column - written) + paint(screen, row[i].colour, text);
        written = column + display_width(text);
      }
      column += widths[i] + gap;
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

Lines labelled(const Screen& screen, std::size_t label_width, std::string_view label,
               std::string_view words, Colour colour) {
  constexpr std::size_t indent_width = 2;
  const std::size_t left = indent_width + label_width;
  const std::size_t room = screen.width > left + 20 ? screen.width - left : 0;
  Lines lines;
  for (const std::string& line : wrap(words, room)) {
    const std::string head = lines.empty() ? std::string(label) : std::string();
    const std::size_t used = display_width(head);
    lines.push_back(spaces(indent_width) + paint(screen, Colour::dim, head) +
                    spaces(label_width > used ? label_width - used : 1) +
                    paint(screen, colour, line));
  }
  return lines;
}

void append(Lines& lines, Lines more) {
  lines.insert(lines.end(), std::make_move_iterator(more.begin()),
               std::make_move_iterator(more.end()));
}

}  // namespace trimtab::cli
