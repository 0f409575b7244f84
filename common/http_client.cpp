// More than 400 lines, because connecting (addresses, proxy, TLS) and exchanging messages share one
// deadline and one set of errors; the parser is in http_parser.hpp.
#include "common/http_client.hpp"

#include <fmt/core.h>
#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <deque>
#include <optional>
#include <vector>

#include "common/hash.hpp"
#include "common/http_parser.hpp"
#include "common/resolver.hpp"
#include "common/tls_stream.hpp"

namespace trimtab::http {

namespace {

using asio::ip::tcp;
using boost::system::error_code;
using LocalSocket = asio::local::stream_protocol::socket;

// For name resolution, proxy and TLS together. Later steps have the rest of the exchange's timeout.
constexpr std::chrono::seconds connect_time{15};
constexpr std::chrono::milliseconds attempt_delay{250};
constexpr std::size_t max_addresses = 8;
constexpr std::size_t header_bytes = 64 * 1024;
constexpr std::size_t read_bytes = 16 * 1024;
// Also bounds what the header limit does not cover: chunk extensions and trailers.
constexpr std::size_t buffer_bytes = header_bytes + read_bytes;

// Saturates, because duration::max() would overflow.
SteadyClock::time_point after(SteadyClock::duration duration) {
  const auto now = SteadyClock::now();
  const bool never = duration > SteadyClock::time_point::max() - now;
  return never ? SteadyClock::time_point::max() : now + duration;
}

// A connected byte stream. Destroying it closes it.
class Transport {
 public:
  virtual ~Transport() = default;
  virtual Task<std::size_t> read_some(asio::mutable_buffer into, error_code& ec) = 0;
  virtual Task<void> write(asio::const_buffer bytes, error_code& ec) = 0;
};

template <class Stream>
class StreamTransport final : public Transport {
 public:
  explicit StreamTransport(Stream stream) : stream_(std::move(stream)) {}

  Task<std::size_t> read_some(asio::mutable_buffer into, error_code& ec) override {
    co_return co_await stream_.async_read_some(into, asio::redirect_error(asio::use_awaitable, ec));
  }
  Task<void> write(asio::const_buffer bytes, error_code& ec) override {
    co_await asio::async_write(stream_, bytes, asio::redirect_error(asio::use_awaitable, ec));
  }

 private:
  Stream stream_;
};

class TlsTransport final : public Transport {
 public:
  explicit TlsTransport(std::unique_ptr<TlsStream> stream) : stream_(std::move(stream)) {}

  Task<std::size_t> read_some(asio::mutable_buffer into, error_code& ec) override {
    return stream_->read_some(into, ec);
  }
  Task<void> write(asio::const_buffer bytes, error_code& ec) override {
    return stream_->write(bytes, ec);
  }

 private:
  std::unique_ptr<TlsStream> stream_;
};

// A request and its response, as far as it has been read.
struct Exchange {
  std::unique_ptr<Transport> transport;
  boost::beast::flat_buffer buffer{buffer_bytes};
  std::optional<MessageParser<false>> parser;
};

std::string authority(const Endpoint& endpoint) {
  if (!endpoint.unix_path.empty()) return "localhost";
  return authority_of(endpoint.tls, endpoint.host, endpoint.port);
}

std::string place(const Endpoint& endpoint) {
  return endpoint.unix_path.empty() ? authority(endpoint) : endpoint.unix_path;
}

bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
  });
}

std::string proxy_authorization(const Proxy& proxy) {
  if (proxy.credentials.empty()) return {};
  return fmt::format("Proxy-Authorization: Basic {}\r\n", base64_encode(proxy.credentials));
}

// Serializes the request; invalid if a value could inject a line or a second request.
Result<std::string> serialize(const Request& request, const Endpoint& endpoint) {
  bool plain = is_plain(request.target) && request.target.find(' ') == std::string::npos;
  // A proxy for plain HTTP expects the absolute URL (RFC 9112, section 3.2.2).
  const bool absolute = !endpoint.proxy.host.empty() && !endpoint.tls;
  const std::string server = absolute ? "http://" + authority(endpoint) : "";
  std::string wire = fmt::format("{} {}{} HTTP/1.1\r\n", request.method, server, request.target);
  if (absolute) wire += proxy_authorization(endpoint.proxy);
  wire += fmt::format("Host: {}\r\n", authority(endpoint));
  if (endpoint.unix_path.empty()) wire += "User-Agent: trimtab/" TRIMTAB_VERSION "\r\n";
  for (const auto& [name, value] : request.headers) {
    plain = plain && is_plain(name) && is_plain(value);
    wire += name + ": " + value + "\r\n";
  }
  if (!plain) {
    return Error{Errc::invalid,
                 fmt::format("a request to {} contains control characters", place(endpoint)),
                 {}};
  }
  if (!request.body.empty() || request.method == "POST") {
    wire += fmt::format("Content-Length: {}\r\n", request.body.size());
  }
  wire += "\r\n";
  wire += request.body;
  return wire;
}

Error broken(const Endpoint& endpoint, std::string_view what, const error_code& ec) {
  const Errc code = ec == asio::error::operation_aborted ? Errc::cancelled : Errc::unavailable;
  std::string reason = ec.message();
  if (ec == asio::error::eof || ec == asio::ssl::error::stream_truncated) {
    reason = "the other side closed the connection";
  }
  return Error{code, fmt::format("{} {}: {}", what, place(endpoint), reason), {}};
}

Error refused_connection(const Endpoint& endpoint, const error_code& ec) {
  Error error = broken(endpoint, "cannot connect to", ec);
  if (ec == boost::system::errc::permission_denied) error.code = Errc::denied;
  return error;
}

Task<Result<std::unique_ptr<Transport>>> connect_unix(const Endpoint& endpoint) {
  const auto executor = co_await asio::this_coro::executor;
  if (endpoint.unix_path.size() >= sizeof(sockaddr_un::sun_path)) {
    co_return Error{Errc::invalid, endpoint.unix_path + ": too long for a socket's path", {}};
  }
  LocalSocket socket(executor);
  const asio::local::stream_protocol::endpoint address(endpoint.unix_path);
  error_code ec;
  co_await socket.async_connect(address, asio::redirect_error(asio::use_awaitable, ec));
  if (ec) co_return refused_connection(endpoint, ec);
  std::unique_ptr<Transport> transport =
      std::make_unique<StreamTransport<LocalSocket>>(std::move(socket));
  co_return transport;
}

// Parallel attempts to connect to several addresses. Shared with the attempts' handlers, which may
// be called after nobody waits any more.
struct Attempts {
  explicit Attempts(const asio::any_io_executor& executor) : changed(executor) {}

  std::vector<std::unique_ptr<tcp::socket>> sockets;
  std::unique_ptr<tcp::socket> connected;
  bool over = false;
  std::size_t failed = 0;
  error_code error;  // last failure
  asio::steady_timer changed;
};

void start_attempt(const std::shared_ptr<Attempts>& attempts, const tcp::endpoint& address) {
  auto socket = std::make_unique<tcp::socket>(attempts->changed.get_executor());
  tcp::socket& opened = *socket;
  const std::size_t index = attempts->sockets.size();
  attempts->sockets.push_back(std::move(socket));
  opened.async_connect(address, [attempts, index](const error_code& ec) {
    if (attempts->over) return;
    if (ec) {
      ++attempts->failed;
      attempts->error = ec;
    } else if (!attempts->connected) {
      attempts->connected = std::move(attempts->sockets[index]);
    }
    attempts->changed.cancel();
  });
}

// Alternates IPv6 and IPv4, beginning with the family that the resolver prefers: RFC 8305,
// section 4.
std::vector<tcp::endpoint> interleave_families(const std::vector<tcp::endpoint>& found) {
  std::deque<tcp::endpoint> first;
  std::deque<tcp::endpoint> second;
  for (const tcp::endpoint& address : found) {
    const bool like_first = first.empty() || address.protocol() == first.front().protocol();
    (like_first ? first : second).push_back(address);
  }
  std::vector<tcp::endpoint> addresses;
  while (addresses.size() < max_addresses && !(first.empty() && second.empty())) {
    for (auto* const family : {&first, &second}) {
      if (family->empty()) continue;
      addresses.push_back(family->front());
      family->pop_front();
    }
  }
  return addresses;
}

// Happy Eyeballs (RFC 8305, section 5): an address that does not answer delays the next one by 250
// ms instead of the system's minutes. Returns a pointer because Result<T> must be
// default-constructible, which a socket is not.
Task<Result<std::unique_ptr<tcp::socket>>> connect_host(const Endpoint& endpoint, std::string host,
                                                        std::uint16_t port) {
  const auto executor = co_await asio::this_coro::executor;
  auto finding = resolve(std::move(host), port);
  const auto found = co_await std::move(finding);
  if (!found) co_return found.error();
  const std::vector<tcp::endpoint> addresses = interleave_families(*found);
  const auto attempts = std::make_shared<Attempts>(executor);
  // Closes the remaining attempts when one has succeeded or the caller was cancelled.
  const auto give_up = [](Attempts* all) {
    all->over = true;
    all->sockets.clear();
  };
  const std::unique_ptr<Attempts, decltype(give_up)> under_way(attempts.get(), give_up);
  while (!attempts->connected && attempts->failed < addresses.size()) {
    const bool more = attempts->sockets.size() < addresses.size();
    if (more) start_attempt(attempts, addresses[attempts->sockets.size()]);
    attempts->changed.expires_after(attempt_delay);
    if (!more) attempts->changed.expires_at(SteadyClock::time_point::max());
    error_code ec;
    co_await attempts->changed.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    const auto cancelled = co_await asio::this_coro::cancellation_state;
    if (cancelled.cancelled() != asio::cancellation_type::none) {
      co_return broken(endpoint, "cannot connect to", asio::error::operation_aborted);
    }
  }
  if (!attempts->connected) co_return refused_connection(endpoint, attempts->error);
  auto socket = std::move(attempts->connected);
  error_code ignored;
  socket->set_option(tcp::no_delay(true), ignored);
  co_return socket;
}

// Opens a tunnel through the proxy to the server's port (RFC 9110, section 9.3.6).
Task<Result<void>> open_tunnel(const Endpoint& endpoint, tcp::socket& socket) {
  const std::string through =
      fmt::format("the proxy {}:{}", endpoint.proxy.host, endpoint.proxy.port);
  const bool v6 = endpoint.host.find(':') != std::string::npos;
  const std::string target =
      fmt::format("{}:{}", v6 ? "[" + endpoint.host + "]" : endpoint.host, endpoint.port);
  const std::string wire = fmt::format("CONNECT {} HTTP/1.1\r\nHost: {}\r\n{}\r\n", target, target,
                                       proxy_authorization(endpoint.proxy));
  error_code ec;
  co_await asio::async_write(socket, asio::buffer(wire),
                             asio::redirect_error(asio::use_awaitable, ec));
  boost::beast::flat_buffer buffer{buffer_bytes};
  MessageParser<false> parser(header_bytes, 0);
  parser.skip(true);
  while (!parser.is_header_done()) {
    const auto space = buffer.prepare(read_bytes);
    ec = {};
    const std::size_t count =
        co_await socket.async_read_some(space, asio::redirect_error(asio::use_awaitable, ec));
    if (ec) co_return broken(endpoint, through + " refused a tunnel to", ec);
    buffer.commit(count);
    const error_code fed = parser.feed(buffer);
    if (fed && fed != boost::beast::http::error::need_more) {
      co_return Error{Errc::invalid, through + " does not speak HTTP/1.1", {}};
    }
  }
  if (parser.status / 100 == 2) co_return Result<void>();
  const bool login = parser.status == 407;
  co_return Error{login ? Errc::denied : Errc::unavailable,
                  fmt::format("{} refuses a tunnel to {}: it answers {}", through, place(endpoint),
                              parser.status),
                  login ? "set the right user and password in https_proxy" : ""};
}

Error refused_handshake(const Endpoint& endpoint, const TlsStream& stream, const error_code& ec) {
  if (const std::string distrust = stream.distrust(); !distrust.empty()) {
    return Error{Errc::untrusted,
                 fmt::format("the certificate of {} is not trusted: {}", place(endpoint), distrust),
                 {}};
  }
  Error error = broken(endpoint, "cannot start TLS with", ec);
  if (ec.category() == asio::error::get_ssl_category()) error.code = Errc::invalid;
  return error;
}

Task<Result<std::unique_ptr<Transport>>> connect(const Endpoint& endpoint) {
  if (!endpoint.unix_path.empty()) {
    auto local = co_await connect_unix(endpoint);
    co_return local;
  }
  const bool proxied = !endpoint.proxy.host.empty();
  const std::string host = proxied ? endpoint.proxy.host : endpoint.host;
  const auto port = proxied ? endpoint.proxy.port : endpoint.port;
  auto connected = co_await connect_host(endpoint, host, port);
  if (!connected) {
    if (!proxied) co_return connected.error();
    co_return connected.error().context("the proxy " + endpoint.proxy.host);
  }
  tcp::socket socket = std::move(**connected);
  if (proxied && endpoint.tls) {
    auto tunnel = co_await open_tunnel(endpoint, socket);
    if (!tunnel) co_return tunnel.error();
  }
  std::unique_ptr<Transport> transport;
  if (!endpoint.tls) {
    transport = std::make_unique<StreamTransport<tcp::socket>>(std::move(socket));
    co_return transport;
  }
  auto stream = TlsStream::create(std::move(socket), endpoint.host, endpoint.trust);
  if (!stream) co_return stream.error();
  error_code ec;
  auto handshake = (*stream)->handshake(ec);
  co_await std::move(handshake);
  if (ec) co_return refused_handshake(endpoint, **stream, ec);
  transport = std::make_unique<TlsTransport>(std::move(*stream));
  co_return transport;
}

}  // namespace

Result<Endpoint> endpoint_for(const Url& url, const Proxies& proxies, TlsTrust trust) {
  auto proxy = proxy_for(proxies, url.tls, url.host);
  if (!proxy) return proxy.error();
  return Endpoint{{}, url.host, url.port, url.tls, std::move(trust), std::move(*proxy)};
}

struct Connection::Impl {
  Endpoint endpoint;
  // None during an exchange, so that an aborted one closes the connection.
  std::unique_ptr<Transport> kept;

  // Reads once. Returns true if the response is complete or its reader wants no more.
  Task<Result<bool>> read_step(Exchange& exchange);
  Task<Result<void>> read_head(Exchange& exchange, bool is_head_request, std::size_t body_bytes);
  // Sends the request and reads the response's head, on the kept connection if there is one.
  Task<Result<void>> open(Exchange& exchange, Request request, std::size_t body_bytes);
  Task<Result<void>> read_rest(Exchange& exchange);
  Task<Result<Response>> exchange(Request request, std::size_t body_bytes);
  Task<Result<Response>> stream(Request request, Limits limits, SteadyClock::duration idle,
                                std::function<void()> on_open, OnChunk on_chunk);
  [[nodiscard]] Error malformed(const error_code& ec) const;
};

Error Connection::Impl::malformed(const error_code& ec) const {
  namespace beast_http = boost::beast::http;
  if (ec == beast_http::error::body_limit || ec == beast_http::error::header_limit) {
    return Error{
        Errc::too_large, fmt::format("the response of {} is too large", place(endpoint)), {}};
  }
  return Error{Errc::invalid,
               fmt::format("{} does not speak HTTP/1.1: {}", place(endpoint), ec.message()),
               {}};
}

Task<Result<bool>> Connection::Impl::read_step(Exchange& exchange) {
  auto& parser = *exchange.parser;
  error_code ec = parser.feed(exchange.buffer);
  if (parser.is_done() || parser.refused_body) co_return true;
  if (!ec) co_return false;  // after the head: the body may go elsewhere
  if (ec != boost::beast::http::error::need_more) co_return malformed(ec);
  const std::size_t room = buffer_bytes - exchange.buffer.size();
  if (room == 0) co_return malformed(boost::beast::http::error::header_limit);
  const auto space = exchange.buffer.prepare(std::min(room, read_bytes));
  ec = {};
  const std::size_t count = co_await exchange.transport->read_some(space, ec);
  exchange.buffer.commit(count);
  if (!ec) co_return false;
  if (ec == asio::error::eof && parser.got_some()) {
    error_code incomplete;
    parser.put_eof(incomplete);
    if (!incomplete) co_return true;
  }
  co_return broken(endpoint, "lost the connection to", ec);
}

Task<Result<void>> Connection::Impl::read_head(Exchange& exchange, bool is_head_request,
                                               std::size_t body_bytes) {
  for (;;) {
    exchange.parser.emplace(header_bytes, body_bytes);
    exchange.parser->skip(is_head_request);
    while (!exchange.parser->is_header_done()) {
      auto step = co_await read_step(exchange);
      if (!step) co_return step.error();
    }
    const bool interim = exchange.parser->status / 100 == 1;
    if (!interim) co_return Result<void>();
  }
}

Task<Result<void>> Connection::Impl::open(Exchange& exchange, Request request,
                                          std::size_t body_bytes) {
  auto wire = serialize(request, endpoint);
  if (!wire) co_return wire.error();
  exchange.transport = std::move(kept);
  for (;;) {
    const bool was_kept = exchange.transport != nullptr;
    if (!was_kept) {
      auto connecting = connect(endpoint);
      auto connected = co_await with_deadline(
          after(connect_time), "connecting to " + place(endpoint), std::move(connecting));
      if (!connected) co_return connected.error();
      exchange.transport = std::move(*connected);
    }
    error_code ec;
    co_await exchange.transport->write(asio::buffer(*wire), ec);
    // Even if writing failed there may be a response: a server that rejects a request stops reading
    // it.
    auto head = co_await read_head(exchange, request.method == "HEAD", body_bytes);
    if (head) co_return head;
    const bool silent = !exchange.parser->got_some() && exchange.buffer.size() == 0;
    // The server may have executed a request that it read completely, and a POST must not be
    // executed twice.
    const bool repeatable = request.method != "POST" || ec;
    const bool again = was_kept && silent && repeatable && head.error().code == Errc::unavailable;
    if (!again) co_return head.error();
    exchange.transport.reset();
  }
}

Task<Result<void>> Connection::Impl::read_rest(Exchange& exchange) {
  for (;;) {
    auto done = co_await read_step(exchange);
    if (!done) co_return done.error();
    if (*done) co_return Result<void>();
  }
}

namespace {

Response take_response(MessageParser<false>& parser) {
  Response response;
  response.status = parser.status;
  response.headers = std::move(parser.headers);
  response.body = std::move(parser.body);
  return response;
}

}  // namespace

Task<Result<Response>> Connection::Impl::exchange(Request request, std::size_t body_bytes) {
  Exchange exchange;
  auto opened = co_await open(exchange, std::move(request), body_bytes);
  if (!opened) co_return opened.error();
  auto read = co_await read_rest(exchange);
  if (!read) co_return read.error();
  const bool reusable = exchange.parser->keep_alive() && exchange.buffer.size() == 0;
  if (reusable) kept = std::move(exchange.transport);
  co_return take_response(*exchange.parser);
}

Task<Result<Response>> Connection::Impl::stream(Request request, Limits limits,
                                                SteadyClock::duration idle,
                                                std::function<void()> on_open, OnChunk on_chunk) {
  kept.reset();
  Exchange exchange;
  const std::string what = place(endpoint);
  auto opening = open(exchange, std::move(request), limits.body_bytes);
  auto opened = co_await with_deadline(after(limits.timeout), what, std::move(opening));
  if (!opened) co_return opened.error();
  if (exchange.parser->status / 100 != 2) {
    auto reading = read_rest(exchange);
    auto read = co_await with_deadline(after(limits.timeout), what, std::move(reading));
    if (!read) co_return read.error();
    co_return take_response(*exchange.parser);
  }
  exchange.parser->pass_body_to(std::move(on_chunk));
  on_open();
  for (;;) {
    auto reading = read_step(exchange);
    auto done = co_await with_deadline(after(idle), what, std::move(reading));
    if (!done) co_return done.error();
    if (*done) co_return take_response(*exchange.parser);
  }
}

Connection::Connection(Endpoint endpoint)
    : impl_(std::make_unique<Impl>(Impl{std::move(endpoint), nullptr})) {}
Connection::~Connection() = default;
Connection::Connection(Connection&&) noexcept = default;
Connection& Connection::operator=(Connection&&) noexcept = default;

Task<Result<Response>> Connection::exchange(Request request, Limits limits) {
  const std::string what = place(impl_->endpoint);
  auto task = impl_->exchange(std::move(request), limits.body_bytes);
  auto result = co_await with_deadline(after(limits.timeout), what, std::move(task));
  co_return result;
}

Task<Result<Response>> Connection::stream(Request request, Limits limits,
                                          SteadyClock::duration idle, std::function<void()> on_open,
                                          OnChunk on_chunk) {
  return impl_->stream(std::move(request), limits, idle, std::move(on_open), std::move(on_chunk));
}

}  // namespace trimtab::http
