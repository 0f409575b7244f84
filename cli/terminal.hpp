// Standard output: permanent lines and, on a terminal, a block of lines at the end that is redrawn
// in place.
#pragma once

#include "cli/layout.hpp"

namespace trimtab::cli {

class Terminal {
 public:
  // Checks whether standard output is a terminal, and NO_COLOR and TERM.
  Terminal();

  // Whether lines can be redrawn in place.
  [[nodiscard]] bool live() const { return live_; }
  // Returns its current size; width 0 if it is not a terminal.
  [[nodiscard]] Screen screen() const;

  // Prints permanent lines above the redrawn block.
  void print(const Lines& lines);
  // Replaces the block; omits what exceeds the screen's height. Requires live().
  void redraw(const Lines& lines);
  // Makes the block permanent: the next print() or redraw() begins below it.
  void keep();

 private:
  [[nodiscard]] std::string erase() const;

  bool live_ = false;
  bool colour_ = false;
  std::size_t drawn_ = 0;  // number of lines in the block
};

}  // namespace trimtab::cli
