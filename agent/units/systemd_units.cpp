#include "agent/units/systemd_units.hpp"

#include <fmt/core.h>
#include <systemd/sd-daemon.h>

#include "agent/units/system_bus.hpp"
#include "common/log.hpp"
#include "common/text.hpp"

namespace trimtab {
namespace {

constexpr const char* manager_path = "/org/freedesktop/systemd1";
constexpr const char* manager_interface = "org.freedesktop.systemd1.Manager";
constexpr const char* unit_interface = "org.freedesktop.systemd1.Unit";

using Properties = SystemBus::Properties;
using UnitFileChanges = std::vector<sdbus::Struct<std::string, std::string, std::string>>;

std::string text_of(const Properties& properties, const char* name) {
  const auto found = properties.find(name);
  return found == properties.end() ? std::string() : found->second.get<std::string>();
}

std::uint64_t moment_of(const Properties& properties, const char* name) {
  const auto found = properties.find(name);
  return found == properties.end() ? 0 : found->second.get<std::uint64_t>();
}

// Throws sdbus::Error if a property does not have its documented type.
UnitState state_of(const Properties& properties) {
  UnitState state;
  state.load = text_of(properties, "LoadState");
  state.active = text_of(properties, "ActiveState");
  state.file = text_of(properties, "FragmentPath");
  state.enabled = text_of(properties, "UnitFileState");
  state.active_since = WallTime(std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::microseconds(moment_of(properties, "ActiveEnterTimestamp"))));
  // A unit that failed to start never became active; one that failed to stop left the active state
  // after its last start had begun.
  state.failed_to_stop = moment_of(properties, "ActiveExitTimestampMonotonic") >
                         moment_of(properties, "InactiveExitTimestampMonotonic");
  const auto job = properties.find("Job");
  if (job != properties.end()) {
    using Job = sdbus::Struct<std::uint32_t, sdbus::ObjectPath>;
    state.has_job = std::get<0>(job->second.get<Job>()) != 0;
  }
  return state;
}

Result<UnitState> read_state(const std::string& unit, const Properties& properties) {
  try {
    return state_of(properties);
  } catch (const sdbus::Error& error) {
    return Error{Errc::invalid,
                 fmt::format("systemd's answer about {}: {}", unit, printable(error.getMessage())),
                 {}};
  }
}

// Returns a unit's new ActiveState, "" if another property changed.
std::string new_active_state(const std::string& interface, const Properties& properties) {
  if (interface != unit_interface) return {};
  try {
    return text_of(properties, "ActiveState");
  } catch (const sdbus::Error&) {
    return {};
  }
}

}  // namespace

// A connection and the units whose signals are received on it.
struct SystemdUnits::Connection {
  std::shared_ptr<SystemBus> bus;
  bool subscribed = false;
  std::map<std::string, std::unique_ptr<sdbus::IProxy>> followed;
};

bool SystemdUnits::manages_this_host() {
  return ::sd_booted() > 0;
}

SystemdUnits::SystemdUnits(asio::any_io_executor loop, SystemdOptions options)
    : options_(std::move(options)), connecting_(std::move(loop)) {}

SystemdUnits::~SystemdUnits() {
  if (connection_) connection_->bus->close();
}

Task<Result<std::shared_ptr<SystemdUnits::Connection>>> SystemdUnits::connected() {
  const auto lock = co_await connecting_.lock();
  if (connection_ && connection_->bus->is_open()) co_return connection_;
  auto bus = co_await SystemBus::open(options_.bus, options_.timeout);
  if (!bus) co_return bus.error();
  (*bus)->on_loss([this] {
    was_lost_ = true;
    publish_missed_changes();
  });
  connection_ = std::make_shared<Connection>();
  connection_->bus = *bus;
  co_return connection_;
}

template <class... Values, class... Arguments>
Task<Result<std::tuple<Values...>>> SystemdUnits::call(std::string doing, BusMethod method,
                                                       Arguments... arguments) {
  for (;;) {
    const bool was_connected = connection_ && connection_->bus->is_open();
    const auto connection = co_await connected();
    if (!connection) co_return connection.error().context("systemd cannot " + doing);
    const std::shared_ptr<SystemBus> bus = (*connection)->bus;
    auto asked = bus->call<Values...>(method, arguments...);
    auto answer = co_await std::move(asked);
    if (answer) co_return std::move(*answer);
    // A connection that was there before and ended during the call means that the bus was
    // restarted: calls once more, on a new one.
    const bool restarted = was_connected && !bus->is_open();
    const bool is_cancelled = answer.error().code == Errc::cancelled;
    if (is_cancelled || !restarted) co_return answer.error().context("systemd cannot " + doing);
  }
}

Task<Result<UnitState>> SystemdUnits::state(std::string unit) {
  co_await follow_watched();
  BusMethod load{manager_path, manager_interface, "LoadUnit", options_.timeout};
  const auto path = co_await call<sdbus::ObjectPath>("tell of " + unit, std::move(load), unit);
  if (!path) co_return path.error();
  BusMethod get{std::get<0>(*path), properties_interface, "GetAll", options_.timeout};
  const auto properties =
      co_await call<Properties>("tell of " + unit, std::move(get), std::string(unit_interface));
  if (!properties) co_return properties.error();
  co_return read_state(unit, std::get<0>(*properties));
}

Task<Result<void>> SystemdUnits::reload() {
  BusMethod method{manager_path, manager_interface, "Reload", options_.reload_timeout};
  const auto done = co_await call<>("read its unit files again", std::move(method));
  if (!done) co_return done.error();
  co_return Result<void>();
}

Task<Result<void>> SystemdUnits::enable(std::string unit) {
  BusMethod method{manager_path, manager_interface, "EnableUnitFiles", options_.reload_timeout};
  const std::vector<std::string> units{unit};
  const auto done = co_await call<bool, UnitFileChanges>("enable " + unit, std::move(method), units,
                                                         false, false);
  if (!done) co_return done.error();
  co_return Result<void>();
}

Task<Result<void>> SystemdUnits::disable(std::string unit) {
  BusMethod method{manager_path, manager_interface, "DisableUnitFiles", options_.reload_timeout};
  const std::vector<std::string> units{unit};
  const auto done =
      co_await call<UnitFileChanges>("disable " + unit, std::move(method), units, false);
  if (!done) co_return done.error();
  co_return Result<void>();
}

Task<Result<void>> SystemdUnits::start(std::string unit) {
  BusMethod method{manager_path, manager_interface, "StartUnit", options_.timeout};
  const auto done = co_await call<sdbus::ObjectPath>("start " + unit, std::move(method), unit,
                                                     std::string("replace"));
  if (!done) co_return done.error();
  co_return Result<void>();
}

void SystemdUnits::watch(std::string unit, std::function<void(std::string active)> changed) {
  watched_[std::move(unit)] = std::move(changed);
}

void SystemdUnits::unwatch(const std::string& unit) {
  watched_.erase(unit);
  if (connection_) connection_->followed.erase(unit);
}

void SystemdUnits::publish(const std::string& unit, const std::string& active) {
  const auto found = watched_.find(unit);
  if (found == watched_.end()) return;
  const auto changed = found->second;
  changed(active);
}

void SystemdUnits::publish_missed_changes() {
  std::vector<std::string> units;
  for (const auto& [unit, changed] : watched_) units.push_back(unit);
  for (const std::string& unit : units) publish(unit, "");
}

// Signals are optional: without them a change is found by the next poll.
Task<void> SystemdUnits::follow_watched() {
  const auto connection = co_await connected();
  if (!connection) co_return;
  std::vector<std::string> units;
  for (const auto& [unit, changed] : watched_) {
    if (!(*connection)->followed.contains(unit)) units.push_back(unit);
  }
  if (units.empty()) co_return;
  for (const std::string& unit : units) {
    const bool followed = co_await follow(*connection, unit);
    if (!followed) co_return;
  }
  // Changes between the loss and these subscriptions were missed.
  if (std::exchange(was_lost_, false)) publish_missed_changes();
}

Task<bool> SystemdUnits::follow(std::shared_ptr<Connection> connection, std::string unit) {
  if (!connection->subscribed) {
    BusMethod subscribe{manager_path, manager_interface, "Subscribe", options_.timeout};
    const auto done = co_await connection->bus->call<>(std::move(subscribe));
    if (!done) co_return false;
    connection->subscribed = true;
  }
  BusMethod load{manager_path, manager_interface, "LoadUnit", options_.timeout};
  const auto path = co_await connection->bus->call<sdbus::ObjectPath>(std::move(load), unit);
  if (!path) co_return false;
  const auto changed = [this, unit](const std::string& interface, const Properties& properties) {
    const std::string active = new_active_state(interface, properties);
    if (!active.empty()) publish(unit, active);
  };
  auto signals = connection->bus->follow(std::get<0>(*path), changed);
  if (!signals) {
    spdlog::debug("no signals of systemd: {}", signals.error().message);
    co_return false;
  }
  if (watched_.contains(unit)) connection->followed[unit] = std::move(*signals);
  co_return true;
}

}  // namespace trimtab
