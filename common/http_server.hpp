// An HTTP/1.1 server on a Unix socket for a few local clients, or on a TCP address for anyone, with
// limits on everything.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/async.hpp"
#include "common/files.hpp"
#include "common/http.hpp"

namespace trimtab::http {

// The process at the other end, according to the kernel (SO_PEERCRED).
struct Peer {
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 0;
};

struct ServerLimits {
  std::size_t header_bytes = 8 * 1024;
  std::size_t body_bytes = 64 * 1024;
  // At the limit, a new connection closes the one that has been silent longest; if none is, it gets
  // 503.
  std::size_t connections = 64;
  SteadyClock::duration request_timeout = std::chrono::seconds(10);  // for receiving one request
  // For a client that does not read.
  SteadyClock::duration write_timeout = std::chrono::seconds(10);
  SteadyClock::duration idle_timeout = std::chrono::seconds(60);  // between requests
};

// A streamed response, open until the streamer returns. The streamer is cancelled as soon as the
// client closes the connection, so it may wait indefinitely.
class Stream {
 public:
  virtual ~Stream() = default;
  // Returns false if the client did not read within the write timeout or is gone; the streamer must
  // then return, since nothing can be written any more. There are no other errors.
  virtual Task<bool> write(std::string bytes) = 0;
};

// A handler's result: a complete response or, if streamer is set, the status and headers of a
// stream whose body the streamer writes.
struct Reply {
  Response response;
  std::function<Task<void>(Stream&)> streamer;
};

using Handler = std::function<Task<Reply>(Request, Peer)>;
// Returns whether this peer may connect at all; otherwise it gets 403 and is disconnected.
using Authorizer = std::function<bool(const Peer&)>;

// How to process a request after its head has arrived. Its body is not stored, so that untrusted
// clients cannot use up memory.
struct BodySink {
  // A response that does not need the body; the connection is closed after it.
  std::optional<Response> at_once;
  // Otherwise receives each piece of the body; `at_end` then returns the response.
  std::function<void(std::string_view)> on_body;
  std::function<Response()> at_end;
};

// `head` is the request without its body.
using RequestHeadHandler = std::function<BodySink(const Request& head)>;

// Listens on a Unix socket: removes a stale socket file (one on which nobody listens), binds, and
// sets the mode and, if `group` exists, the group. conflict if somebody listens there or the path
// is not a socket.
Result<UniqueFd> listen_unix(const std::string& path, unsigned mode, const std::string& group);

// Listens on ADDRESS:PORT (IPv6 in brackets; port 0: any free one). conflict if the port is taken.
Result<UniqueFd> listen_tcp(const std::string& address);

class Server {
 public:
  // `listener` is a listening Unix socket from listen_unix() or systemd.
  Server(asio::any_io_executor executor, UniqueFd listener, ServerLimits limits, Authorizer allow,
         Handler handler);
  // `listener` comes from listen_tcp().
  Server(asio::any_io_executor executor, UniqueFd listener, ServerLimits limits,
         RequestHeadHandler head_handler);
  // Requires that stop() was called and idle() has completed.
  ~Server();
  // Accepts connections until stop() or cancellation. Survives all errors of accept (on EMFILE it
  // waits and continues).
  Task<void> run();
  // Ends run() and all sessions.
  void stop();
  // Completes when no session is left.
  Task<void> idle();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace trimtab::http
