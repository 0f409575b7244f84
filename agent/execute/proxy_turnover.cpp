#include "agent/execute/proxy_turnover.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "agent/execute/proxy_files.hpp"
#include "common/files.hpp"
#include "common/text.hpp"

namespace trimtab {
namespace {

constexpr std::size_t max_hosts_file = 256 * 1024;
constexpr auto look_again = std::chrono::milliseconds(100);
// A proxy uses the new address once it has new processes. This is the time allowed for a proxy that
// does not start new processes on reload.
constexpr auto reload_timeout = std::chrono::seconds(5);
// Its old processes may hold a download that lasts an hour.
constexpr auto drain_timeout = std::chrono::seconds(60);
// How long there must be no connection, because a request that is still being received opens one
// only afterwards.
constexpr auto quiet_enough = std::chrono::seconds(1);

// Returns the process and all its descendants, each with its parent.
std::map<int, int> processes_of(int root) {
  std::map<int, int> found;
  std::vector<std::pair<int, int>> open;
  if (root > 0) open.emplace_back(root, 0);
  while (!open.empty()) {
    const auto [pid, parent] = open.back();
    open.pop_back();
    if (!found.emplace(pid, parent).second) continue;
    const std::string number = std::to_string(pid);
    const auto children = read_file(fmt::format("/proc/{}/task/{}/children", number, number));
    if (!children) continue;
    for (const std::string& word : split(*children, ' ')) {
      int child = 0;
      std::from_chars(word.data(), word.data() + word.size(), child);
      if (child > 0) open.emplace_back(child, pid);
    }
  }
  return found;
}

// The state of a proxy's processes since its reload.
struct Succession {
  bool begun = false;  // there are new processes
  bool over = false;   // and the ones that they replace have exited
};

// On a reload a process replaces its children by new ones; other children, such as a shell that
// renews certificates, stay.
Succession succession(const std::map<int, int>& before, const std::map<int, int>& now) {
  std::set<int> parents;
  for (const auto& [pid, parent] : now) {
    if (!before.contains(pid)) parents.insert(parent);
  }
  const bool replaced = std::none_of(before.begin(), before.end(), [&](const auto& old) {
    return parents.contains(old.second) && now.contains(old.first);
  });
  return {!parents.empty(), !parents.empty() && replaced};
}

int connections_of(int pid, const std::set<std::string>& addresses) {
  int count = 0;
  for (const char* table : {"tcp", "tcp6"}) {
    const auto text = read_file(fmt::format("/proc/{}/net/{}", pid, table));
    if (text) count += connections_to(*text, addresses);
  }
  return count;
}

// Returns the container's addresses in the networks that it shares with the proxy.
std::vector<std::string> addresses_for(const Proxy& proxy, const Container& container) {
  std::vector<std::string> addresses;
  for (const NetworkAddress& mine : container.networks) {
    for (const NetworkAddress& theirs : proxy.container.networks) {
      if (mine.network == theirs.network && !mine.ipv4.empty()) addresses.push_back(mine.ipv4);
    }
  }
  return addresses;
}

// Returns the names that all containers of the service have in those networks.
std::set<std::string> names_of(const Proxy& proxy, const Container& container) {
  std::set<std::string> names{container.service};
  for (const NetworkAddress& mine : container.networks) {
    for (const NetworkAddress& theirs : proxy.container.networks) {
      if (mine.network != theirs.network) continue;
      for (const std::string& alias : mine.aliases) {
        if (alias != container.name && !container.id.starts_with(alias)) names.insert(alias);
      }
    }
  }
  return names;
}

}  // namespace

bool works(const Container& container) {
  return container.state == ContainerState::running && container.health != Health::unhealthy &&
         container.health != Health::starting;
}

void ProxyTurnover::refuse(const Proxy& proxy, std::set<std::string> addresses) {
  Refused& refused = refused_[proxy.container.id];
  if (refused.addresses == addresses) return;
  refused.addresses = std::move(addresses);
  if (refused.addresses.empty()) return refused.refusal.reset();
  auto begun = ConnectionRefusal::begin(proxy.container.pid, refused.addresses);
  if (begun) {
    refused.refusal = std::move(*begun);
    return;
  }
  // The one before may refuse an address that is in use by now.
  refused.refusal.reset();
  if (!std::exchange(cannot_refuse_, true)) {
    deps_.progress.note(fmt::format("if {} looks {} up at each request, some of them may fail: {}",
                                    proxy.container.service, wanted_.service,
                                    begun.error().text()));
  }
}

void ProxyTurnover::pass_by(const std::vector<Proxy>& proxies,
                            const std::vector<Container>& avoided,
                            const std::vector<Container>& used) {
  // A container that has exited has no address any more, but answers that name it may be valid.
  for (const Proxy& proxy : proxies) {
    for (const Container& container : avoided) {
      for (std::string& address : addresses_for(proxy, container)) left_.insert(std::move(address));
    }
  }
  for (const Proxy& proxy : proxies) {
    for (const Container& container : used) {
      for (const std::string& address : addresses_for(proxy, container)) left_.erase(address);
    }
  }
  for (const Proxy& proxy : proxies) refuse(proxy, left_);
}

// Sends the proxies' new requests to other containers, and waits until the last old request has
// been answered.
Task<Result<void>> ProxyTurnover::point(std::vector<Proxy> proxies, std::vector<Container> from,
                                        std::vector<Container> to) {
  std::vector<Proxy> pointed;
  std::set<std::string> outgoing;
  for (const Proxy& proxy : proxies) {
    std::vector<std::string> addresses;
    std::set<std::string> theirs;
    std::set<std::string> names;
    for (const Container& container : to) {
      if (!works(container)) continue;
      for (std::string& address : addresses_for(proxy, container)) {
        addresses.push_back(std::move(address));
      }
      names.merge(names_of(proxy, container));
    }
    for (const Container& container : from) {
      for (std::string& address : addresses_for(proxy, container)) theirs.insert(address);
    }
    outgoing.insert(theirs.begin(), theirs.end());
    if (addresses.empty()) continue;
    pointed.push_back(proxy);
    if (theirs.empty() || proxy.container.hosts_path.empty()) continue;
    const auto hosts = read_file(proxy.container.hosts_path, max_hosts_file);
    Result<void> written;
    if (!hosts) written = hosts.error();
    if (written) {
      written = rewrite_in_place(proxy.container.hosts_path,
                                 hosts_with(*hosts, wanted_.service, addresses, names));
    }
    // The proxy then uses both containers, which loses nothing if the old one drains by itself.
    if (!written) deps_.progress.note(proxy.container.service + ": " + written.error().text());
  }
  if (pointed.empty()) co_return Result<void>();
  const Result<void> reloaded = co_await reload(pointed);
  if (!reloaded) co_return reloaded;
  pointed_ = true;
  co_return co_await drain(pointed, outgoing, std::move(to));
}

Task<Result<void>> ProxyTurnover::reload(std::vector<Proxy> proxies) {
  for (const Proxy& proxy : proxies) {
    workers_[proxy.container.id] = processes_of(proxy.container.pid);
    const Result<void> reloaded =
        co_await reload_container(deps_.docker, proxy.container, proxy.reload);
    if (reloaded) continue;
    if (!wanted_.going_back || is_transient(reloaded.error().code)) {
      // If its files are unchanged, the release need not be at fault.
      const bool by_files = wanted_.with_new_files.contains(proxy.container.service);
      if (!is_transient(reloaded.error().code)) {
        failure_ = Failure{by_files ? FailureCause::release : FailureCause::host,
                           {},
                           reloaded.error().message,
                           {},
                           {}};
      }
      co_return reloaded;
    }
    deps_.progress.note(reloaded.error().text());
  }
  co_return Result<void>();
}

Task<Result<void>> ProxyTurnover::drain(std::vector<Proxy> proxies, std::set<std::string> addresses,
                                        std::vector<Container> to) {
  const auto begun = SteadyClock::now();
  auto busy_at = begun;
  bool refuses = false;
  for (;;) {
    bool over = true;  // nothing that knew the old addresses alone is left
    // Something that knows them may still open a connection for a request that it is receiving.
    bool receiving = false;
    int open = 0;
    for (const Proxy& proxy : proxies) {
      const Succession seen =
          succession(workers_[proxy.container.id], processes_of(proxy.container.pid));
      if (!seen.over) over = false;
      if (seen.begun && !seen.over) receiving = true;
      if (seen.begun) renewing_.insert(proxy.container.id);
      open += connections_of(proxy.container.pid, addresses);
    }
    const auto now = SteadyClock::now();
    if (open > 0 || receiving) busy_at = now;
    const bool waited = now - begun >= reload_timeout;
    // Those that knew the old addresses alone would have nothing else to connect to.
    const bool may_refuse = over || (waited && !receiving);
    if (may_refuse && !std::exchange(refuses, true)) {
      left_.insert(addresses.begin(), addresses.end());
      pass_by(proxies, {}, to);
      // Look again before anything ends: a connection may just have been opened.
      continue;
    }
    if (open == 0 && over) co_return Result<void>();
    if (waited && now - busy_at >= quiet_enough) co_return Result<void>();
    if (now - begun >= drain_timeout) {
      const auto waited_for = std::chrono::duration_cast<std::chrono::milliseconds>(now - begun);
      deps_.progress.note(
          fmt::format("{}: after {} the proxy is still serving older requests, {} of them with the "
                      "old container, which are now cut off",
                      wanted_.service, human_duration(waited_for), open));
      co_return Result<void>();
    }
    const Result<void> slept = co_await sleep_for(look_again);
    if (!slept) co_return slept;
    if (deps_.stop_requested) co_return Error{Errc::cancelled, "stopped while rolling", {}};
  }
}

// From now on proxies find the service through Docker's DNS again.
Task<Result<void>> ProxyTurnover::free(std::vector<Proxy> proxies, std::size_t working) {
  for (const Proxy& proxy : proxies) {
    if (proxy.container.hosts_path.empty()) continue;
    const auto hosts = read_file(proxy.container.hosts_path, max_hosts_file);
    if (!hosts) continue;
    const std::string freed = hosts_without(*hosts, wanted_.service);
    if (freed == *hosts) continue;
    const auto written = rewrite_in_place(proxy.container.hosts_path, freed);
    if (!written) co_return written;
  }
  // The hosts file may have listed only one of several addresses, and an answer of the DNS that is
  // still valid may name one where nothing answers any more.
  const bool knows_too_few = pointed_ && working > 1;
  Result<void> reloaded;
  if (knows_too_few || !refused_.empty()) reloaded = co_await reload(proxies);
  if (reloaded && !refused_.empty()) co_await outlive_old_processes(std::move(proxies));
  refused_.clear();
  if (reloaded || knows_too_few) co_return reloaded;
  failure_.reset();
  deps_.progress.note(reloaded.error().text());
  co_return Result<void>();
}

// They keep to what they know until they have answered. New ones may be long in coming on a busy
// host; of a proxy that was not seen to start any they are not awaited.
Task<void> ProxyTurnover::outlive_old_processes(std::vector<Proxy> proxies) {
  const auto begun = SteadyClock::now();
  for (;;) {
    const auto waited = SteadyClock::now() - begun;
    const auto goes_on = [&](const Proxy& proxy) {
      const Succession seen =
          succession(workers_[proxy.container.id], processes_of(proxy.container.pid));
      const bool comes = !seen.begun && renewing_.contains(proxy.container.id);
      return !seen.over && waited < (comes ? drain_timeout : reload_timeout);
    };
    if (std::none_of(proxies.begin(), proxies.end(), goes_on)) co_return;
    const Result<void> slept = co_await sleep_for(look_again);
    if (!slept || deps_.stop_requested) co_return;
  }
}

}  // namespace trimtab
