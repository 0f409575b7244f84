// Resolves a remote's refs over a kept-alive HTTP connection, without starting git: the smart
// protocol of gitprotocol-http(5), version 2.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/git/protocol_v2.hpp"
#include "agent/git/remote.hpp"
#include "common/http_client.hpp"
#include "common/url.hpp"

namespace trimtab {

// For one remote, on one event loop, which must outlive it. Calls may overlap; the later one then
// uses a connection of its own.
//
// More than 15 members: the steps of one request, with the connection and the negotiated state that
// are kept for the next.
class SmartHttp {
 public:
  SmartHttp(GitAccess access, Remote remote);

  // Returns the refs that begin with `prefix`, and possibly others; a tag's peeled object follows
  // it as NAME^{}. Returns nothing if the git program must be used instead: for SSH and local
  // remotes, and for one hour after a response that could not be understood. Errors as for Git,
  // except that not_found only means the repository.
  Task<Result<std::optional<std::vector<AdvertisedRef>>>> list(std::string prefix);

  // "https, protocol 2", or "git program: REASON"; empty before the first request.
  [[nodiscard]] std::string transport_in_use() const { return transport_; }

  // Closes the connection that is kept alive for the next request.
  void close_idle_connection() { kept_.reset(); }

 private:
  using Refs = std::vector<AdvertisedRef>;

  // invalid and too_large mean that the git program must be used instead.
  Task<Result<Refs>> ask(std::string prefix, std::string authorization);
  Task<Result<Advertisement>> discover(std::string authorization);
  // Sends one request. Fails unless the response has status 200 and this content type.
  Task<Result<std::string>> exchange(http::Request request, std::string content_type,
                                     std::string authorization);
  [[nodiscard]] Result<http::Connection> connection() const;
  void leave_to_program(const std::string& why);

  GitAccess access_;
  Remote remote_;
  Result<http::Url> url_;
  std::optional<http::Connection> kept_;  // none while in use
  std::optional<Advertisement> server_;   // last advertisement; the same for every request
  SteadyClock::time_point program_until_ = SteadyClock::time_point::min();
  std::string transport_;
};

}  // namespace trimtab
