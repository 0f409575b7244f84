#include "agent/plan/preflight/preflight.hpp"

namespace trimtab::preflight {

// Compose only warns and substitutes an empty string: a `$` in a password would silently corrupt
// it.
Findings unset_variable(const Input& input) {
  Findings findings;
  const std::string where = input.env_file.empty() ? "an env file (.env)" : input.env_file;
  for (const std::string& name : input.unset_variables) {
    PreflightFinding finding;
    finding.name = "unset-variable";
    finding.message = "the compose file uses the variable " + name + ", and nothing sets it";
    finding.hint = "set it in " + where + "; a literal $ in a compose file is written $$";
    findings.push_back(std::move(finding));
  }
  for (const DollarValue& value : input.dollar_values) {
    PreflightFinding finding;
    finding.name = "unset-variable";
    finding.message = value.file + ", line " + std::to_string(value.line) +
                      ": the $ in the value of " + value.name +
                      " begins a variable, which nothing sets";
    finding.hint = "write the value in single quotes: " + value.name + "='…'";
    findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace trimtab::preflight
