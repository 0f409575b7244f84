// Standard output: lines, and on a terminal a block of lines at its end that is drawn over in
// place.
#pragma once

#include "cli/layout.hpp"

namespace trimtab::cli {

class Terminal {
 public:
  // Looks whether standard output is a terminal, and at NO_COLOR and TERM.
  Terminal();

  // Whether lines can be drawn over.
  [[nodiscard]] bool live() const { return live_; }
  // Its size now; no width where it is no terminal.
  [[nodiscard]] Screen screen() const;

  // Lines that stay, above the block that is drawn over.
  void print(const Lines& lines);
  // Replaces the block; what does not fit the screen's height is left out. Only where live().
  void redraw(const Lines& lines);
  // The next print() or redraw() begins below the block.
  void keep();

 private:
  [[nodiscard]] std::string erase() const;

  bool live_ = false;
  bool colour_ = false;
  std::size_t drawn_ = 0;  // lines of the block
};

}  // namespace trimtab::cli
