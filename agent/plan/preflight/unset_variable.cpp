#include "agent/plan/preflight/preflight.hpp"

#include <fmt/core.h>

namespace trimtab::preflight {

// Compose only warns and substitutes an empty string: a `$` in a password would silently corrupt
// it.
Findings unset_variable(const Input& input) {
  Findings findings;
  const std::string where = input.env_file.empty() ? "an env file (.env)" : input.env_file;
  for (const std::string& name : input.unset_variables) {
    PreflightFinding finding;
    finding.name = "unset-variable";
    finding.message =
        fmt::format("the compose file uses the variable {}, and nothing sets it", name);
    finding.hint = fmt::format("set it in {}; a literal $ in a compose file is written $$", where);
    findings.push_back(std::move(finding));
  }
  for (const DollarValue& value : input.dollar_values) {
    PreflightFinding finding;
    finding.name = "unset-variable";
    finding.message =
        fmt::format("{}, line {}: the $ in the value of {} begins a variable, which nothing sets",
                    value.file, value.line, value.name);
    finding.hint = fmt::format("write the value in single quotes: {}='…'", value.name);
    findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace trimtab::preflight
