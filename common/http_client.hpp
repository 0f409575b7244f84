// An HTTP/1.1 client connection: Unix socket, TCP, or TLS with verified certificates.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/async.hpp"
#include "common/http.hpp"
#include "common/proxy.hpp"
#include "common/url.hpp"

namespace trimtab::http {

// Where to connect. Exactly one of `unix_path` and `host` is set.
struct Endpoint {
  std::string unix_path;
  std::string host;  // a name or an address; IPv6 without brackets
  std::uint16_t port = 0;
  bool tls = false;
  std::string ca_file;  // PEM file trusted besides the system's store; empty: the store alone
  Proxy proxy = {};     // of `host`
};

// The server of `url`, by the proxy that `proxies` name for it.
Result<Endpoint> endpoint_for(const Url& url, const Proxies& proxies, std::string ca_file);

struct Limits {
  std::size_t body_bytes = 8 * 1024 * 1024;
  // Of one exchange, connecting included. Resolving a name cannot be interrupted and may end later.
  SteadyClock::duration timeout = std::chrono::seconds(30);
};

// Gets the pieces of a streamed body as they arrive; false ends the stream (and the connection).
using OnChunk = std::function<bool(std::string_view chunk)>;

// One connection, opened by the first request and kept alive; a request on a connection that the
// other side has closed meanwhile is sent once more on a new one, unless bytes of an answer were
// seen, or it is a POST that was written whole. One exchange at a time, all on one loop, which must
// outlive the Connection; redirects are answers like others. Errors: unavailable (cannot connect,
// cut), denied (the socket's permissions), timed_out, untrusted (certificate), too_large, invalid
// (not HTTP or not TLS at the other end).
class Connection {
 public:
  explicit Connection(Endpoint endpoint);
  ~Connection();
  Connection(Connection&&) noexcept;
  Connection& operator=(Connection&&) noexcept;

  Task<Result<Response>> exchange(Request request, Limits limits);

  // Like exchange, but a 2xx answer's body goes to `on_chunk`, after `on_open` was called once when
  // its head had arrived; other answers' bodies (bounded) are in the Response. `limits.timeout`
  // bounds connecting and the head. Then the stream may last for ever, unless nothing arrives for
  // `idle` (timed_out; duration::max(): never). Always on a connection of its own.
  Task<Result<Response>> stream(Request request, Limits limits, SteadyClock::duration idle,
                                std::function<void()> on_open, OnChunk on_chunk);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace trimtab::http
