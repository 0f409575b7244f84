#include "agent/units/system_bus.hpp"

#include <poll.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace trimtab {
namespace {

using boost::system::error_code;

#if SDBUSCPP_MAJOR >= 2
const sdbus::ServiceName systemd_name{"org.freedesktop.systemd1"};
#else
constexpr const char* systemd_name = "org.freedesktop.systemd1";
#endif

// What sdbus-c++ waits for on the loop's thread is an answer of the bus itself, which takes less
// than a millisecond.
constexpr auto longest_of_bus = std::chrono::milliseconds(500);

// Whether the bus answers at all: it is offered the first step of the authentication. sdbus-c++
// opens a connection in one go, and would stand still for a minute and a half at a bus that hangs.
Task<Result<void>> offer_authentication(std::string socket) {
  const auto executor = co_await asio::this_coro::executor;
  asio::local::stream_protocol::socket connection(executor);
  const asio::local::stream_protocol::endpoint address(socket);
  error_code ec;
  co_await connection.async_connect(address, asio::redirect_error(asio::use_awaitable, ec));
  const std::string offer("\0AUTH\r\n", 7);
  if (!ec) {
    co_await asio::async_write(connection, asio::buffer(offer),
                               asio::redirect_error(asio::use_awaitable, ec));
  }
  std::string answer;
  auto buffer = asio::dynamic_buffer(answer, 4096);
  if (!ec) {
    co_await asio::async_read_until(connection, buffer, "\r\n",
                                    asio::redirect_error(asio::use_awaitable, ec));
  }
  if (ec) co_return Error{Errc::unavailable, "the bus at " + socket + ": " + ec.message(), {}};
  co_return Result<void>();
}

}  // namespace

SystemBus::SystemBus(asio::any_io_executor loop)
    : loop_(std::move(loop)), descriptor_(loop_), timer_(loop_) {}

Task<Result<std::shared_ptr<SystemBus>>> SystemBus::open(std::string socket,
                                                         std::chrono::milliseconds timeout) {
  const auto executor = co_await asio::this_coro::executor;
  auto offer = offer_authentication(socket);
  const auto deadline = SteadyClock::now() + timeout;
  const Result<void> answers =
      co_await with_deadline(deadline, "the bus at " + socket, std::move(offer));
  if (!answers) co_return answers.error();
  auto bus = std::make_shared<SystemBus>(executor);
  const Result<void> connected = bus->connect(socket);
  if (!connected) co_return connected.error();
  co_return bus;
}

Result<void> SystemBus::connect(const std::string& socket) {
  try {
    // By address, in both versions of sdbus-c++; what it calls the session bus's is any bus's.
    connection_ = sdbus::createSessionBusConnectionWithAddress("unix:path=" + socket);
    connection_->setMethodCallTimeout(longest_of_bus);
    descriptor_.assign(connection_->getEventLoopPollData().fd);
    open_ = true;
    wait();
  } catch (const sdbus::Error& error) {
    return failed(error);
  } catch (const boost::system::system_error& error) {
    return Error{Errc::unavailable, error.code().message(), {}};
  }
  return {};
}

void SystemBus::close() {
  on_loss_ = nullptr;
  open_ = false;
  if (descriptor_.is_open()) descriptor_.release();
  timer_.cancel();
}

Error SystemBus::failed(const sdbus::Error& error) {
  return Error{Errc::unavailable, printable(error.getMessage()), {}};
}

std::unique_ptr<sdbus::IProxy> SystemBus::object_at(const std::string& path) {
  return sdbus::createProxy(*connection_, systemd_name, sdbus::ObjectPath{path});
}

Result<std::unique_ptr<sdbus::IProxy>> SystemBus::follow(
    const std::string& path, std::function<void(const std::string&, const Properties&)> changed) {
  try {
    auto object = object_at(path);
    object->uponSignal("PropertiesChanged")
        .onInterface(properties_interface)
        .call([this, changed = std::move(changed)](const std::string& interface,
                                                   const Properties& properties,
                                                   const std::vector<std::string>&) {
          signals_.push_back([=] { changed(interface, properties); });
        });
#if SDBUSCPP_MAJOR < 2
    object->finishRegistration();
#endif
    wait();
    return object;
  } catch (const sdbus::Error& error) {
    return failed(error);
  }
}

// What is waited for changes with each message that is sent or taken: called after each. sdbus-c++
// 2 has a descriptor that tells of changes made by other threads; there are none.
void SystemBus::wait() {
  if (!open_) return;
  const auto wanted = connection_->getEventLoopPollData();
  if ((wanted.events & POLLIN) != 0) {
    wait_for(asio::posix::stream_descriptor::wait_read, &waits_to_read_);
  }
  if ((wanted.events & POLLOUT) != 0) {
    wait_for(asio::posix::stream_descriptor::wait_write, &waits_to_write_);
  }
  const int milliseconds = wanted.getPollTimeout();
  if (milliseconds < 0) {
    timer_.cancel();
    return;
  }
  timer_.expires_after(std::chrono::milliseconds(milliseconds));
  timer_.async_wait([self = shared_from_this()](const error_code& ec) {
    if (!ec) self->process();
  });
}

void SystemBus::wait_for(asio::posix::stream_descriptor::wait_type what, bool* waiting) {
  if (std::exchange(*waiting, true)) return;
  descriptor_.async_wait(what, [self = shared_from_this(), waiting](const error_code&) {
    *waiting = false;
    self->process();
  });
}

bool SystemBus::process_one() {
#if SDBUSCPP_MAJOR >= 2
  return connection_->processPendingEvent();
#else
  return connection_->processPendingRequest();
#endif
}

void SystemBus::process() {
  if (!open_) return;
  try {
    while (open_ && (process_one() || connection_->getEventLoopPollData().getPollTimeout() == 0)) {
      // The end of a connection comes in several steps, not each of which counts as one.
    }
    wait();
  } catch (const sdbus::Error&) {
    // Whoever waits for an answer has been told that the connection ended.
    const auto lost = std::move(on_loss_);
    close();
    if (lost) lost();
  }
  // Only now: what they do may end what brought them.
  for (const auto& signal : std::exchange(signals_, {})) signal();
}

}  // namespace trimtab
