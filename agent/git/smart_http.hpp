// Asking a remote where its refs point over a kept-alive connection of our own, without a process:
// the smart protocol of gitprotocol-http(5), version 2.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/git/protocol_v2.hpp"
#include "agent/git/remote.hpp"
#include "common/http_client.hpp"
#include "common/url.hpp"

namespace trimtab {

// Of one remote and for one loop, which must outlive it. Questions may overlap; one of them then
// has a connection of its own.
class SmartHttp {
 public:
  SmartHttp(GitAccess access, Remote remote);

  // The refs that begin with `prefix`, and maybe others, each tag's peeled object behind it as
  // NAME^{}. Nothing where this remote has to be asked by the program git: over SSH, or since it
  // gave an answer that is not understood here, for an hour. Errors as Git says, but for
  // not_found, which only means the repository.
  Task<Result<std::optional<std::vector<AdvertisedRef>>>> list(std::string prefix);

  // "https, protocol 2", or "git program: WHY"; empty before the first question.
  [[nodiscard]] std::string transport_in_use() const { return asked_by_; }

  // Closes the connection that is kept for the next question.
  void close_idle_connection() { kept_.reset(); }

 private:
  using Refs = std::vector<AdvertisedRef>;

  // invalid and too_large: not to be understood here.
  Task<Result<Refs>> ask(std::string prefix, std::string authorization);
  Task<Result<Advertisement>> discover(std::string authorization);
  // One request and its answer, which is of status 200 and of this content type.
  Task<Result<std::string>> exchange(http::Request request, std::string content_type,
                                     std::string authorization);
  [[nodiscard]] Result<http::Connection> connection() const;
  void leave_to_program(const std::string& why);

  GitAccess access_;
  Remote remote_;
  Result<http::Url> url_;
  std::optional<http::Connection> kept_;  // none while it is in use
  std::optional<Advertisement> server_;   // what it said last; it is the same for all questions
  SteadyClock::time_point program_until_ = SteadyClock::time_point::min();
  std::string asked_by_;
};

}  // namespace trimtab
