#pragma once

#include "common/result.hpp"

namespace trimtab::cli {

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;     // usage or configuration
constexpr int kNoAnswer = 3;  // the daemon does not answer
constexpr int kRejected = 4;  // the deploy was rejected or rolled back

// Of an error that the Client gives.
int exit_code(Errc code);

}  // namespace trimtab::cli
