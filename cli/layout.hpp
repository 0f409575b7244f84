// Lays out text in columns and lines: widths, truncation, colours. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/text.hpp"

namespace trimtab::cli {

using Lines = std::vector<std::string>;

// The target of the output.
struct Screen {
  std::size_t width = 0;  // columns; 0: unlimited
  bool colour = false;
  WallTime now;  // reference time for ages
};

enum class Colour { plain, bold, dim, green, yellow, red };

// Wraps the text in escape sequences if the screen has colours.
std::string paint(const Screen& screen, Colour colour, std::string_view text);

// Returns the number of columns that the text occupies (UTF-8; requires a UTF-8 LC_CTYPE).
std::size_t display_width(std::string_view text);

// Truncate the text to `width` columns, with … in place of what is removed at its end or start.
std::string cut_end(std::string_view text, std::size_t width);
std::string cut_start(std::string_view text, std::size_t width);

// Wraps at spaces into lines of at most `width` columns (0: one line). A longer word gets a line of
// its own.
Lines wrap(std::string_view text, std::size_t width);

struct Cell {
  std::string text;
  Colour colour = Colour::plain;
};
using Row = std::vector<Cell>;

// Lays out columns two spaces apart, after `indent` spaces, in lines that fit the screen. Truncates
// the column `elastic` first, at its start because the ends of long image names tell the most; then
// the end of the line.
Lines table(const Screen& screen, std::size_t indent, std::size_t elastic,
            const std::vector<Row>& rows);

// Formats "  label     words words"; continuation lines start in column 2 + `label_width`.
Lines labelled(const Screen& screen, std::size_t label_width, std::string_view label,
               std::string_view words, Colour colour = Colour::plain);

void append(Lines& lines, Lines more);

}  // namespace trimtab::cli
