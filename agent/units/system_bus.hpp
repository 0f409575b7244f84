// A connection to the system bus that the loop serves: sdbus-c++ says which descriptor and timeout
// it waits for, and Asio waits for them. sdbus-c++ runs no thread of its own.
#pragma once

#include <sdbus-c++/sdbus-c++.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "common/async.hpp"
#include "common/text.hpp"

namespace trimtab {

#if SDBUSCPP_MAJOR >= 2
using BusFailure = std::optional<sdbus::Error>;
#else
using BusFailure = const sdbus::Error*;
#endif

inline constexpr const char* properties_interface = "org.freedesktop.DBus.Properties";

// A method of one of systemd's objects.
struct BusMethod {
  std::string path;
  std::string interface;
  std::string name;
  std::chrono::milliseconds timeout;
};

// Waits on the loop until close() or the loss of the connection, which keeps the loop running: an
// owner that does not close it keeps the process from ending.
class SystemBus : public std::enable_shared_from_this<SystemBus> {
 public:
  using Properties = std::map<std::string, sdbus::Variant>;

  // Connects. Errors: unavailable if there is no bus, timed_out if it does not answer within
  // `timeout`.
  static Task<Result<std::shared_ptr<SystemBus>>> open(std::string socket,
                                                       std::chrono::milliseconds timeout);
  explicit SystemBus(asio::any_io_executor loop);

  // False after close() and once the bus has ended the connection.
  [[nodiscard]] bool is_open() const { return open_; }
  // Sets what is called, once, when the bus ends the connection.
  void on_loss(std::function<void()> lost) { on_loss_ = std::move(lost); }
  // Ends all waiting on the loop; afterwards neither signals nor the loss are reported. Calls in
  // flight end by their timeouts.
  void close();

  // Calls the method and returns its answer. Errors: unavailable with the text of the D-Bus error,
  // timed_out, cancelled. The caller may be cancelled at any time.
  template <class... Values, class... Arguments>
  Task<Result<std::tuple<Values...>>> call(BusMethod method, Arguments... arguments) {
    const auto self = shared_from_this();
    Answer<Values...> answer(loop_);
    // Destroyed before `answer`; the pending call goes with it, so that no late reply writes there.
    std::unique_ptr<sdbus::IProxy> object;
    const Result<void> sent = send(method, object, answer, arguments...);
    if (!sent) co_return sent.error();
    const auto deadline = SteadyClock::now() + method.timeout;
    const bool answered = co_await answer.arrived.wait_until(deadline);
    if (!answered) {
      const bool late = SteadyClock::now() >= deadline;
      co_return Error{late ? Errc::timed_out : Errc::cancelled,
                      late ? "no answer in " + human_duration(method.timeout) : "cancelled",
                      {}};
    }
    co_return std::move(answer.values);
  }

  // Subscribes to PropertiesChanged of the object: `changed` is called with the interface and the
  // changed properties while the returned proxy exists, which must not outlive the SystemBus.
  Result<std::unique_ptr<sdbus::IProxy>> follow(
      const std::string& path, std::function<void(const std::string&, const Properties&)> changed);

 private:
  template <class... Values>
  struct Answer {
    explicit Answer(const asio::any_io_executor& loop) : arrived(loop) {}
    WakeEvent arrived;
    Result<std::tuple<Values...>> values = std::tuple<Values...>();
  };

  template <class... Values, class... Arguments>
  Result<void> send(const BusMethod& method, std::unique_ptr<sdbus::IProxy>& object,
                    Answer<Values...>& answer, const Arguments&... arguments) {
    try {
      object = object_at(method.path);
      object->callMethodAsync(method.name)
          .onInterface(method.interface)
          .withTimeout(method.timeout + std::chrono::seconds(1))  // call()'s deadline comes first
          .withArguments(arguments...)
          .uponReplyInvoke([&answer](BusFailure failure, const Values&... values) {
            if (failure) {
              answer.values = failed(*failure);
            } else {
              answer.values = std::tuple<Values...>(values...);
            }
            answer.arrived.notify();
          });
      wait();
    } catch (const sdbus::Error& error) {
      return failed(error);
    }
    return {};
  }

  static Error failed(const sdbus::Error& error);
  Result<void> connect(const std::string& socket);
  std::unique_ptr<sdbus::IProxy> object_at(const std::string& path);
  void wait();
  void wait_for(asio::posix::stream_descriptor::wait_type what, bool* waiting);
  bool process_one();
  void process();

  asio::any_io_executor loop_;
  std::unique_ptr<sdbus::IConnection> connection_;
  asio::posix::stream_descriptor descriptor_;  // owned and closed by connection_
  asio::steady_timer timer_;
  std::function<void()> on_loss_;
  bool open_ = false;
  bool waits_to_read_ = false;
  bool waits_to_write_ = false;
  std::vector<std::function<void()>> signals_;  // received, not yet delivered
};

}  // namespace trimtab
