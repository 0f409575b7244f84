// systemd, over the system bus. Interface: org.freedesktop.systemd1(5).
#pragma once

#include <map>
#include <memory>

#include "agent/units/units.hpp"
#include "common/async_mutex.hpp"

namespace trimtab {

struct BusMethod;
class SystemBus;

struct SystemdOptions {
  std::string bus = "/run/dbus/system_bus_socket";
  std::chrono::milliseconds timeout = std::chrono::seconds(10);
  // For the calls that make systemd read all unit files.
  std::chrono::milliseconds reload_timeout = std::chrono::seconds(90);
};

// Connects on the first call, and again after the bus was restarted. A bus or a systemd that hangs
// is reported as Errc::timed_out or unavailable and never blocks the loop. The connection waits on
// the loop until this object is destroyed.
// More than 15 members: it implements all calls of Units on one bus connection.
class SystemdUnits final : public Units {
 public:
  // True if this host was booted with systemd.
  static bool manages_this_host();

  explicit SystemdUnits(asio::any_io_executor loop, SystemdOptions options = {});
  ~SystemdUnits() override;

  Task<Result<UnitState>> state(std::string unit) override;
  Task<Result<void>> reload() override;
  Task<Result<void>> enable(std::string unit) override;
  Task<Result<void>> disable(std::string unit) override;
  Task<Result<void>> start(std::string unit) override;
  void watch(std::string unit, std::function<void(std::string active)> changed) override;
  void unwatch(const std::string& unit) override;

 private:
  struct Connection;
  template <class... Values, class... Arguments>
  Task<Result<std::tuple<Values...>>> call(std::string doing, BusMethod method,
                                           Arguments... arguments);
  Task<Result<std::shared_ptr<Connection>>> connected();
  Task<void> follow_watched();
  Task<bool> follow(std::shared_ptr<Connection> connection, std::string unit);
  void publish(const std::string& unit, const std::string& active);
  void publish_missed_changes();

  SystemdOptions options_;
  std::map<std::string, std::function<void(std::string)>> watched_;
  std::shared_ptr<Connection> connection_;
  bool was_lost_ = false;  // the connection was lost and no unit is followed on a new one yet
  AsyncMutex connecting_;
};

}  // namespace trimtab
