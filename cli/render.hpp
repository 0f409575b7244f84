// Renders the daemon's responses (config/openapi.yaml) as lines for the user. Pure: takes JSON and
// returns lines without trailing newlines. The lines are safe to print on a terminal whatever the
// JSON contains; missing members leave gaps and are never an error.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "cli/layout.hpp"
#include "common/json.hpp"

namespace trimtab::cli {

// `trimtab status`: a table of the stacks or, if there is only one, its details.
Lines render_status(const Json& status, const Screen& screen);

// `trimtab status STACK`.
Lines render_stack(const Json& stack, const Screen& screen);

// One line with the essentials but without ages, so that it changes only when something happens.
std::string summary_line(const Json& stack);

// `trimtab plan STACK`.
Lines render_plan(const Json& plan, const Screen& screen);

// `trimtab history STACK`.
Lines render_history(const Json& answer, const Screen& screen);

// `trimtab show STACK RELEASE`.
Lines render_release(const std::string& stack, const Json& release, const Screen& screen);

// One line of `trimtab events`.
std::string render_event(const Json& event, const Screen& screen);

// Progress of a deployment, for `trimtab deploy --wait`.
//
// Width of its labels.
constexpr std::size_t deploy_label = 11;
// `shop: release 44 (c0ffee1 "Refactor settings")`
std::string deploy_heading(const std::string& stack, const Json& release);
// Lines for the phases from index `done` on that have ended; advances `done` past them.
// `pulled_bytes`: bytes pulled so far, 0 if unknown.
Lines ended_phases(const Json& release, std::int64_t pulled_bytes, const Screen& screen,
                   std::size_t& done);
// The current phase, with the bytes pulled or the services' health; one or more lines.
Lines live_phase(const Json& deployment, std::size_t label_width, const Screen& screen);
// The result. `request` is the stack's last_request; `release` may be empty.
Lines deploy_outcome(const std::string& stack, const Json& request, const Json& release,
                     const Screen& screen);

// Helpers shared by several of them.
std::string short_commit(const std::string& commit);     // 7 digits
std::string short_digest_of(const std::string& digest);  // 9ab13e…
// Returns "12 s ago", "just now" or "never".
std::string age(const Json& object, std::string_view key, const Screen& screen);
// Returns a member as one line that is safe to print.
std::string words(const Json& object, std::string_view key);
// Returns the strings of an array, each as one line that is safe to print.
std::vector<std::string> word_list(const Json& object, std::string_view key);
// Reads a member that is in seconds.
std::chrono::milliseconds duration_of(const Json& object, std::string_view key);
// Converts the value "rolled_back" to the words "rolled back".
std::string spaced(std::string value);
// A release's failure: its reason, then each service with its reason and the end of its log.
Lines render_failure(const Json& failure, std::size_t indent, const Screen& screen);

}  // namespace trimtab::cli
