// Which stack has which of Compose's projects: a project's containers and volumes are one stack's.
#pragma once

#include <map>
#include <string>

namespace trimtab {

class Projects {
 public:
  // The stack has this project from now on, and no other, unless another stack has it: then gives
  // that stack's name, and "" otherwise.
  std::string claim(const std::string& project, const std::string& stack);
  void release(const std::string& stack);
  // The other stack that has the project; "": none.
  [[nodiscard]] std::string other_holder(const std::string& project,
                                         const std::string& stack) const;

 private:
  std::map<std::string, std::string> holders_;  // project → stack
};

}  // namespace trimtab
