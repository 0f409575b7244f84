// The client's side of TLS against Asio's on the other side.
#include "common/tls_stream.hpp"

#include <gtest/gtest.h>

#include <array>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <csignal>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "common/certificate.hpp"
#include "tests/lib/loop.hpp"
#include "tests/lib/temporary_folder.hpp"

namespace trimtab::http {
namespace {

using boost::system::error_code;
using ServerStream = asio::ssl::stream<asio::ip::tcp::socket>;

class TlsStreams : public ::testing::Test {
 protected:
  TlsStreams() {
    const auto pair = make_self_signed({"localhost"}, std::chrono::hours(1));
    std::ofstream(folder_.path() / "server.crt") << pair->certificate;
    std::ofstream(folder_.path() / "server.key") << pair->key;
    context_.use_certificate_chain_file(ca_file());
    context_.use_private_key_file(folder_.path() / "server.key", asio::ssl::context::pem);
  }
  ~TlsStreams() override {
    if (server_.joinable()) server_.join();
  }

  [[nodiscard]] std::string ca_file() const { return folder_.path() / "server.crt"; }

  // Has a thread take one connection and, after the handshake, call `serve`.
  void listen(std::function<void(ServerStream&)> serve) {
    server_ = std::thread([this, serve = std::move(serve)] {
      ServerStream stream(acceptor_.accept(), context_);
      error_code ec;
      stream.handshake(asio::ssl::stream_base::server, ec);
      if (!ec) serve(stream);
    });
  }

  std::unique_ptr<TlsStream> connected() {
    asio::ip::tcp::socket socket(loop_);
    socket.connect(acceptor_.local_endpoint());
    auto stream = TlsStream::create(std::move(socket), "localhost", trust_);
    EXPECT_TRUE(stream) << stream.error().text();
    error_code ec;
    test::await(loop_, shake_hands(**stream, ec));
    EXPECT_FALSE(ec) << ec.message();
    return std::move(*stream);
  }

  static Task<bool> shake_hands(TlsStream& stream, error_code& ec) {
    auto handshake = stream.handshake(ec);
    co_await std::move(handshake);
    co_return true;
  }
  static Task<bool> send(TlsStream& stream, const std::string& bytes, error_code& ec) {
    auto writing = stream.write(asio::buffer(bytes), ec);
    co_await std::move(writing);
    co_return true;
  }
  // Reads until an error, which it sets.
  static Task<std::string> receive(TlsStream& stream, error_code& ec) {
    std::string received;
    std::array<char, 5000> piece{};
    while (!ec) {
      auto reading = stream.read_some(asio::buffer(piece), ec);
      const std::size_t count = co_await std::move(reading);
      received.append(piece.data(), count);
    }
    co_return received;
  }
  static Task<Result<std::size_t>> read_once(TlsStream& stream) {
    std::array<char, 1> byte{};
    error_code ec;
    auto reading = stream.read_some(asio::buffer(byte), ec);
    const std::size_t count = co_await std::move(reading);
    if (ec) co_return Error{Errc::cancelled, ec.message(), {}};
    co_return count;
  }

  test::TemporaryFolder folder_;
  TlsTrust trust_{.ca_files = {ca_file()}};
  asio::io_context loop_{1};
  asio::ssl::context context_{asio::ssl::context::tls_server};
  asio::io_context server_loop_;
  asio::ip::tcp::acceptor acceptor_{server_loop_, {asio::ip::address_v4::loopback(), 0}};
  std::thread server_;
};

TEST_F(TlsStreams, ShowTheClientsCertificate) {
  const auto own = make_self_signed({"client"}, std::chrono::hours(1));
  std::ofstream(folder_.path() / "client.cert") << own->certificate;
  std::ofstream(folder_.path() / "client.key") << own->key;
  context_.load_verify_file(folder_.path() / "client.cert");
  context_.set_verify_mode(asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert);
  trust_.certificate = folder_.path() / "client.cert";
  trust_.key = folder_.path() / "client.key";
  bool knows_client = false;
  listen([&](ServerStream& stream) {
    knows_client = ::SSL_get0_peer_certificate(stream.native_handle()) != nullptr;
    error_code ec;
    asio::write(stream, asio::buffer("x", 1), ec);
  });
  const auto stream = connected();
  EXPECT_TRUE(test::await(loop_, read_once(*stream)));
  server_.join();
  EXPECT_TRUE(knows_client);
}

TEST_F(TlsStreams, SayWhichFileOfTheirTrustIsUnreadable) {
  trust_.certificate = ca_file();
  trust_.key = folder_.path() / "none.key";
  const auto stream =
      TlsStream::create(asio::ip::tcp::socket(loop_, asio::ip::tcp::v4()), "localhost", trust_);
  ASSERT_FALSE(stream);
  EXPECT_NE(stream.error().message.find("none.key"), std::string::npos) << stream.error().message;
}

TEST_F(TlsStreams, TakeAnyCertificateWhereTheyMay) {
  trust_ = {.takes_any = true};
  listen([](ServerStream& stream) {
    error_code ec;
    asio::write(stream, asio::buffer("x", 1), ec);
  });
  const auto stream = connected();
  EXPECT_TRUE(test::await(loop_, read_once(*stream)));
}

TEST_F(TlsStreams, MoreThanSocketsHoldArrivesBothWays) {
  std::string sent(20'000'000, ' ');
  for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>('a' + i % 23);
  listen([size = sent.size()](ServerStream& stream) {
    std::string bytes(size, ' ');
    error_code ec;
    asio::read(stream, asio::buffer(bytes), ec);
    asio::write(stream, asio::buffer(bytes), ec);
    stream.shutdown(ec);
  });
  const auto client = connected();
  error_code ec;
  test::await(loop_, send(*client, sent, ec));
  ASSERT_FALSE(ec) << ec.message();
  EXPECT_TRUE(test::await(loop_, receive(*client, ec)) == sent);
  EXPECT_EQ(ec, asio::error::eof);
}

TEST_F(TlsStreams, AnEndThatTlsDidNotAnnounceIsNotTakenForOne) {
  listen([](ServerStream& stream) {
    error_code ec;
    asio::write(stream, asio::buffer("half", 4), ec);
  });
  const auto client = connected();
  error_code ec;
  EXPECT_EQ(test::await(loop_, receive(*client, ec)), "half");
  EXPECT_EQ(ec, asio::ssl::error::stream_truncated) << ec.message();
}

TEST_F(TlsStreams, WritingToAPeerThatIsGoneFailsWithoutASignal) {
  auto* const handler = std::signal(SIGPIPE, SIG_DFL);
  listen([](ServerStream&) {});
  const auto client = connected();
  error_code ec;
  test::await(loop_, receive(*client, ec));
  ASSERT_EQ(ec, asio::ssl::error::stream_truncated) << ec.message();
  ec = {};
  // The peer's answer to the first bytes is that it is gone.
  while (!ec) test::await(loop_, send(*client, "bytes", ec));
  EXPECT_EQ(ec.category(), boost::system::system_category());
  std::signal(SIGPIPE, handler);
}

TEST_F(TlsStreams, ReadingASilentPeerCanBeCancelled) {
  listen([](ServerStream& stream) {
    std::array<char, 1> byte{};
    error_code ec;
    stream.read_some(asio::buffer(byte), ec);
  });
  auto client = connected();
  auto result = test::await(loop_, with_deadline(SteadyClock::now() + std::chrono::milliseconds(50),
                                                 "reading", read_once(*client)));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::timed_out) << result.error().text();
  client.reset();
}

}  // namespace
}  // namespace trimtab::http
