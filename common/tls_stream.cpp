#include "common/tls_stream.hpp"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <limits>

#include "common/url.hpp"

namespace trimtab::http {

namespace {

using asio::ip::tcp;
using boost::system::error_code;

struct ContextDeleter {
  void operator()(SSL_CTX* context) const { ::SSL_CTX_free(context); }
};
using Context = std::unique_ptr<SSL_CTX, ContextDeleter>;

int int_size(std::size_t size) {
  return static_cast<int>(std::min<std::size_t>(size, std::numeric_limits<int>::max()));
}

error_code first_of_openssl() {
  return {static_cast<int>(::ERR_get_error()), asio::error::get_ssl_category()};
}

Error unreadable(const std::string& file, const std::string& why) {
  return Error{
      Errc::invalid, fmt::format("{}: {}: {}", file, why, first_of_openssl().message()), {}};
}

// Uses only the hashed directory, from which OpenSSL reads just the certificates that it needs;
// loading the bundle would cost some 150 ms and several MB per connection.
Result<Context> make_context(const TlsTrust& trust) {
  Context context(::SSL_CTX_new(::TLS_client_method()));
  if (!context || ::SSL_CTX_set_default_verify_dir(context.get()) != 1) {
    return Error{Errc::failed, "OpenSSL cannot use the system's certificates", {}};
  }
  ::SSL_CTX_set_verify(context.get(), trust.takes_any ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nullptr);
  if (SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) != 1) {
    return Error{Errc::failed, "OpenSSL does not offer TLS 1.2", {}};
  }
  ::ERR_clear_error();
  for (const std::string& file : trust.ca_files) {
    if (::SSL_CTX_load_verify_file(context.get(), file.c_str()) != 1) {
      return unreadable(file, "not a PEM file of certificates");
    }
  }
  if (trust.certificate.empty()) return context;
  if (::SSL_CTX_use_certificate_chain_file(context.get(), trust.certificate.c_str()) != 1) {
    return unreadable(trust.certificate, "not a PEM file of a certificate");
  }
  if (::SSL_CTX_use_PrivateKey_file(context.get(), trust.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return unreadable(trust.key, "not the key of " + trust.certificate);
  }
  return context;
}

// Requires the certificate to be valid for this host name or address.
bool expect_host(SSL* ssl, const std::string& host) {
  if (is_ip_address(host)) {
    return ::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(ssl), host.c_str()) == 1;
  }
  ::SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  // Expanded by hand, because the macro SSL_set_tlsext_host_name contains an old-style cast.
  auto* name = const_cast<char*>(host.c_str());
  return ::SSL_set1_host(ssl, host.c_str()) == 1 &&
         ::SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name) == 1;
}

// Notes for OpenSSL that the socket was not ready; returns what a BIO returns for the result.
int told(BIO* bio, ssize_t result, int again) {
  ::BIO_clear_flags(bio, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY);
  if (result < 0 && (errno == EAGAIN || errno == EINTR)) {
    ::BIO_set_flags(bio, again | BIO_FLAGS_SHOULD_RETRY);
  }
  return static_cast<int>(result);
}

int socket_of(BIO* bio) {
  return static_cast<tcp::socket*>(::BIO_get_data(bio))->native_handle();
}

int send_to_socket(BIO* bio, const char* bytes, int size) {
  const auto count = static_cast<std::size_t>(size);
  return told(bio, ::send(socket_of(bio), bytes, count, MSG_NOSIGNAL), BIO_FLAGS_WRITE);
}

int receive_from_socket(BIO* bio, char* into, int size) {
  const auto count = static_cast<std::size_t>(size);
  return told(bio, ::recv(socket_of(bio), into, count, 0), BIO_FLAGS_READ);
}

long control(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

// Unlike OpenSSL's own for sockets this one does not raise SIGPIPE. Null without memory.
const BIO_METHOD* socket_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = ::BIO_meth_new(::BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
    if (made == nullptr) return made;
    ::BIO_meth_set_write(made, send_to_socket);
    ::BIO_meth_set_read(made, receive_from_socket);
    ::BIO_meth_set_ctrl(made, control);
    return made;
  }();
  return method;
}

error_code error_of(int reason, int system_error) {
  if (reason == SSL_ERROR_ZERO_RETURN) return asio::error::eof;
  if (reason != SSL_ERROR_SYSCALL) return first_of_openssl();
  if (system_error != 0) return {system_error, boost::system::system_category()};
  // The connection ended without TLS' own end, so that something may be missing.
  return asio::ssl::error::stream_truncated;
}

}  // namespace

void TlsStream::Deleter::operator()(SSL* ssl) const {
  ::SSL_free(ssl);
}

TlsStream::TlsStream(tcp::socket socket, SSL* ssl) : socket_(std::move(socket)), ssl_(ssl) {}

Result<std::unique_ptr<TlsStream>> TlsStream::create(tcp::socket socket, const std::string& host,
                                                     const TlsTrust& trust) {
  auto context = make_context(trust);
  if (!context) return context.error();
  error_code ec;
  socket.non_blocking(true, ec);
  if (ec) return Error{Errc::failed, "a socket cannot be made non-blocking: " + ec.message(), {}};
  std::unique_ptr<TlsStream> stream(new TlsStream(std::move(socket), ::SSL_new(context->get())));
  SSL* const ssl = stream->ssl_.get();
  BIO* const bio = ssl == nullptr ? nullptr : ::BIO_new(socket_method());
  if (bio == nullptr) {
    return Error{
        Errc::failed, "OpenSSL cannot make a connection: " + first_of_openssl().message(), {}};
  }
  ::BIO_set_data(bio, &stream->socket_);
  ::BIO_set_init(bio, 1);
  ::SSL_set_bio(ssl, bio, bio);  // which owns it from now on
  SSL_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
  if (!expect_host(ssl, host)) return Error{Errc::invalid, host + ": not a host name", {}};
  return stream;
}

Task<std::size_t> TlsStream::complete(std::function<int(SSL*)> operation, error_code& ec) {
  for (;;) {
    ::ERR_clear_error();
    errno = 0;
    const int done = operation(ssl_.get());
    const int system_error = errno;
    if (done > 0) co_return static_cast<std::size_t>(done);
    const int reason = ::SSL_get_error(ssl_.get(), done);
    const bool for_read = reason == SSL_ERROR_WANT_READ;
    if (!for_read && reason != SSL_ERROR_WANT_WRITE) {
      ec = error_of(reason, system_error);
      co_return 0;
    }
    const auto what = for_read ? tcp::socket::wait_read : tcp::socket::wait_write;
    co_await socket_.async_wait(what, asio::redirect_error(asio::use_awaitable, ec));
    if (ec) co_return 0;
  }
}

Task<void> TlsStream::handshake(error_code& ec) {
  auto connecting = complete(::SSL_connect, ec);
  co_await std::move(connecting);
}

std::string TlsStream::distrust() const {
  const long verdict = ::SSL_get_verify_result(ssl_.get());
  return verdict == X509_V_OK ? "" : ::X509_verify_cert_error_string(verdict);
}

Task<std::size_t> TlsStream::read_some(asio::mutable_buffer into, error_code& ec) {
  // A peer that sends faster than this reads must not keep the loop from others.
  co_await asio::post(socket_.get_executor(), asio::use_awaitable);
  auto reading = complete(
      [into](SSL* ssl) { return ::SSL_read(ssl, into.data(), int_size(into.size())); }, ec);
  const std::size_t count = co_await std::move(reading);
  co_return count;
}

Task<void> TlsStream::write(asio::const_buffer bytes, error_code& ec) {
  auto writing = complete(
      [bytes](SSL* ssl) { return ::SSL_write(ssl, bytes.data(), int_size(bytes.size())); }, ec);
  co_await std::move(writing);
}

}  // namespace trimtab::http
