// What the daemon answers (config/openapi.yaml) as lines for people. Plain functions: JSON in,
// lines out, without a newline at their ends. Whatever the JSON holds, the lines are safe to print
// on a terminal; members that are missing leave gaps, never an error.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "cli/layout.hpp"
#include "common/json.hpp"

namespace trimtab::cli {

// `trimtab status`: a table of the stacks, or, where there is one only, all about it.
Lines render_status(const Json& status, const Screen& screen);

// `trimtab status STACK`.
Lines render_stack(const Json& stack, const Screen& screen);

// One line of what matters, without ages: it changes only when something happens.
std::string summary_line(const Json& stack);

// `trimtab plan STACK`.
Lines render_plan(const Json& plan, const Screen& screen);

// `trimtab history STACK`.
Lines render_history(const Json& answer, const Screen& screen);

// `trimtab show STACK RELEASE`.
Lines render_release(const std::string& stack, const Json& release, const Screen& screen);

// One line of `trimtab events`.
std::string render_event(const Json& event, const Screen& screen);

// How a deploy goes, for `trimtab deploy --wait`.
//
// The width of its labels.
constexpr std::size_t deploy_label = 11;
// `shop: release 44 (c0ffee1 "Refactor settings")`
std::string deploy_heading(const std::string& stack, const Json& release);
// Lines of the phases from number `done` on that others have followed; counts them in `done`.
// `pulled_bytes`: what was seen to be pulled, 0 if unknown.
Lines ended_phases(const Json& release, std::int64_t pulled_bytes, const Screen& screen,
                   std::size_t& done);
// The phase in flight, with the bytes pulled or the services' health; one or more lines.
Lines live_phase(const Json& deployment, std::size_t label_width, const Screen& screen);
// The end: `request` is the stack's last_request, `release` may be empty.
Lines deploy_outcome(const std::string& stack, const Json& request, const Json& release,
                     const Screen& screen);

// Parts that several of them share.
std::string short_commit(const std::string& commit);     // 7 digits
std::string short_digest_of(const std::string& digest);  // 9ab13e…
// "12 s ago", "just now", "never".
std::string age(const Json& object, std::string_view key, const Screen& screen);
// A member as one harmless line.
std::string words(const Json& object, std::string_view key);
// The strings of an array, each as one harmless line.
std::vector<std::string> word_list(const Json& object, std::string_view key);
// A member in seconds.
std::chrono::milliseconds duration_of(const Json& object, std::string_view key);
// "rolled_back" is a value, "rolled back" a word.
std::string spaced(std::string value);
// A release's failure: the reason, then for each service its reason and the end of its log.
Lines render_failure(const Json& failure, std::size_t indent, const Screen& screen);

}  // namespace trimtab::cli
