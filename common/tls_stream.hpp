// The client's side of TLS on a connected socket, which OpenSSL reads and writes itself: Asio's
// stream has four buffers of 17 kB for each connection, also while it is idle.
#pragma once

#include <openssl/types.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "common/async.hpp"
#include "common/tls_trust.hpp"

namespace trimtab::http {

// Its errors are the system's, Asio's and those of asio::error::get_ssl_category(). For one
// operation at a time.
class TlsStream {
 public:
  // For a server whose certificate is valid for `host`, a name or an address, unless `trust` takes
  // any. invalid, naming the file, if one of the trust cannot be read.
  static Result<std::unique_ptr<TlsStream>> create(asio::ip::tcp::socket socket,
                                                   const std::string& host, const TlsTrust& trust);

  // Fails if the certificate is not trusted.
  Task<void> handshake(boost::system::error_code& ec);
  // Why the certificate is not trusted; empty if it is, or none was received.
  [[nodiscard]] std::string distrust() const;

  // Reads at least one byte; asio::error::eof after the peer's last one.
  Task<std::size_t> read_some(asio::mutable_buffer into, boost::system::error_code& ec);
  // Writes all bytes.
  Task<void> write(asio::const_buffer bytes, boost::system::error_code& ec);

 private:
  struct Deleter {
    void operator()(SSL* ssl) const;
  };

  TlsStream(asio::ip::tcp::socket socket, SSL* ssl);
  // Repeats an operation of OpenSSL until the socket was ready often enough; returns its result.
  Task<std::size_t> complete(std::function<int(SSL*)> operation, boost::system::error_code& ec);

  asio::ip::tcp::socket socket_;
  std::unique_ptr<SSL, Deleter> ssl_;
};

}  // namespace trimtab::http
