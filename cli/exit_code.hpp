#pragma once

#include "common/result.hpp"

namespace trimtab::cli {

constexpr int exit_done = 0;
constexpr int exit_failed = 1;
constexpr int exit_usage = 2;      // usage or configuration error
constexpr int exit_no_answer = 3;  // the daemon does not answer
constexpr int exit_rejected = 4;   // the deploy was rejected or rolled back

// The exit code for an error returned by Client.
int exit_code(Errc code);

}  // namespace trimtab::cli
