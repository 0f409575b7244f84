// What the Engine answers, in its many versions.
#include "agent/docker/engine_errors.hpp"
#include "agent/docker/engine_json.hpp"
#include "agent/docker/pull_progress.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace trimtab::fuzz {

void run(std::string_view input) {
  engine_message(input);
  PullTracker().take(input);
  parse_api_version(input);
  const auto json = parse_json(input);
  if (!json) return;
  (void)choose_api_version(*json);
  parse_info(*json);
  parse_listed_container(*json);
  parse_container(*json);
  parse_image(*json);
  parse_event(*json);
}

}  // namespace trimtab::fuzz
