// A connection to the system bus that is served by the loop: sdbus-c++ says what it waits for, Asio
// waits for it.
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

// A method of systemd's.
struct BusMethod {
  std::string path;
  std::string interface;
  std::string name;
  std::chrono::milliseconds timeout;
};

class SystemBus : public std::enable_shared_from_this<SystemBus> {
 public:
  using Properties = std::map<std::string, sdbus::Variant>;

  // Errors: unavailable where there is no bus or where it does not answer within `timeout`.
  static Task<Result<std::shared_ptr<SystemBus>>> open(std::string socket,
                                                       std::chrono::milliseconds timeout);
  explicit SystemBus(asio::any_io_executor loop);

  // False once the bus has ended the connection, and after close().
  [[nodiscard]] bool is_open() const { return open_; }
  // Calls `lost` when the bus ends the connection.
  void on_loss(std::function<void()> lost) { on_loss_ = std::move(lost); }
  // Calls nobody any more; calls in flight end by their timeouts.
  void close();

  // The method's answer. Errors: unavailable with the words of the one that refused, timed_out,
  // cancelled. The caller may be cancelled at any time.
  template <class... Values, class... Arguments>
  Task<Result<std::tuple<Values...>>> call(BusMethod method, Arguments... arguments) {
    const auto self = shared_from_this();
    Answer<Values...> answer(loop_);
    // Destroyed before the answer is, and its call with it: nobody writes there any more.
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

  // From now on calls `changed` with the interface and what changed of its properties, until the
  // connection ends. The result keeps that up; it must not outlive the SystemBus.
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
          .withTimeout(method.timeout + std::chrono::seconds(1))  // ours ends it before
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
  asio::posix::stream_descriptor descriptor_;  // the connection's, which closes it
  asio::steady_timer timer_;
  std::function<void()> on_loss_;
  bool open_ = false;
  bool waits_to_read_ = false;
  bool waits_to_write_ = false;
  std::vector<std::function<void()>> signals_;  // that came and are still to be told
};

}  // namespace trimtab
