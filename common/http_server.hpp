// An HTTP/1.1 server on a Unix socket for a few local clients, or on a TCP address for anybody:
// bounded in every direction.
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

// Who is at the other end, as the kernel says (SO_PEERCRED).
struct Peer {
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 0;
};

struct ServerLimits {
  std::size_t header_bytes = 8 * 1024;
  std::size_t body_bytes = 64 * 1024;
  // One more ends the one that has been silent for the longest time; gets 503 if none is silent.
  std::size_t connections = 64;
  SteadyClock::duration request_timeout = std::chrono::seconds(10);  // to receive one request
  SteadyClock::duration write_timeout =
      std::chrono::seconds(10);                                   // for a client that does not read
  SteadyClock::duration idle_timeout = std::chrono::seconds(60);  // between requests
};

// A streamed answer, open until the streamer returns. The streamer is cancelled, like any task of
// a group, as soon as the client closes its end, so that it may wait for as long as it likes.
class Stream {
 public:
  virtual ~Stream() = default;
  // False once the client did not read within the write timeout or is gone: nothing can be written
  // any more and the streamer must return. Other errors do not exist.
  virtual Task<bool> write(std::string bytes) = 0;
};

// What a handler gives back: a whole answer, or (streamer set) status and headers of a stream whose
// body the streamer then writes.
struct Reply {
  Response response;
  std::function<Task<void>(Stream&)> streamer;
};

using Handler = std::function<Task<Reply>(Request, Peer)>;
// Says whether this peer may talk at all; a refused one gets 403 and is closed.
using Authorizer = std::function<bool(const Peer&)>;

// How a request is gone on with once its head is here. Its body is not kept: whoever may send one
// need not be trusted with our memory.
struct BodySink {
  // An answer that needs no body; the connection ends with it.
  std::optional<Response> at_once;
  // Else each piece of the body is handed to `on_body`, and `at_end` answers.
  std::function<void(std::string_view)> on_body;
  std::function<Response()> at_end;
};

// `head` is a request without its body.
using RequestHeadHandler = std::function<BodySink(const Request& head)>;

// Listens on a Unix socket: removes a stale socket file (nobody answers there), binds, sets mode
// and, where `group` exists, the group. conflict if somebody answers there or the path is no
// socket.
Result<UniqueFd> listen_unix(const std::string& path, unsigned mode, const std::string& group);

// Listens on ADDRESS:PORT (IPv6 in brackets; port 0: one that is free). conflict if the port is
// taken.
Result<UniqueFd> listen_tcp(const std::string& address);

class Server {
 public:
  // `listener` is a listening Unix socket: of listen_unix() or of systemd.
  Server(asio::any_io_executor executor, UniqueFd listener, ServerLimits limits, Authorizer allow,
         Handler handler);
  // `listener` is of listen_tcp().
  Server(asio::any_io_executor executor, UniqueFd listener, ServerLimits limits,
         RequestHeadHandler receiver);
  // stop() and idle() must have been called.
  ~Server();
  // Accepts until stop() or cancellation; survives every error of accept (EMFILE: waits, goes on).
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
