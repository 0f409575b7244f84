#include "agent/units/system_bus.hpp"

#include <fmt/core.h>
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

// sdbus-c++ blocks the loop only for replies of the bus daemon itself (Hello, AddMatch), which take
// less than a millisecond.
constexpr auto max_blocking_call = std::chrono::milliseconds(500);

// Checks that the bus answers, by the first step of D-Bus authentication on a connection of its
// own. sdbus-c++ connects in one blocking call, which would stall the loop for 90 s if the bus
// hangs.
Task<Result<void>> probe(std::string socket) {
  const auto executor = co_await asio::this_coro::executor;
  asio::local::stream_protocol::socket connection(executor);
  const asio::local::stream_protocol::endpoint address(socket);
  error_code ec;
  co_await connection.async_connect(address, asio::redirect_error(asio::use_awaitable, ec));
  const std::string auth("\0AUTH\r\n", 7);
  if (!ec) {
    co_await asio::async_write(connection, asio::buffer(auth),
                               asio::redirect_error(asio::use_awaitable, ec));
  }
  std::string answer;
  auto buffer = asio::dynamic_buffer(answer, 4096);
  if (!ec) {
    co_await asio::async_read_until(connection, buffer, "\r\n",
                                    asio::redirect_error(asio::use_awaitable, ec));
  }
  if (ec)
    co_return Error{Errc::unavailable, fmt::format("the bus at {}: {}", socket, ec.message()), {}};
  co_return Result<void>();
}

}  // namespace

SystemBus::SystemBus(asio::any_io_executor loop)
    : loop_(std::move(loop)), descriptor_(loop_), timer_(loop_) {}

Task<Result<std::shared_ptr<SystemBus>>> SystemBus::open(std::string socket,
                                                         std::chrono::milliseconds timeout) {
  const auto executor = co_await asio::this_coro::executor;
  auto probing = probe(socket);
  const auto deadline = SteadyClock::now() + timeout;
  const Result<void> answers =
      co_await with_deadline(deadline, "the bus at " + socket, std::move(probing));
  if (!answers) co_return answers.error();
  auto bus = std::make_shared<SystemBus>(executor);
  const Result<void> connected = bus->connect(socket);
  if (!connected) co_return connected.error();
  co_return bus;
}

Result<void> SystemBus::connect(const std::string& socket) {
  try {
    // The one constructor with an address that both versions of sdbus-c++ have; despite its name it
    // connects to any bus.
    connection_ = sdbus::createSessionBusConnectionWithAddress("unix:path=" + socket);
    connection_->setMethodCallTimeout(max_blocking_call);
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

// Must be called after each message that was sent or processed, since that changes what sdbus-c++
// waits for. The eventfd of sdbus-c++ 2 reports messages sent by other threads; there are none.
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
      // sd-bus closes a connection in several steps and reports progress only for some of them.
    }
    wait();
  } catch (const sdbus::Error&) {
    // The calls in flight have already been answered with the connection's end.
    const auto lost = std::move(on_loss_);
    close();
    if (lost) lost();
  }
  // Delivered outside of sdbus-c++, since a handler may destroy the proxy that received the signal.
  for (const auto& signal : std::exchange(signals_, {})) signal();
}

}  // namespace trimtab
