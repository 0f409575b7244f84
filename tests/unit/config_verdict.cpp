// Says what the daemon's reader of settings thinks, for schema_test.py to compare with the schemas.
//   config_verdict keys daemon|stack        the keys that it knows, one a line
//   config_verdict check daemon|stack FILE… one JSON array of error texts for each file, a line
//   each
#include <iostream>
#include <string>
#include <vector>

#include "agent/config/load.hpp"
#include "common/files.hpp"
#include "common/json.hpp"

int main(int argc, char** argv) {
  using namespace trimtab;
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() < 2) return 2;
  const bool is_stack = arguments[1] == "stack";
  if (arguments[0] == "keys") {
    for (const std::string& key : is_stack ? stack_keys() : daemon_keys()) {
      std::cout << key << '\n';
    }
    return 0;
  }
  for (std::size_t i = 2; i < arguments.size(); ++i) {
    const Result<std::string> text = read_file(arguments[i]);
    if (!text) {
      std::cerr << text.error().text() << '\n';
      return 1;
    }
    std::vector<Finding> findings;
    // The name is fixed, so that the document's own is free to say what it shows.
    if (is_stack) {
      parse_stack(*text, "shop.yaml", findings);
    } else {
      parse_daemon(*text, "trimtab.yaml", findings);
    }
    Json errors = Json::array();
    for (const Finding& finding : findings) {
      if (finding.severity == Severity::warning) continue;
      errors.push_back(std::to_string(finding.line) + ":" + std::to_string(finding.column) + ": " +
                       finding.message);
    }
    std::cout << dump_json(errors) << '\n';
  }
  return 0;
}
