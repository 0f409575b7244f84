// The HTTP client and server, against each other and against peers that misbehave.
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/write.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <optional>
#include <thread>

#include "common/http_client.hpp"
#include "common/http_server.hpp"
#include "common/json.hpp"

namespace trimtab::http {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

template <class T>
Task<void> store(Task<T> task, std::optional<T>* into) {
  into->emplace(co_await std::move(task));
}

// Every test must come to its end: what hangs is cut off.
constexpr auto timeout = 20s;

class Http : public ::testing::Test {
 protected:
  Http() {
    std::signal(SIGPIPE, SIG_IGN);
    std::string pattern = fs::temp_directory_path() / "trimtab-http-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
    path_ = directory_ / "socket";
  }
  ~Http() override { fs::remove_all(directory_); }

  template <class T>
  T run(Task<T> task) {
    std::optional<T> result;
    std::exception_ptr failure;
    asio::co_spawn(loop_, store(std::move(task), &result), [&](std::exception_ptr e) {
      failure = e;
      loop_.stop();
    });
    loop_.restart();
    loop_.run_for(timeout);
    if (failure) std::rethrow_exception(failure);
    return std::move(result).value();
  }

  Connection connection() {
    Endpoint endpoint;
    endpoint.unix_path = path_;
    return Connection(endpoint);
  }

  asio::io_context loop_{1};
  fs::path directory_;
  fs::path path_;
};

Request get(std::string target) {
  Request request;
  request.target = std::move(target);
  return request;
}

// --------------------------------------------------------------------------------------------
// The client against a peer that sends just the given bytes.

int listen_at(const fs::path& path) {
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.string().copy(address.sun_path, sizeof(address.sun_path) - 1);
  EXPECT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_EQ(::listen(listener, 8), 0);
  return listener;
}

std::string receive_head(int fd) {
  std::string head;
  char byte = 0;
  while (head.find("\r\n\r\n") == std::string::npos && ::read(fd, &byte, 1) == 1) head += byte;
  return head;
}

void send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

// One entry for each connection: the answers to the requests on it, after which it is closed.
// An answer's pieces are sent apart.
using Answer = std::vector<std::string>;

class ScriptedPeer {
 public:
  ScriptedPeer(const fs::path& path, std::vector<std::vector<Answer>> connections)
      : listener_(listen_at(path)), thread_([this, script = std::move(connections)] {
          for (const auto& answers : script) serve(answers);
        }) {}
  ~ScriptedPeer() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  ScriptedPeer(const ScriptedPeer&) = delete;
  ScriptedPeer& operator=(const ScriptedPeer&) = delete;

  // Waits for the peer's end.
  std::vector<std::string> requests() {
    if (thread_.joinable()) thread_.join();
    thread_ = std::thread([] {});
    return requests_;
  }

 private:
  void serve(const std::vector<Answer>& answers) {
    const int fd = ::accept(listener_, nullptr, nullptr);
    if (fd < 0) return;
    for (const auto& answer : answers) {
      requests_.push_back(receive_head(fd));
      for (const auto& piece : answer) {
        send_all(fd, piece);
        std::this_thread::yield();
      }
    }
    ::close(fd);
  }

  int listener_;
  std::vector<std::string> requests_;
  std::thread thread_;
};

struct ClientCase {
  const char* name;
  Answer answer;
  std::optional<Errc> error;
  int status;
  std::string body;
};

class HttpClientCases : public Http, public ::testing::WithParamInterface<ClientCase> {};

TEST_P(HttpClientCases, GivesAnswerOrKindOfFailure) {
  const ClientCase& wanted = GetParam();
  const ScriptedPeer peer(path_, {{wanted.answer}});
  auto client = connection();
  Limits limits;
  limits.body_bytes = 100;
  auto got = run(client.exchange(get("/"), limits));
  if (wanted.error) {
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, *wanted.error) << got.error().message;
    EXPECT_NE(got.error().message.find(path_.string()), std::string::npos) << got.error().message;
  } else {
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(got->status, wanted.status);
    EXPECT_EQ(got->body, wanted.body);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Answers, HttpClientCases,
    ::testing::Values(
        ClientCase{
            "Length", {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"}, {}, 200, "hello"},
        ClientCase{"LengthInPieces",
                   {"HTTP/1.1 20", "0 OK\r\nContent-", "Length: 5\r\n\r", "\nhe", "llo"},
                   {},
                   200,
                   "hello"},
        ClientCase{"Chunks",
                   {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n",
                    "0\r\n\r\n"},
                   {},
                   200,
                   "hello"},
        ClientCase{"ChunksInPieces",
                   {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3", "\r\nhe", "l\r",
                    "\n2", "\r\nlo\r\n0", "\r\nX-Trailer: 1\r\n", "\r\n"},
                   {},
                   200,
                   "hello"},
        ClientCase{"UntilClosed", {"HTTP/1.1 200 OK\r\n\r\nhel", "lo"}, {}, 200, "hello"},
        ClientCase{"NoContent", {"HTTP/1.1 204 No Content\r\n\r\n"}, {}, 204, ""},
        ClientCase{"InterimFirst",
                   {"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 404 Not Found\r\n"
                    "Content-Length: 2\r\n\r\nno"},
                   {},
                   404,
                   "no"},
        ClientCase{"Redirect",
                   {"HTTP/1.1 301 Moved\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"},
                   {},
                   301,
                   ""},
        ClientCase{"NotHttp", {"SSH-2.0-OpenSSH_9.2\r\n"}, Errc::invalid, 0, ""},
        ClientCase{"ClosedWithoutAnswer", {""}, Errc::unavailable, 0, ""},
        ClientCase{"CutInHead", {"HTTP/1.1 200 OK\r\nContent-"}, Errc::unavailable, 0, ""},
        ClientCase{"CutInBody",
                   {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe"},
                   Errc::unavailable,
                   0,
                   ""},
        ClientCase{"CutInChunks",
                   {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n"},
                   Errc::unavailable,
                   0,
                   ""},
        ClientCase{"LengthAboveLimit",
                   {"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n" + std::string(101, 'x')},
                   Errc::too_large,
                   0,
                   ""},
        ClientCase{"ChunksAboveLimit",
                   {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n" +
                    std::string(64, 'x') + "\r\n40\r\n" + std::string(64, 'x') + "\r\n0\r\n\r\n"},
                   Errc::too_large,
                   0,
                   ""},
        ClientCase{"HeadAboveLimit",
                   {"HTTP/1.1 200 OK\r\nX-Long: " + std::string(70 * 1024, 'x') + "\r\n\r\n"},
                   Errc::too_large,
                   0,
                   ""},
        ClientCase{"EndlessChunkExtension",
                   {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" +
                    std::string(200 * 1024, 'x')},
                   Errc::too_large,
                   0,
                   ""}),
    [](const auto& one) { return std::string(one.param.name); });

TEST_F(Http, ClientSendsWhatTheRequestSays) {
  ScriptedPeer peer(path_, {{{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}}});
  auto client = connection();
  Request request;
  request.method = "POST";
  request.target = "/v1/x?y=z";
  request.headers.emplace_back("X-Token", "abc");
  ASSERT_TRUE(run(client.exchange(request, Limits{})));
  const auto requests = peer.requests();
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(requests[0],
            "POST /v1/x?y=z HTTP/1.1\r\nHost: localhost\r\nX-Token: abc\r\n"
            "Content-Length: 0\r\n\r\n");
}

TEST_F(Http, ClientRefusesValuesThatWouldSmuggleLines) {
  auto client = connection();
  Request in_header = get("/");
  in_header.headers.emplace_back("X-Name", "a\r\nX-Admin: 1");
  auto got = run(client.exchange(in_header, Limits{}));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Errc::invalid);
  auto in_target = run(client.exchange(get("/a HTTP/1.1\r\n\r\n"), Limits{}));
  ASSERT_FALSE(in_target);
  EXPECT_EQ(in_target.error().code, Errc::invalid);
}

TEST_F(Http, ClientKeepsTheConnectionAndRenewsAClosedOne) {
  const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n";
  ScriptedPeer peer(path_, {{{answer + "1"}, {answer + "2"}}, {{answer + "3"}}});
  auto client = connection();
  for (const char* body : {"1", "2", "3"}) {
    auto got = run(client.exchange(get("/"), Limits{}));
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(got->body, body);
  }
  EXPECT_EQ(peer.requests().size(), 3U);
}

TEST_F(Http, ClientDoesNotSendAPostTwiceThatWasRead) {
  const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1";
  ScriptedPeer peer(path_, {{{answer}, {""}}});
  auto client = connection();
  ASSERT_TRUE(run(client.exchange(get("/"), Limits{})));
  Request post;
  post.method = "POST";
  post.target = "/containers/create";
  auto got = run(client.exchange(post, Limits{}));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Errc::unavailable);
  EXPECT_EQ(peer.requests().size(), 2U);
}

TEST_F(Http, ClientDoesNotRepeatARequestThatGotPartOfAnAnswer) {
  const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1";
  ScriptedPeer peer(path_, {{{answer}, {"HTTP/1.1 2"}}});
  auto client = connection();
  ASSERT_TRUE(run(client.exchange(get("/"), Limits{})));
  auto got = run(client.exchange(get("/"), Limits{}));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Errc::unavailable);
  EXPECT_EQ(peer.requests().size(), 2U);
}

TEST_F(Http, ClientStopsWaitingAtTheDeadline) {
  const int listener = listen_at(path_);
  auto client = connection();
  Limits limits;
  limits.timeout = 50ms;
  auto got = run(client.exchange(get("/"), limits));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Errc::timed_out);
  ::close(listener);
}

TEST_F(Http, ClientSaysWhyItCannotConnect) {
  auto client = connection();
  auto nothing = run(client.exchange(get("/"), Limits{}));
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().code, Errc::unavailable);
  EXPECT_NE(nothing.error().message.find("No such file"), std::string::npos);
  ::close(listen_at(path_));
  auto stale = run(client.exchange(get("/"), Limits{}));
  ASSERT_FALSE(stale);
  EXPECT_EQ(stale.error().code, Errc::unavailable);
  EXPECT_NE(stale.error().message.find("refused"), std::string::npos);
}

TEST_F(Http, StreamPassesTheBodyAsItComes) {
  ScriptedPeer peer(path_, {{{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                              "3\r\nhel\r\n", "2\r\nlo\r\n0\r\n\r\n"}}});
  auto client = connection();
  std::string seen;
  bool opened = false;
  auto got = run(client.stream(
      get("/"), Limits{}, 10s, [&] { opened = seen.empty(); },
      [&](std::string_view piece) {
        seen += piece;
        return true;
      }));
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_TRUE(opened);
  EXPECT_EQ(seen, "hello");
}

TEST_F(Http, StreamEndsWhenItsReaderHasEnough) {
  ScriptedPeer peer(
      path_,
      {{{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n", "2\r\nlo\r\n"}}});
  auto client = connection();
  auto got = run(client.stream(
      get("/"), Limits{}, SteadyClock::duration::max(), [] {},
      [](std::string_view) { return false; }));
  EXPECT_TRUE(got) << got.error().message;
}

TEST_F(Http, StreamReportsCutIdleAndRefusal) {
  const int listener = listen_at(path_);
  std::promise<void> checked;
  std::thread peer([&] {
    const int idle = ::accept(listener, nullptr, nullptr);
    receive_head(idle);
    send_all(idle, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n");
    const int cut = ::accept(listener, nullptr, nullptr);
    receive_head(cut);
    send_all(cut, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n");
    ::close(cut);
    const int refusal = ::accept(listener, nullptr, nullptr);
    receive_head(refusal);
    send_all(refusal, "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone");
    checked.get_future().wait();
    ::close(refusal);
    ::close(idle);
  });
  auto client = connection();
  std::string seen;
  const auto collect = [&](std::string_view piece) {
    seen += piece;
    return true;
  };
  auto idle = run(client.stream(
      get("/"), Limits{}, 50ms, [] {}, collect));
  ASSERT_FALSE(idle);
  EXPECT_EQ(idle.error().code, Errc::timed_out);
  auto cut = run(client.stream(
      get("/"), Limits{}, 10s, [] {}, collect));
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().code, Errc::unavailable);
  EXPECT_EQ(seen, "xx");
  bool opened = false;
  auto refused = run(client.stream(
      get("/"), Limits{}, 10s, [&] { opened = true; }, collect));
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 404);
  EXPECT_EQ(refused->body, "none");
  EXPECT_FALSE(opened);
  EXPECT_EQ(seen, "xx");
  checked.set_value();
  peer.join();
  ::close(listener);
}

// --------------------------------------------------------------------------------------------
// TLS

// Files of a self-signed certificate for the name and address.
struct Certificate {
  fs::path certificate;
  fs::path key;
};

Certificate make_certificate(const fs::path& directory, const std::string& alternative_names) {
  Certificate files{directory / "cert.pem", directory / "key.pem"};
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME* name = X509_get_subject_name(certificate);
  const unsigned char subject[] = "test";
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, subject, -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  X509V3_CTX context;
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* names =
      X509V3_EXT_nconf_nid(nullptr, &context, NID_subject_alt_name, alternative_names.c_str());
  X509_add_ext(certificate, names, -1);
  X509_EXTENSION_free(names);
  X509_sign(certificate, key, EVP_sha256());
  FILE* out = std::fopen(files.certificate.c_str(), "w");
  PEM_write_X509(out, certificate);
  std::fclose(out);
  out = std::fopen(files.key.c_str(), "w");
  PEM_write_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
  std::fclose(out);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return files;
}

// Answers one request over TLS (or plainly) on a loopback port, perhaps as a proxy that first
// answers to a CONNECT.
class TlsPeer {
 public:
  TlsPeer(const Certificate& files, bool tls, std::string answer_to_connect = {})
      : answer_to_connect_(std::move(answer_to_connect)), context_(asio::ssl::context::tls_server) {
    context_.use_certificate_chain_file(files.certificate);
    context_.use_private_key_file(files.key, asio::ssl::context::pem);
    thread_ = std::thread([this, tls] { serve(tls); });
  }
  ~TlsPeer() { thread_.join(); }
  TlsPeer(const TlsPeer&) = delete;
  TlsPeer& operator=(const TlsPeer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  // Once the client has its answer.
  [[nodiscard]] const std::string& asked() const { return asked_; }

 private:
  template <class Stream>
  void answer(Stream& stream) {
    boost::system::error_code ec;
    std::array<char, 1024> request{};
    const std::size_t count = stream.read_some(asio::buffer(request), ec);
    asked_.append(request.data(), count);
    const std::string bytes = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    asio::write(stream, asio::buffer(bytes), ec);
  }
  void serve(bool tls) {
    auto socket = acceptor_.accept();
    if (!answer_to_connect_.empty()) {
      asked_ = receive_head(socket.native_handle());
      send_all(socket.native_handle(), answer_to_connect_);
      if (answer_to_connect_.find(" 200 ") == std::string::npos) return;
    }
    if (!tls) return answer(socket);
    asio::ssl::stream<asio::ip::tcp::socket> stream(std::move(socket), context_);
    boost::system::error_code ec;
    stream.handshake(asio::ssl::stream_base::server, ec);
    if (!ec) answer(stream);
  }

  std::string answer_to_connect_;
  std::string asked_;
  asio::io_context loop_;
  asio::ssl::context context_;
  asio::ip::tcp::acceptor acceptor_{loop_, {asio::ip::address_v4::loopback(), 0}};
  std::thread thread_;
};

struct TlsCase {
  const char* name;
  const char* host;
  const char* names;  // in the certificate
  bool trusted;
  bool tls;
  std::optional<Errc> error;
  const char* reason;
};

class HttpTls : public Http, public ::testing::WithParamInterface<TlsCase> {};

TEST_P(HttpTls, TrustsOnlyCertificatesOfTheHost) {
  const TlsCase& wanted = GetParam();
  const Certificate files = make_certificate(directory_, wanted.names);
  const TlsPeer peer(files, wanted.tls);
  Endpoint endpoint;
  endpoint.host = wanted.host;
  endpoint.port = peer.port();
  endpoint.tls = true;
  if (wanted.trusted) endpoint.trust.ca_files = {files.certificate};
  Connection client(endpoint);
  auto got = run(client.exchange(get("/"), Limits{}));
  if (!wanted.error) {
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(got->body, "ok");
    return;
  }
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, *wanted.error) << got.error().message;
  EXPECT_NE(got.error().message.find(wanted.reason), std::string::npos) << got.error().message;
}

INSTANTIATE_TEST_SUITE_P(
    Certificates, HttpTls,
    ::testing::Values(
        TlsCase{"ByName", "localhost", "DNS:localhost", true, true, {}, ""},
        TlsCase{"ByAddress", "127.0.0.1", "IP:127.0.0.1", true, true, {}, ""},
        TlsCase{"SelfSigned", "localhost", "DNS:localhost", false, true, Errc::untrusted, "self"},
        TlsCase{"OtherName", "localhost", "DNS:example.org", true, true, Errc::untrusted,
                "hostname mismatch"},
        TlsCase{"OtherAddress", "127.0.0.1", "IP:127.0.0.2", true, true, Errc::untrusted,
                "IP address mismatch"},
        TlsCase{"NotTls", "localhost", "DNS:localhost", true, false, Errc::invalid, "TLS"}),
    [](const auto& one) { return std::string(one.param.name); });

Endpoint proxied(const TlsPeer& proxy, const Certificate& files, bool tls) {
  Endpoint endpoint;
  endpoint.host = "registry.example.org";  // which nobody here could find
  endpoint.port = tls ? 443 : 80;
  endpoint.tls = tls;
  endpoint.trust.ca_files = {files.certificate};
  endpoint.proxy = {"127.0.0.1", proxy.port(), "ana:secret"};
  return endpoint;
}

TEST_F(Http, AProxyMakesATunnelInWhichTheServersCertificateCounts) {
  const Certificate files = make_certificate(directory_, "DNS:registry.example.org");
  const TlsPeer proxy(files, true, "HTTP/1.1 200 Connection established\r\n\r\n");
  Connection client(proxied(proxy, files, true));
  auto got = run(client.exchange(get("/v2/"), Limits{}));
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->body, "ok");
  EXPECT_TRUE(proxy.asked().starts_with(
      "CONNECT registry.example.org:443 HTTP/1.1\r\nHost: registry.example.org:443\r\n"
      "Proxy-Authorization: Basic YW5hOnNlY3JldA==\r\n\r\n"
      "GET /v2/ HTTP/1.1\r\n"))
      << proxy.asked();
}

TEST_F(Http, AProxyIsToldTheWholeAddressOfAPlainRequest) {
  const Certificate files = make_certificate(directory_, "DNS:localhost");
  const TlsPeer proxy(files, false);
  Connection client(proxied(proxy, files, false));
  ASSERT_TRUE(run(client.exchange(get("/v2/"), Limits{})));
  EXPECT_TRUE(proxy.asked().starts_with(
      "GET http://registry.example.org/v2/ HTTP/1.1\r\n"
      "Proxy-Authorization: Basic YW5hOnNlY3JldA==\r\nHost: registry.example.org\r\n"
      "User-Agent: trimtab/" TRIMTAB_VERSION "\r\n"))
      << proxy.asked();
}

TEST_F(Http, AProxyThatGivesNoWayIsNamed) {
  const Certificate files = make_certificate(directory_, "DNS:localhost");
  const std::pair<const char*, Errc> refusals[] = {
      {"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", Errc::denied},
      {"HTTP/1.1 503 Service Unavailable\r\n\r\n", Errc::unavailable},
      {"SSH-2.0-OpenSSH_9.2\r\n\r\n", Errc::invalid},
  };
  for (const auto& [answer, code] : refusals) {
    const TlsPeer proxy(files, true, answer);
    Connection client(proxied(proxy, files, true));
    auto got = run(client.exchange(get("/"), Limits{}));
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, code) << got.error().message;
    EXPECT_NE(got.error().message.find("the proxy 127.0.0.1:"), std::string::npos);
    EXPECT_EQ(got.error().text().find("secret"), std::string::npos);
  }
}

TEST_F(Http, UnreadableCaFileIsNamed) {
  asio::io_context loop;
  asio::ip::tcp::acceptor acceptor(loop, {asio::ip::address_v4::loopback(), 0});
  Endpoint endpoint;
  endpoint.host = "127.0.0.1";
  endpoint.port = acceptor.local_endpoint().port();
  endpoint.tls = true;
  endpoint.trust.ca_files = {(directory_ / "none.pem").string()};
  Connection client(endpoint);
  auto got = run(client.exchange(get("/"), Limits{}));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Errc::invalid);
  EXPECT_NE(got.error().message.find("none.pem"), std::string::npos);
}

// --------------------------------------------------------------------------------------------
// The server

// Writes `events` events, then one whenever `wake` is notified, and notes its own end.
struct Feed {
  explicit Feed(asio::any_io_executor executor) : wake(executor), ended(executor) {}
  WakeEvent wake;
  WakeEvent ended;
  std::string event = "data: x\n\n";
  int events = 1;
  bool endless = false;
};

class NotesEnd {
 public:
  explicit NotesEnd(Feed* feed) : feed_(feed) {}
  ~NotesEnd() { feed_->ended.notify(); }
  NotesEnd(const NotesEnd&) = delete;
  NotesEnd& operator=(const NotesEnd&) = delete;

 private:
  Feed* feed_;
};

Task<void> feed_stream(Stream& stream, Feed* feed) {
  const NotesEnd notes(feed);
  for (int i = 0; i < feed->events || feed->endless; ++i) {
    const bool open = co_await stream.write(feed->event);
    if (!open) co_return;
  }
  if (feed->events == 2) co_return;
  co_await feed->wake.wait();
}

Task<Reply> handle(Request request, Peer peer, Feed* feed) {
  Reply reply;
  reply.response.status = 200;
  if (request.target == "/feed") {
    reply.response.headers.emplace_back("Content-Type", "text/event-stream");
    reply.streamer = [feed](Stream& stream) { return feed_stream(stream, feed); };
    co_return reply;
  }
  reply.response.body =
      request.method + " " + request.target + " " + std::to_string(peer.uid) + " " + request.body;
  co_return reply;
}

Task<bool> wait_for(WakeEvent* event) {
  const auto deadline = SteadyClock::now() + timeout;
  const bool notified = co_await event->wait_until(deadline);
  co_return notified;
}

Task<bool> end_server(Server* server) {
  server->stop();
  co_await server->idle();
  co_return true;
}

class HttpServer : public Http {
 protected:
  void start(ServerLimits limits, bool allowed = true) {
    auto listener = listen_unix(path_, 0600, "");
    ASSERT_TRUE(listener) << listener.error().message;
    server_ = std::make_unique<Server>(
        loop_.get_executor(), std::move(*listener), limits,
        [allowed](const Peer&) { return allowed; },
        [this](Request request, Peer peer) { return handle(std::move(request), peer, &feed_); });
    group_.spawn("server", server_->run());
  }
  ~HttpServer() override {
    if (server_) run(end_server(server_.get()));
    run(drain());
  }
  Task<bool> drain() {
    group_.cancel();
    co_await group_.idle();
    co_return true;
  }

  // A client that sends just these bytes and reads until the server closes.
  std::string raw(std::string_view bytes) {
    auto conversation = std::async(std::launch::async, [this, bytes] {
      const int fd = dial();
      send_all(fd, bytes);
      std::string seen = read_to_end(fd);
      ::close(fd);
      return seen;
    });
    return when_ready(conversation);
  }
  template <class T>
  T when_ready(std::future<T>& future) {
    const auto deadline = SteadyClock::now() + timeout;
    loop_.restart();
    while (future.wait_for(0s) != std::future_status::ready && SteadyClock::now() < deadline) {
      loop_.run_for(1ms);
      loop_.restart();
    }
    return future.get();
  }
  [[nodiscard]] int dial() const {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.string().copy(address.sun_path, sizeof(address.sun_path) - 1);
    EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    return fd;
  }
  static std::string read_to_end(int fd) {
    std::string seen;
    std::array<char, 4096> piece{};
    for (;;) {
      const auto got = ::read(fd, piece.data(), piece.size());
      if (got <= 0) return seen;
      seen.append(piece.data(), static_cast<std::size_t>(got));
    }
  }

  Feed feed_{loop_.get_executor()};
  TaskGroup group_{loop_.get_executor()};
  std::unique_ptr<Server> server_;
};

TEST_F(HttpServer, AnswersRequestsOnOneKeptConnection) {
  start(ServerLimits{});
  auto client = connection();
  const std::string uid = std::to_string(::getuid());
  auto first = run(client.exchange(get("/a"), Limits{}));
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(first->status, 200);
  EXPECT_EQ(first->body, "GET /a " + uid + " ");
  Request post;
  post.method = "POST";
  post.target = "/b";
  post.body = "body";
  auto second = run(client.exchange(post, Limits{}));
  ASSERT_TRUE(second);
  EXPECT_EQ(second->body, "POST /b " + uid + " body");
  Request head = get("/c");
  head.method = "HEAD";
  auto third = run(client.exchange(head, Limits{}));
  ASSERT_TRUE(third);
  EXPECT_EQ(third->body, "");
  EXPECT_NE(third->header("content-length"), "0");
  auto fourth = run(client.exchange(get("/d"), Limits{}));
  ASSERT_TRUE(fourth);
  EXPECT_EQ(fourth->body, "GET /d " + uid + " ");
}

TEST_F(HttpServer, AnswersRequestsThatCameTogether) {
  start(ServerLimits{});
  const std::string seen =
      raw("GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_NE(seen.find("GET /1"), std::string::npos);
  EXPECT_NE(seen.find("GET /2"), std::string::npos);
}

struct RefusalCase {
  const char* name;
  std::string bytes;
  bool allowed;
  int status;
};

class HttpRefusals : public HttpServer, public ::testing::WithParamInterface<RefusalCase> {};

TEST_P(HttpRefusals, AreProblemDocuments) {
  const RefusalCase& wanted = GetParam();
  start(ServerLimits{}, wanted.allowed);
  const std::string seen = raw(wanted.bytes);
  const std::string line = "HTTP/1.1 " + std::to_string(wanted.status) + " ";
  EXPECT_EQ(seen.substr(0, line.size()), line) << seen;
  EXPECT_NE(seen.find("Content-Type: application/problem+json\r\n"), std::string::npos) << seen;
  const auto body = seen.find("\r\n\r\n");
  ASSERT_NE(body, std::string::npos);
  auto problem = parse_json(seen.substr(body + 4));
  ASSERT_TRUE(problem) << seen;
  EXPECT_EQ(json_int(*problem, "status"), wanted.status);
  EXPECT_FALSE(json_string(*problem, "detail").empty());
}

INSTANTIATE_TEST_SUITE_P(
    Refusals, HttpRefusals,
    ::testing::Values(
        RefusalCase{"NotHttp", "hello\r\n\r\n", true, 400},
        RefusalCase{"BadHeader", "GET / HTTP/1.1\r\nno colon\r\n\r\n", true, 400},
        RefusalCase{"LengthAndChunks",
                    "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
                    true, 400},
        RefusalCase{"LongHeader",
                    "GET / HTTP/1.1\r\nX: " + std::string(100 * 1024, 'x') + "\r\n\r\n", true, 431},
        RefusalCase{"LongTarget", "GET /" + std::string(100 * 1024, 'x'), true, 431},
        RefusalCase{"LongBody",
                    "POST / HTTP/1.1\r\nContent-Length: 70000\r\n\r\n" + std::string(70000, 'x'),
                    true, 413},
        RefusalCase{"LongChunks",
                    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n11170\r\n" +
                        std::string(70000, 'x') + "\r\n0\r\n\r\n",
                    true, 413},
        RefusalCase{"Stranger", "GET / HTTP/1.1\r\n\r\n", false, 403}),
    [](const auto& one) { return std::string(one.param.name); });

TEST_F(HttpServer, ClosesSlowAndIdleClients) {
  ServerLimits limits;
  limits.request_timeout = 1s;
  limits.idle_timeout = 50ms;
  start(limits);
  EXPECT_EQ(raw(""), "");
  EXPECT_EQ(raw("GET / HTT"), "");
  EXPECT_EQ(raw("GET / HTTP/1.1\r\n\r\n").substr(0, 15), "HTTP/1.1 200 OK");
}

TEST_F(HttpServer, TurnsAwayTooManyBusyConnections) {
  ServerLimits limits;
  limits.connections = 1;
  start(limits);
  const int busy = dial();
  send_all(busy, "GET /feed HTTP/1.1\r\n\r\n");
  auto begun = std::async(std::launch::async, [busy] {
    char byte = 0;
    return ::read(busy, &byte, 1);
  });
  EXPECT_EQ(when_ready(begun), 1);
  EXPECT_EQ(raw("").substr(0, 12), "HTTP/1.1 503");
  ::close(busy);
}

TEST_F(HttpServer, MakesRoomByEndingTheConnectionThatWasSilentForTheLongestTime) {
  ServerLimits limits;
  limits.connections = 2;
  start(limits);
  const int first = dial();
  auto second = connection();
  ASSERT_TRUE(run(second.exchange(get("/"), Limits{})));
  EXPECT_EQ(raw("GET / HTTP/1.1\r\nConnection: close\r\n\r\n").substr(0, 15), "HTTP/1.1 200 OK");
  EXPECT_EQ(read_to_end(first), "");
  EXPECT_TRUE(run(second.exchange(get("/"), Limits{})));
  ::close(first);
}

TEST_F(HttpServer, StreamsUntilTheStreamerEnds) {
  feed_.events = 2;
  start(ServerLimits{});
  auto client = connection();
  std::string seen;
  auto got = run(client.stream(
      get("/feed"), Limits{}, 10s, [] {},
      [&](std::string_view piece) {
        seen += piece;
        return true;
      }));
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->header("content-type"), "text/event-stream");
  EXPECT_EQ(seen, "data: x\n\ndata: x\n\n");
}

TEST_F(HttpServer, StreamsToOldClientsWithoutChunks) {
  feed_.events = 2;
  start(ServerLimits{});
  const std::string seen = raw("GET /feed HTTP/1.0\r\n\r\n");
  EXPECT_NE(seen.find("\r\n\r\ndata: x\n\ndata: x\n\n"), std::string::npos) << seen;
}

TEST_F(HttpServer, CancelsAWaitingStreamerWhenTheClientCloses) {
  start(ServerLimits{});
  auto client = connection();
  auto got = run(client.stream(
      get("/feed"), Limits{}, 10s, [] {}, [](std::string_view) { return false; }));
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_TRUE(run(wait_for(&feed_.ended)));
}

TEST_F(HttpServer, DropsAClientThatDoesNotRead) {
  feed_.endless = true;
  feed_.event = std::string(64 * 1024, 'x');
  ServerLimits limits;
  limits.write_timeout = 50ms;
  start(limits);
  const int fd = dial();
  send_all(fd, "GET /feed HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(run(wait_for(&feed_.ended)));
  ::close(fd);
}

TEST_F(HttpServer, StopEndsStreamsAndIdleConnections) {
  start(ServerLimits{});
  auto idle = connection();
  ASSERT_TRUE(run(idle.exchange(get("/"), Limits{})));
  const int fd = dial();
  send_all(fd, "GET /feed HTTP/1.1\r\n\r\n");
  auto begun = std::async(std::launch::async, [fd] {
    std::string seen;
    char byte = 0;
    while (seen.find("data: x") == std::string::npos && ::read(fd, &byte, 1) == 1) seen += byte;
    return seen;
  });
  EXPECT_NE(when_ready(begun).find("data: x"), std::string::npos);
  EXPECT_TRUE(run(end_server(server_.get())));
  EXPECT_TRUE(run(wait_for(&feed_.ended)));
  EXPECT_EQ(read_to_end(fd).find("0\r\n\r\n"), std::string::npos) << "looks complete";
  ::close(fd);
}

TEST_F(Http, ListenReplacesAStaleSocketOnly) {
  ::close(listen_at(path_));
  auto listener = listen_unix(path_, 0660, "no-such-group");
  ASSERT_TRUE(listener) << listener.error().message;
  EXPECT_EQ(fs::status(path_).permissions(), fs::perms(0660));
  auto second = listen_unix(path_, 0660, "");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::conflict);
  const fs::path file = directory_ / "file";
  std::ofstream(file) << "precious";
  auto over_file = listen_unix(file, 0660, "");
  ASSERT_FALSE(over_file);
  EXPECT_EQ(over_file.error().code, Errc::conflict);
  EXPECT_EQ(fs::file_size(file), 8U);
}

}  // namespace
}  // namespace trimtab::http
