// A script of tests/lib that starts servers, says in a line of JSON where they are, and then obeys
// commands, one a line, until its standard input closes.
#pragma once

#include <sys/types.h>

#include <string>

#include "common/files.hpp"
#include "common/json.hpp"

namespace trimtab::test {

class ServerScript {
 public:
  // Returns once the servers answer. Throws where they do not.
  explicit ServerScript(const std::string& name);
  ServerScript(const ServerScript&) = delete;
  ServerScript& operator=(const ServerScript&) = delete;
  // Stops the servers and waits for that.
  ~ServerScript();

  // What it said at the start.
  [[nodiscard]] const Json& about() const { return about_; }
  // Its answer to a command.
  Json command(const std::string& line);

 private:
  Json read_line();

  pid_t child_ = -1;
  UniqueFd input_;
  UniqueFd output_;
  std::string buffered_;
  Json about_;
};

}  // namespace trimtab::test
