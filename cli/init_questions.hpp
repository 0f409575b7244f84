// The questions of `trimtab init`, answered by options, by the user or by the proposed value.
#pragma once

#include <functional>
#include <string>

#include "common/result.hpp"

namespace trimtab::cli {

struct Question {
  std::string words;     // "Branch"
  std::string option;    // option that answers it: "--ref"
  std::string given;     // value of that option; empty: not given
  std::string proposal;  // empty: none
  // Returns what is wrong with an answer; empty: nothing. The user is asked again.
  std::function<std::string(const std::string&)> complaint;
};

class Questions {
 public:
  // With `yes`, proposed values are accepted without asking.
  explicit Questions(bool yes);

  // Whether there is a user to ask.
  [[nodiscard]] bool interactive() const { return interactive_; }

  // invalid if an option's value is wrong or there is nobody to ask; cancelled at the end of the
  // input.
  Result<std::string> ask(const Question& question) const;
  // Requires interactive(). Whether the user typed "yes" in full, which prevents confirming out of
  // habit.
  [[nodiscard]] Result<bool> confirm(const std::string& words) const;
  // Requires interactive(). Waits for Enter.
  [[nodiscard]] Result<void> wait(const std::string& words) const;

 private:
  bool yes_;
  bool interactive_;
};

}  // namespace trimtab::cli
