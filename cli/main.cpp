#include <clocale>
#include <cstdio>
#include <exception>
#include <variant>

#include "cli/commands.hpp"
#include "cli/exit_code.hpp"

int main(int argc, char** argv) {
  using namespace trimtab::cli;
  // The C library computes character widths by locale, and all output is UTF-8.
  std::setlocale(LC_CTYPE, "C.UTF-8");
  try {
    const auto options = parse_options(argc, argv);
    if (const int* const code = std::get_if<int>(&options)) return *code;
    const int code = run(std::get<Options>(options));
    // Fails if, for example, the disk is full behind redirected output.
    return std::fflush(stdout) == 0 && std::ferror(stdout) == 0 ? code : exit_failed;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "trimtab: %s; this is a defect, please report it\n", error.what());
    return exit_failed;
  }
}
