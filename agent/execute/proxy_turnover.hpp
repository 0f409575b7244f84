// Makes the proxies of a service send their requests to other containers of it, and waits until
// those that they sent before are answered. The new addresses go into the proxies' hosts files,
// which are read before Docker's DNS is asked, and the proxies are reloaded. One that asks the DNS
// itself, at each request, is told of all containers that run and keeps the answer for a time: the
// kernel refuses its connections to those that are not to be used, so that it takes the next
// address. An old container is done with when no old process of a proxy and no connection to its
// address (/proc/PID/net/tcp) is left, or after a minute. At the end the lines are removed again,
// and the proxies reloaded, which forget old answers then.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/docker/docker.hpp"
#include "agent/execute/connection_refusal.hpp"
#include "agent/execute/progress.hpp"
#include "agent/execute/reloading.hpp"
#include "agent/model/outcome.hpp"

namespace trimtab {

// Whether requests may be sent to it.
bool works(const Container& container);

// All outlive the turnover.
struct ProxyTurnoverDeps {
  Docker& docker;
  Progress& progress;
  const bool& stop_requested;
};

struct Turnover {
  std::string service;                   // that the proxies send requests to
  std::set<std::string> with_new_files;  // services whose mounted files the release changes
  bool going_back = false;               // a proxy that cannot be reloaded does not stop it
};

class ProxyTurnover {
 public:
  ProxyTurnover(ProxyTurnoverDeps deps, Turnover wanted)
      : deps_(deps), wanted_(std::move(wanted)) {}

  // From now on new requests go to none of the first containers, nor to any that they have left
  // before; they may go to the others, also where Docker has given one of those an address that was
  // left.
  void pass_by(const std::vector<Proxy>& proxies, const std::vector<Container>& avoided,
               const std::vector<Container>& used);
  // From these containers to those, and until the last old request is answered. cancelled where a
  // stop was requested; failure() may say more of other errors.
  Task<Result<void>> point(std::vector<Proxy> proxies, std::vector<Container> from,
                           std::vector<Container> to);
  // From now on Docker's DNS says where the service is, which has so many containers.
  Task<Result<void>> free(std::vector<Proxy> proxies, std::size_t working);
  [[nodiscard]] const std::optional<Failure>& failure() const { return failure_; }

 private:
  Task<Result<void>> reload(std::vector<Proxy> proxies);
  Task<Result<void>> drain(std::vector<Proxy> proxies, std::set<std::string> addresses,
                           std::vector<Container> to);
  Task<void> outlive_old_processes(std::vector<Proxy> proxies);
  // Instead of what was refused to it before.
  void refuse(const Proxy& proxy, std::set<std::string> addresses);

  ProxyTurnoverDeps deps_;
  Turnover wanted_;
  bool pointed_ = false;  // whether a proxy was reloaded
  // Container → its processes before its reload, each with its parent.
  std::map<std::string, std::map<int, int>> workers_;
  std::set<std::string> renewing_;  // containers of proxies that start new processes on a reload
  struct Refused {
    std::set<std::string> addresses;
    std::optional<ConnectionRefusal> refusal;
  };
  std::map<std::string, Refused> refused_;  // by container of a proxy
  std::set<std::string> left_;              // addresses that new requests do not go to
  bool cannot_refuse_ = false;
  std::optional<Failure> failure_;
};

}  // namespace trimtab
