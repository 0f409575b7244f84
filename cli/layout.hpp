// Words into columns and lines: widths, cuts, colours. Plain functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/text.hpp"

namespace trimtab::cli {

using Lines = std::vector<std::string>;

// What the lines are made for.
struct Screen {
  std::size_t width = 0;  // columns; 0: lines may be as long as they are
  bool colour = false;
  WallTime now;  // ages are counted from here
};

enum class Colour { plain, bold, dim, green, yellow, red };

// The text between escape sequences where the screen has colours.
std::string paint(const Screen& screen, Colour colour, std::string_view text);

// Columns that a text takes (UTF-8; needs a UTF-8 LC_CTYPE).
std::size_t display_width(std::string_view text);

// The text cut to `width` columns, with … where something is gone: at the end, or at the start.
std::string cut_end(std::string_view text, std::size_t width);
std::string cut_start(std::string_view text, std::size_t width);

// Broken at spaces into lines of at most `width` columns (0: one line). A longer word is a line of
// its own.
Lines wrap(std::string_view text, std::size_t width);

struct Cell {
  std::string text;
  Colour colour = Colour::plain;
};
using Row = std::vector<Cell>;

// Columns two spaces apart, after `indent` spaces, in lines that fit the screen: column `elastic`
// is cut first, at its start, for the ends of long image names tell most; then the line's end.
Lines table(const Screen& screen, std::size_t indent, std::size_t elastic,
            const std::vector<Row>& rows);

// "  label     words words": the words wrapped below each other, from column 2 + `label_width`.
Lines labelled(const Screen& screen, std::size_t label_width, std::string_view label,
               std::string_view words, Colour colour = Colour::plain);

void append(Lines& lines, Lines more);

}  // namespace trimtab::cli
