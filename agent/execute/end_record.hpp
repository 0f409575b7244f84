// What is recorded of an attempt that has ended. Pure, but for write_end().
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "agent/execute/phase_machine.hpp"
#include "agent/record/store.hpp"

namespace trimtab {

struct EndRecordInput {
  AttemptEnd end = AttemptEnd::committed;
  const Attempt* attempt = nullptr;
  const Release* release = nullptr;   // the one that it was about
  const Release* fallback = nullptr;  // null: there was none
  const Release* left = nullptr;  // whose files the live directory had when it began; null: none
  std::chrono::milliseconds probation{0};
  WallTime now;
};

struct EndRecord {
  Release release;                    // as it is recorded now
  std::optional<Release> left;        // likewise, where an operator has gone back from it
  std::optional<Release> runs_again;  // likewise, where it was replaced while on probation
  std::vector<std::string> rejects;   // content keys
  std::string pardons;                // content key; "": none
};

EndRecord end_record_of(const EndRecordInput& input);

// Writes it and closes the journal. May be repeated. Errors: those of writing; not_found where the
// release is gone.
Result<void> write_end(Store& store, AttemptEnd end, const Attempt& attempt,
                       std::chrono::milliseconds probation);

}  // namespace trimtab
