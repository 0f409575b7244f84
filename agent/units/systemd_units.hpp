// systemd, over the system bus. Source: org.freedesktop.systemd1(5).
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <map>
#include <memory>

#include "agent/units/units.hpp"

namespace trimtab {

class SystemdUnits final : public Units {
 public:
  // Whether this host was booted with systemd.
  static bool manages_this_host();

  explicit SystemdUnits(asio::any_io_executor loop);
  ~SystemdUnits() override;

  Task<Result<UnitState>> state(std::string unit) override;
  Task<Result<void>> reload() override;
  Task<Result<void>> enable(std::string unit) override;
  Task<Result<void>> disable(std::string unit) override;
  Task<Result<void>> start(std::string unit) override;
  void watch(std::string unit, std::function<void(std::string active)> changed) override;
  void unwatch(const std::string& unit) override { watched_.erase(unit); }

 private:
  struct Calls;
  struct Signals;
  template <class T>
  Task<Result<T>> on_call_thread(std::function<Result<T>()> call);
  void publish(const std::string& unit, const std::string& active);
  Task<void> follow_signals();
  std::shared_ptr<Signals> connect_signals(const std::vector<std::string>& units);

  asio::any_io_executor loop_;
  std::map<std::string, std::function<void(std::string)>> watched_;
  // The bus is asked on a thread of its own, since an answer may take long: a reload reads all unit
  // files. Signals come on another connection with a thread of its own.
  std::unique_ptr<Calls> calls_;
  std::shared_ptr<Signals> signals_;
  bool signals_wanted_ = false;  // for units that are not among those of signals_
  asio::thread_pool call_thread_{1};
};

}  // namespace trimtab
