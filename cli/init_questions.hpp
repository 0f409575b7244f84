// The questions of `trimtab init`, answered by options, by people, or by what is proposed.
#pragma once

#include <functional>
#include <string>

#include "common/result.hpp"

namespace trimtab::cli {

struct Question {
  std::string words;     // "Branch"
  std::string option;    // "--ref", which answers it
  std::string given;     // what that option said; empty: not given
  std::string proposal;  // empty: none
  // What is wrong with an answer, empty: nothing. A person is asked again.
  std::function<std::string(const std::string&)> complaint;
};

class Questions {
 public:
  // With `yes`, what is proposed is taken without asking.
  explicit Questions(bool yes);

  // Whether there is a person to ask.
  [[nodiscard]] bool interactive() const { return interactive_; }

  // invalid where an option's answer is wrong, or nobody is there to ask; cancelled where the
  // person ends the input.
  Result<std::string> ask(const Question& question) const;
  // Only where interactive(). Whether "yes" was answered, in full: this is no habit.
  [[nodiscard]] Result<bool> confirm(const std::string& words) const;
  // Only where interactive(). Waits for Enter.
  [[nodiscard]] Result<void> wait(const std::string& words) const;

 private:
  bool yes_;
  bool interactive_;
};

}  // namespace trimtab::cli
