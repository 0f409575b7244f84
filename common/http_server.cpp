// More than 400 lines, because accepting, sessions and streams share limits and the list of silent
// clients; the parser is in http_parser.hpp.
#include "common/http_server.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <list>
#include <optional>
#include <vector>

#include "common/http_parser.hpp"
#include "common/log.hpp"
#include "common/number.hpp"
#include "common/task_scope.hpp"

namespace trimtab::http {

namespace {

using boost::system::error_code;
// For Unix and TCP sockets alike, since connections are handled the same way.
using Protocol = asio::generic::stream_protocol;
using Socket = Protocol::socket;
using Acceptor = asio::basic_socket_acceptor<Protocol>;
using Parser = MessageParser<true>;

constexpr std::size_t server_read_bytes = 8 * 1024;
// How long and how many bytes a refused client may keep sending before the connection is closed;
// otherwise it would see "broken pipe" instead of the reason.
constexpr auto linger_time = std::chrono::seconds(1);
constexpr std::size_t linger_bytes = 1024 * 1024;

Result<sockaddr_un> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return Error{Errc::invalid, path + ": too long for a socket's path", {}};
  }
  std::copy(path.begin(), path.end(), std::begin(address.sun_path));
  return address;
}

const sockaddr* generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

// Removes a stale socket, so that the path is free for bind().
Result<void> remove_stale_socket(const std::string& path, const sockaddr_un& address) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return Result<void>();
    return os_error("access", path, errno);
  }
  if (!S_ISSOCK(status.st_mode)) {
    return Error{Errc::conflict, path + ": exists and is not a socket", "move it away"};
  }
  UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe.valid()) return os_error("create a socket for", path, errno);
  const bool nobody = ::connect(probe.get(), generic(address), sizeof(address)) != 0 &&
                      (errno == ECONNREFUSED || errno == ENOENT);
  if (!nobody) {
    return Error{Errc::conflict, path + ": another program listens there",
                 "is another trimtabd running?"};
  }
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return os_error("remove", path, errno);
  return Result<void>();
}

std::string head_of(const Response& response, std::string_view framing, bool keep_alive) {
  std::string head = fmt::format("HTTP/1.1 {} ", response.status);
  head += status_text(response.status);
  head += "\r\n";
  for (const auto& [name, value] : response.headers) head += name + ": " + value + "\r\n";
  head += framing;
  if (!keep_alive) head += "Connection: close\r\n";
  head += "\r\n";
  return head;
}

std::string whole(const Response& response, bool keep_alive, bool with_body) {
  const std::string length = fmt::format("Content-Length: {}\r\n", response.body.size());
  std::string wire = head_of(response, length, keep_alive);
  if (with_body) wire += response.body;
  return wire;
}

// The response to a request that could not be parsed.
Response refusal(const error_code& ec) {
  namespace beast_http = boost::beast::http;
  if (ec == beast_http::error::header_limit) {
    return problem(431, "the request's header is too large");
  }
  if (ec == beast_http::error::body_limit) return problem(413, "the request's body is too large");
  return problem(400, "not an HTTP/1.1 request: " + ec.message());
}

// What answers requests: allow and handler for clients on the Unix socket, otherwise the receiver.
struct Service {
  Authorizer allow;
  Handler handler;
  RequestHeadHandler head_handler;
};

class Session;
// Sessions whose client has not sent a complete request, the longest waiting one first.
using Waiting = std::list<Session*>;

// More than 15 members: the steps of one connection, which share its buffers and deadlines.
class Session {
 public:
  Session(Socket socket, const ServerLimits& limits, Waiting& waiting)
      : socket_(std::move(socket)),
        limits_(limits),
        waiting_(waiting),
        buffer_(limits.header_bytes + limits.body_bytes) {}
  ~Session() { waiting_.remove(this); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Task<void> run(const Service& service);
  // Writes within the write timeout. After a failure the session is over.
  Task<bool> write(std::string bytes);
  void hang_up() {
    error_code ignored;
    socket_.shutdown(Socket::shutdown_both, ignored);
  }

 private:
  Task<Result<void>> wait_for_bytes();
  // Returns a response if the request is rejected for its form or answered by its head alone.
  Task<Result<std::optional<Response>>> read_request(Parser& parser,
                                                     const RequestHeadHandler& head_handler,
                                                     BodySink& sink);
  std::optional<Response> receive(Parser& parser, const RequestHeadHandler& head_handler,
                                  BodySink& sink);
  Task<void> stream(Reply reply, bool chunked);
  Task<void> until_closed();
  Task<void> linger();
  Task<Result<void>> discard(std::size_t count);

  Socket socket_;
  const ServerLimits& limits_;
  Waiting& waiting_;
  boost::beast::flat_buffer buffer_;
};

class ReplyStream final : public Stream {
 public:
  ReplyStream(Session& session, bool chunked) : session_(session), chunked_(chunked) {}

  Task<bool> write(std::string bytes) override {
    // An empty chunk would end the body.
    if (!open_ || bytes.empty()) co_return open_;
    if (chunked_) {
      std::array<char, 20> size{};
      const int digits = std::snprintf(size.data(), size.size(), "%zx\r\n", bytes.size());
      bytes.insert(0, size.data(), static_cast<std::size_t>(digits));
      bytes += "\r\n";
    }
    open_ = co_await session_.write(std::move(bytes));
    co_return open_;
  }

 private:
  Session& session_;
  bool chunked_;
  bool open_ = true;
};

Task<Result<void>> write_all(Socket& socket, const std::string& bytes) {
  error_code ec;
  co_await asio::async_write(socket, asio::buffer(bytes),
                             asio::redirect_error(asio::use_awaitable, ec));
  if (ec) co_return Error{Errc::unavailable, "the client is gone: " + ec.message(), {}};
  co_return Result<void>();
}

Task<bool> Session::write(std::string bytes) {
  auto writing = write_all(socket_, bytes);
  const auto deadline = SteadyClock::now() + limits_.write_timeout;
  auto written = co_await with_deadline(deadline, "writing to a client", std::move(writing));
  if (written) co_return true;
  spdlog::debug("http server: {}", written.error().message);
  co_return false;
}

Task<Result<void>> Session::wait_for_bytes() {
  error_code ec;
  co_await socket_.async_wait(Socket::wait_read, asio::redirect_error(asio::use_awaitable, ec));
  if (ec) co_return Error{Errc::cancelled, ec.message(), {}};
  co_return Result<void>();
}

std::optional<Response> Session::receive(Parser& parser, const RequestHeadHandler& head_handler,
                                         BodySink& sink) {
  Request head{parser.method, parser.target, std::move(parser.headers), {}};
  sink = head_handler(head);
  if (sink.at_once) return std::move(sink.at_once);
  const auto length = parser.content_length();
  if (length && *length > limits_.body_bytes) {
    return refusal(boost::beast::http::error::body_limit);
  }
  parser.pass_body_to([&sink, left = limits_.body_bytes](std::string_view piece) mutable {
    if (piece.size() > left) return false;
    left -= piece.size();
    sink.on_body(piece);
    return true;
  });
  return std::nullopt;
}

Task<Result<std::optional<Response>>> Session::read_request(Parser& parser,
                                                            const RequestHeadHandler& head_handler,
                                                            BodySink& sink) {
  bool received = false;
  for (;;) {
    error_code ec = parser.feed(buffer_);
    if (head_handler && !received && parser.is_header_done()) {
      received = true;
      std::optional<Response> answer = receive(parser, head_handler, sink);
      if (answer) co_return answer;
    }
    if (parser.is_done()) co_return std::optional<Response>();
    if (!ec) continue;
    if (parser.refused_body) ec = boost::beast::http::error::body_limit;
    if (ec != boost::beast::http::error::need_more) co_return std::optional(refusal(ec));
    const std::size_t room = buffer_.max_size() - buffer_.size();
    if (room == 0) co_return std::optional(refusal(boost::beast::http::error::header_limit));
    const auto space = buffer_.prepare(std::min(room, server_read_bytes));
    ec = {};
    const std::size_t count =
        co_await socket_.async_read_some(space, asio::redirect_error(asio::use_awaitable, ec));
    buffer_.commit(count);
    if (ec) co_return Error{Errc::unavailable, "the client is gone: " + ec.message(), {}};
  }
}

Task<void> Session::until_closed() {
  std::array<char, 256> ignored{};
  error_code ec;
  while (!ec) {
    co_await socket_.async_read_some(asio::buffer(ignored),
                                     asio::redirect_error(asio::use_awaitable, ec));
  }
}

Task<void> Session::stream(Reply reply, bool chunked) {
  const std::string framing = chunked ? "Transfer-Encoding: chunked\r\n" : "";
  std::string head = head_of(reply.response, framing, false);
  const bool begun = co_await write(std::move(head));
  if (!begun) co_return;
  ReplyStream stream(*this, chunked);
  auto body = asio::co_spawn(socket_.get_executor(), reply.streamer(stream), asio::deferred);
  auto gone = asio::co_spawn(socket_.get_executor(), until_closed(), asio::deferred);
  auto both = asio::experimental::make_parallel_group(std::move(body), std::move(gone));
  auto first = both.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
  const auto outcome = co_await std::move(first);
  const std::exception_ptr& failure = std::get<1>(outcome);
  rethrow_defect(failure);
  const bool ended = std::get<0>(outcome)[0] == 0 && !failure;
  std::string last_chunk = "0\r\n\r\n";
  if (ended && chunked) co_await write(std::move(last_chunk));
}

Task<Result<void>> Session::discard(std::size_t count) {
  std::vector<char> ignored(server_read_bytes);
  error_code ec;
  while (!ec && count > 0) {
    const std::size_t got = co_await socket_.async_read_some(
        asio::buffer(ignored), asio::redirect_error(asio::use_awaitable, ec));
    count -= std::min(got, count);
  }
  co_return Result<void>();
}

Task<void> Session::linger() {
  error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
  auto discarding = discard(linger_bytes);
  const auto deadline = SteadyClock::now() + linger_time;
  auto done = co_await with_deadline(deadline, "waiting for a client", std::move(discarding));
  if (!done) spdlog::debug("http server: {}", done.error().message);
}

std::optional<Peer> peer_of(Socket& socket) {
  ucred credentials{};
  socklen_t size = sizeof(credentials);
  if (::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    spdlog::warn("http server: cannot tell who is connecting: {}", std::strerror(errno));
    return std::nullopt;
  }
  return Peer{credentials.uid, credentials.gid, credentials.pid};
}

Task<void> Session::run(const Service& service) {
  std::optional<Peer> peer;
  if (service.handler && !(peer = peer_of(socket_))) co_return;
  if (peer && !service.allow(*peer)) {
    // Before anything is read: what a stranger sends is not even parsed.
    spdlog::warn("http server: refused uid {} (pid {})", peer->uid, peer->pid);
    std::string answer = whole(problem(403, "this user may not access trimtab"), false, true);
    const bool told = co_await write(std::move(answer));
    if (told) co_await linger();
    co_return;
  }
  for (bool first = true;; first = false) {
    waiting_.push_back(this);
    if (!first && buffer_.size() == 0) {
      auto waiting = wait_for_bytes();
      const auto deadline = SteadyClock::now() + limits_.idle_timeout;
      auto more = co_await with_deadline(deadline, "idle client", std::move(waiting));
      if (!more) co_return;
    }
    Parser parser(limits_.header_bytes, limits_.body_bytes);
    BodySink sink;
    auto reading = read_request(parser, service.head_handler, sink);
    const auto deadline = SteadyClock::now() + limits_.request_timeout;
    auto read = co_await with_deadline(deadline, "reading a request", std::move(reading));
    if (!read) co_return;  // the client is gone or too slow
    waiting_.remove(this);
    std::optional<Response> refused = std::move(*read);
    if (refused) {
      std::string answer = whole(*refused, false, parser.method != "HEAD");
      const bool told = co_await write(std::move(answer));
      if (told) co_await linger();
      co_return;
    }
    const bool keep_alive = parser.keep_alive();
    const bool is_head = parser.method == "HEAD";
    Reply reply;
    if (peer) {
      Request request{parser.method, parser.target, std::move(parser.headers),
                      std::move(parser.body)};
      reply = co_await service.handler(std::move(request), *peer);
    } else {
      reply.response = sink.at_end();
    }
    if (reply.streamer && !is_head) {
      co_await stream(std::move(reply), parser.version >= 11);
      co_return;
    }
    std::string answer = whole(reply.response, keep_alive, !is_head);
    const bool written = co_await write(std::move(answer));
    if (!written || !keep_alive) co_return;
  }
}

}  // namespace

Result<UniqueFd> listen_unix(const std::string& path, unsigned mode, const std::string& group) {
  auto address = unix_address(path);
  if (!address) return address.error();
  auto removed = remove_stale_socket(path, *address);
  if (!removed) return removed.error();
  UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener.valid()) return os_error("create a socket for", path, errno);
  // Not listening yet: nobody may connect before mode and group are set.
  if (::bind(listener.get(), generic(*address), sizeof(*address)) != 0) {
    return os_error("bind to", path, errno);
  }
  if (::chmod(path.c_str(), mode) != 0) return os_error("set the mode of", path, errno);
  const ::group* entry = group.empty() ? nullptr : ::getgrnam(group.c_str());
  if (entry != nullptr && ::chown(path.c_str(), static_cast<uid_t>(-1), entry->gr_gid) != 0) {
    return os_error("set the group of", path, errno);
  }
  if (::listen(listener.get(), SOMAXCONN) != 0) return os_error("listen on", path, errno);
  return listener;
}

Result<UniqueFd> listen_tcp(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  std::optional<std::uint16_t> port;
  if (colon != std::string::npos) port = parse_number<std::uint16_t>(address.substr(colon + 1));
  error_code ec;
  const auto ip = asio::ip::make_address(host, ec);
  if (!port || ec) {
    return Error{Errc::invalid, address + ": not an ADDRESS:PORT to listen on", {}};
  }
  const asio::ip::tcp::endpoint endpoint(ip, *port);
  UniqueFd listener(::socket(endpoint.protocol().family(),
                             SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
  if (!listener.valid()) return os_error("create a socket for", address, errno);
  // Connections of a previous process in TIME_WAIT must not block the port.
  const int on = 1;
  ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  const bool listens =
      ::bind(listener.get(), endpoint.data(), static_cast<socklen_t>(endpoint.size())) == 0 &&
      ::listen(listener.get(), SOMAXCONN) == 0;
  if (listens) return listener;
  switch (errno) {
    case EADDRINUSE:
      return Error{Errc::conflict,
                   fmt::format("cannot listen on {}: another program does", address),
                   "`ss -ltnp` shows which"};
    case EADDRNOTAVAIL:
      return Error{Errc::unavailable,
                   fmt::format("cannot listen on {}: this host does not have the address", address),
                   "`ip address` shows what it has"};
    case EACCES:
      return Error{Errc::denied, fmt::format("cannot listen on {}: not allowed", address),
                   "choose a port above 1023"};
    default:
      return os_error("listen on", address, errno);
  }
}

struct Server::Impl {
  Acceptor acceptor;
  ServerLimits limits;
  Service service;
  TaskGroup sessions;
  Waiting waiting;

  Task<void> serve(Socket socket) {
    Session session(std::move(socket), limits, waiting);
    co_await session.run(service);
  }

  // Clients that send nothing must not keep out one that does.
  bool make_room() {
    if (waiting.empty()) return false;
    waiting.front()->hang_up();
    waiting.pop_front();
    return true;
  }
};

namespace {

// Tries once, without waiting: a refused client must not cost a session.
void reject_connection(Socket socket) {
  const std::string busy = whole(problem(503, "too many connections"), false, true);
  error_code ec;
  socket.non_blocking(true, ec);
  if (!ec) socket.write_some(asio::buffer(busy), ec);
}

}  // namespace

Server::Server(asio::any_io_executor executor, UniqueFd listener, ServerLimits limits,
               Authorizer allow, Handler handler)
    : impl_(new Impl{Acceptor(executor, Protocol(AF_UNIX, 0), listener.release()), limits,
                     Service{std::move(allow), std::move(handler), {}}, TaskGroup(executor),
                     Waiting()}) {}

Server::Server(asio::any_io_executor executor, UniqueFd listener, ServerLimits limits,
               RequestHeadHandler head_handler)
    : impl_(new Impl{Acceptor(executor, Protocol(AF_INET, IPPROTO_TCP), listener.release()), limits,
                     Service{{}, {}, std::move(head_handler)}, TaskGroup(executor), Waiting()}) {}

Server::~Server() = default;

Task<void> Server::run() {
  Impl& impl = *impl_;
  while (impl.acceptor.is_open()) {
    error_code ec;
    Socket socket =
        co_await impl.acceptor.async_accept(asio::redirect_error(asio::use_awaitable, ec));
    if (ec == asio::error::operation_aborted) co_return;
    if (ec) {
      spdlog::warn("http server: cannot accept a connection: {}", ec.message());
      auto waited = co_await sleep_for(std::chrono::milliseconds(100));
      if (!waited) co_return;
      continue;
    }
    if (impl.sessions.size() >= impl.limits.connections && !impl.make_room()) {
      reject_connection(std::move(socket));
      continue;
    }
    impl.sessions.spawn("api session", impl.serve(std::move(socket)));
  }
}

void Server::stop() {
  error_code ignored;
  impl_->acceptor.close(ignored);
  impl_->sessions.cancel();
}

Task<void> Server::idle() {
  return impl_->sessions.idle();
}

}  // namespace trimtab::http
