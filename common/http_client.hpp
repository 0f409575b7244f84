// An HTTP/1.1 client connection over a Unix socket, TCP, or TLS with certificate verification.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/async.hpp"
#include "common/http.hpp"
#include "common/proxy.hpp"
#include "common/tls_trust.hpp"
#include "common/url.hpp"

namespace trimtab::http {

// Where to connect. Exactly one of `unix_path` and `host` must be set.
struct Endpoint {
  std::string unix_path;
  std::string host;  // name or address; IPv6 without brackets
  std::uint16_t port = 0;
  bool tls = false;
  TlsTrust trust = {};
  Proxy proxy = {};  // for connecting to `host`
};

// The server of `url`, through the proxy that `proxies` configure for it.
Result<Endpoint> endpoint_for(const Url& url, const Proxies& proxies, TlsTrust trust);

struct Limits {
  std::size_t body_bytes = 8 * 1024 * 1024;
  // For one exchange including connecting.
  SteadyClock::duration timeout = std::chrono::seconds(30);
};

// Receives the pieces of a streamed body as they arrive; returning false ends the stream and closes
// the connection.
using OnChunk = std::function<bool(std::string_view chunk)>;

// One connection, opened by the first request and kept alive. If the server has closed the kept
// connection, the request is repeated once on a new one, unless part of a response was received, or
// it is a POST that was written completely. One exchange at a time, on one event loop, which must
// outlive the Connection. Redirects are not followed. Errors: unavailable (cannot connect,
// connection lost), denied (socket permissions), timed_out, untrusted (certificate), too_large,
// invalid (the peer does not speak HTTP or TLS).
class Connection {
 public:
  explicit Connection(Endpoint endpoint);
  ~Connection();
  Connection(Connection&&) noexcept;
  Connection& operator=(Connection&&) noexcept;

  Task<Result<Response>> exchange(Request request, Limits limits);

  // Like exchange, but passes the body of a 2xx response to `on_chunk`, after calling `on_open`
  // once when its head has arrived. Bodies of other responses (bounded) are in the Response.
  // `limits.timeout` bounds connecting and receiving the head. After that the stream may last
  // indefinitely, unless nothing arrives for `idle` (timed_out; duration::max(): no limit). Always
  // uses a connection of its own.
  Task<Result<Response>> stream(Request request, Limits limits, SteadyClock::duration idle,
                                std::function<void()> on_open, OnChunk on_chunk);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace trimtab::http
