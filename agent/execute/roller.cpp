#include "agent/execute/roller.hpp"

#include <algorithm>
#include <charconv>

#include "agent/execute/failure_log.hpp"
#include "agent/execute/gate.hpp"
#include "agent/execute/own_containers.hpp"
#include "agent/execute/proxy_files.hpp"
#include "agent/model/classify.hpp"
#include "agent/model/service.hpp"
#include "common/failpoint.hpp"
#include "common/files.hpp"

namespace trimtab {
namespace {

constexpr std::size_t largest_hosts_file = 256 * 1024;
constexpr auto look_again = std::chrono::milliseconds(100);
// A proxy has begun to use the new address when it has new processes. One that has no processes of
// its own for that gets this long.
constexpr auto reload_patience = std::chrono::seconds(5);
// What its old processes still hold may be a download of an hour.
constexpr auto drain_patience = std::chrono::seconds(60);
// Without a connection for this long: a request that is being read opens one only afterwards.
constexpr auto quiet_enough = std::chrono::seconds(1);

// The process and all that descend from it, each with its parent.
std::map<int, int> processes_of(int root) {
  std::map<int, int> found;
  std::vector<std::pair<int, int>> open;
  if (root > 0) open.emplace_back(root, 0);
  while (!open.empty()) {
    const auto [pid, parent] = open.back();
    open.pop_back();
    if (!found.emplace(pid, parent).second) continue;
    const std::string number = std::to_string(pid);
    const auto children = read_file("/proc/" + number + "/task/" + number + "/children");
    if (!children) continue;
    for (const std::string& word : split(*children, ' ')) {
      int child = 0;
      std::from_chars(word.data(), word.data() + word.size(), child);
      if (child > 0) open.emplace_back(child, pid);
    }
  }
  return found;
}

// What has become of a proxy's processes since its reload.
struct Succession {
  bool begun = false;  // there are new ones
  bool over = false;   // and those that they replace are gone
};

// A reload gives a process new children in place of those that it had; others, such as a shell
// that renews certificates, stay.
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
    const auto text = read_file("/proc/" + std::to_string(pid) + "/net/" + table);
    if (text) count += connections_to(*text, addresses);
  }
  return count;
}

// Where the container is reached from the proxy's networks.
std::vector<std::string> addresses_for(const Proxy& proxy, const Container& container) {
  std::vector<std::string> addresses;
  for (const NetworkAddress& mine : container.networks) {
    for (const NetworkAddress& theirs : proxy.container.networks) {
      if (mine.network == theirs.network && !mine.ipv4.empty()) addresses.push_back(mine.ipv4);
    }
  }
  return addresses;
}

// The names that all containers of the service have there.
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

bool works(const Container& container) {
  return container.state == ContainerState::running && container.health != Health::unhealthy &&
         container.health != Health::starting;
}

}  // namespace

Roller::Roller(RollerParts parts, Roll roll) : parts_(parts), roll_(std::move(roll)) {
  replicas_ = replicas_of(roll_.rendering->service(roll_.service));
}

Task<Result<Roller::Present>> Roller::look() {
  auto containers =
      co_await own_containers(parts_.docker, parts_.settings, parts_.store, parts_.project);
  if (!containers) co_return containers.error();
  Present present;
  present.all = std::move(*containers);
  for (const Container& container : present.all) {
    if (container.service != roll_.service) continue;
    const bool leaves = roll_.leaving.contains(container.id);
    (leaves ? present.leaving : present.staying).push_back(container);
  }
  // Those that do not run any more first.
  std::stable_partition(present.leaving.begin(), present.leaving.end(),
                        [](const Container& c) { return c.state != ContainerState::running; });
  co_return present;
}

Task<Result<void>> Roller::tidy() {
  const Result<Present> present = co_await look();
  if (!present) co_return present.error();
  for (const Container& container : present->staying) {
    Result<void> tidied;
    // Compose that was killed leaves a container that may lack some of its networks.
    if (container.state == ContainerState::created) {
      tidied = co_await parts_.docker.remove(container.id);
    }
    // It was stopped on the way forward.
    if (container.state == ContainerState::exited && roll_.going_back) {
      tidied = co_await parts_.docker.start(container.id);
    }
    if (!tidied) co_return tidied;
  }
  co_return Result<void>();
}

Task<Result<void>> Roller::run() {
  Result<void> done = co_await take_turns();
  if (!done && parts_.stop_requested) co_return done;
  // Lines that stay behind would name addresses that somebody else may get.
  const Result<void> freed = co_await free_proxies();
  if (done) done = freed;
  co_return done;
}

Task<Result<void>> Roller::take_turns() {
  Result<void> done = co_await tidy();
  // Each turn adds or takes away a container, unless somebody interferes.
  const std::size_t most_turns =
      4 + 4 * static_cast<std::size_t>(std::max(replicas_, 1)) + 2 * roll_.leaving.size();
  for (std::size_t turn = 0; done && turn < most_turns; ++turn) {
    if (parts_.stop_requested) co_return Error{Errc::cancelled, "stopped while rolling", {}};
    const Result<Present> present = co_await look();
    if (!present) co_return present.error();
    const int leaving = static_cast<int>(present->leaving.size());
    const int staying = static_cast<int>(present->staying.size());
    const int surplus = leaving + staying - replicas_;
    if (leaving == 0 && staying >= replicas_) co_return co_await wait_until_healthy();
    if (surplus > 0 && staying > 0 && leaving > 0) {
      done = co_await wait_until_healthy();
      if (done) done = co_await retire(static_cast<std::size_t>(std::min(surplus, leaving)));
    } else {
      const int at_a_time = parallelism_of(roll_.rendering->service(roll_.service));
      const int more = std::max(1, std::min(at_a_time, replicas_ - staying));
      done = co_await add(leaving + staying + more);
    }
  }
  if (!done) co_return done;
  co_return Error{Errc::conflict, roll_.service + ": its containers do not come to rest",
                  "does something else start or stop them?"};
}

Task<Result<void>> Roller::add(int up_to) {
  UpRequest request;
  request.file = roll_.compose_file;
  request.directory = parts_.settings.directory;
  request.project = parts_.project;
  request.services = {roll_.service};
  request.add_up_to = up_to;
  Result<void> added = co_await parts_.compose.up(std::move(request));
  failpoint("rolling:added");
  if (!added && !is_transient(added.error().code)) {
    co_await note_failure(classify(Phase::starting, added.error()), added.error().message);
    const Result<void> removed = co_await remove_failed();
    if (!removed) co_return removed;
  }
  co_return added;
}

// The gate's rules, for this service alone. Without a health check a container has to last for as
// long as the gate asks for.
Task<Result<void>> Roller::wait_until_healthy() {
  std::optional<Gate> gate;
  for (;;) {
    const Result<Present> present = co_await look();
    if (!present) co_return present.error();
    const auto now = SteadyClock::now();
    if (!gate) {
      const bool checked = std::all_of(present->staying.begin(), present->staying.end(),
                                       [](const Container& c) { return c.health != Health::none; });
      GateDemand demand;
      demand.timeout = parts_.settings.gate.timeout;
      demand.others_start = roll_.others_start;
      if (!checked) demand.stable = parts_.settings.gate.stable;
      GateDemand::Service service;
      service.replicas = static_cast<int>(present->staying.size());
      service.image_id = roll_.image_id;
      demand.services[roll_.service] = service;
      // What a good release's containers went through before is not held against them.
      if (roll_.going_back) {
        for (const Container& container : present->staying) demand.untouched.insert(container.id);
      }
      gate.emplace(std::move(demand), now);
    }
    GateVerdict verdict = gate->observe(present->staying, {}, now);
    if (verdict.state == GateVerdict::State::passed) co_return Result<void>();
    if (verdict.state == GateVerdict::State::failed) {
      const bool content = verdict.cls == FailureClass::content;
      co_await note_failure(verdict.cls, verdict.reason);
      const Result<void> removed = co_await remove_failed();
      if (!removed) co_return removed;
      co_return Error{content ? Errc::failed : Errc::timed_out, verdict.reason, {}};
    }
    parts_.progress.waiting_for(verdict.waiting_for);
    co_await parts_.engine_changed.wait_until(gate->next_look(SteadyClock::now()));
    if (parts_.stop_requested) co_return Error{Errc::cancelled, "stopped while rolling", {}};
  }
}

Task<void> Roller::note_failure(FailureClass cls, std::string reason) {
  Failure failure;
  failure.cls = cls;
  failure.reason = std::move(reason);
  const Result<Present> present = co_await look();
  if (present) {
    for (const Container& container : present->staying) {
      if (works(container)) continue;
      ServiceFailure service{roll_.service, failure.reason, {}};
      co_await add_last_lines(parts_.docker, container.id, &service);
      failure.services.push_back(std::move(service));
    }
  }
  failure_ = std::move(failure);
}

// What does not work would get requests by its name. While all old ones still run, the service is
// as it was; where none does, or they are those that failed, nothing better is left.
Task<Result<void>> Roller::remove_failed() {
  const Result<Present> present = co_await look();
  if (!present) co_return present.error();
  const auto working = std::count_if(present->leaving.begin(), present->leaving.end(), works);
  if (roll_.going_back || working == 0) co_return Result<void>();
  const bool whole = working >= replicas_;
  for (const Container& container : present->staying) {
    if (!whole && works(container)) continue;
    const Result<void> stopped = co_await parts_.docker.stop(container.id);
    if (!stopped) co_return stopped;
    const Result<void> removed = co_await parts_.docker.remove(container.id);
    if (!removed) co_return removed;
  }
  co_return Result<void>();
}

// --- the old ones go

Task<Result<void>> Roller::retire(std::size_t count) {
  const Result<Present> present = co_await look();
  if (!present) co_return present.error();
  count = std::min(count, present->leaving.size());
  std::vector<Container> going(present->leaving.begin(),
                               present->leaving.begin() + static_cast<std::ptrdiff_t>(count));
  std::vector<Container> remaining = present->staying;
  remaining.insert(remaining.end(), present->leaving.begin() + static_cast<std::ptrdiff_t>(count),
                   present->leaving.end());
  const std::vector<Proxy> proxies = proxies_of(*roll_.rendering, present->all, roll_.service);
  const Result<void> pointed = co_await point_proxies(proxies, going, remaining);
  if (!pointed) co_return pointed;
  failpoint("rolling:pointed");
  for (const Container& container : going) {
    const Result<void> stopped = co_await parts_.docker.stop(container.id);
    if (!stopped && stopped.error().code != Errc::not_found) co_return stopped;
    failpoint("rolling:stopped");
    const Result<void> removed = co_await parts_.docker.remove(container.id);
    if (!removed) co_return removed;
  }
  co_return Result<void>();
}

// Sends the proxies' new requests elsewhere, and waits until the last old one is answered.
Task<Result<void>> Roller::point_proxies(std::vector<Proxy> proxies, std::vector<Container> from,
                                         std::vector<Container> to) {
  std::vector<Proxy> pointed;
  std::set<std::string> leaving;
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
    leaving.insert(theirs.begin(), theirs.end());
    if (addresses.empty()) continue;
    pointed.push_back(proxy);
    if (theirs.empty() || proxy.container.hosts_path.empty()) continue;
    const auto hosts = read_file(proxy.container.hosts_path, largest_hosts_file);
    Result<void> written;
    if (!hosts) written = hosts.error();
    if (written) {
      written = rewrite_in_place(proxy.container.hosts_path,
                                 hosts_with(*hosts, roll_.service, addresses, names));
    }
    // It then knows both, which loses nothing where the old one drains by itself.
    if (!written) parts_.progress.remark(proxy.container.service + ": " + written.error().text());
  }
  if (pointed.empty()) co_return Result<void>();
  const Result<void> reloaded = co_await reload_proxies(pointed);
  if (!reloaded) co_return reloaded;
  pointed_ = true;
  co_return co_await drain(pointed, leaving);
}

Task<Result<void>> Roller::reload_proxies(std::vector<Proxy> proxies) {
  for (const Proxy& proxy : proxies) {
    workers_[proxy.container.id] = processes_of(proxy.container.pid);
    const Result<void> reloaded =
        co_await reload_container(parts_.docker, proxy.container, proxy.reload);
    if (reloaded) continue;
    if (!roll_.going_back || is_transient(reloaded.error().code)) {
      // Where its files are as they were the release need not be at fault.
      const bool by_files = roll_.with_new_files.contains(proxy.container.service);
      if (!is_transient(reloaded.error().code)) {
        failure_ = Failure{by_files ? FailureClass::content : FailureClass::world,
                           {},
                           reloaded.error().message,
                           {},
                           {}};
      }
      co_return reloaded;
    }
    parts_.progress.remark(reloaded.error().text());
  }
  co_return Result<void>();
}

Task<Result<void>> Roller::drain(std::vector<Proxy> proxies, std::set<std::string> addresses) {
  const auto begun = SteadyClock::now();
  auto busy_at = begun;
  for (;;) {
    bool over = true;        // all that knew the old addresses is gone
    bool receiving = false;  // what knows them may yet open a connection for what it receives
    int open = 0;
    for (const Proxy& proxy : proxies) {
      const Succession seen =
          succession(workers_[proxy.container.id], processes_of(proxy.container.pid));
      if (!seen.over) over = false;
      if (seen.begun && !seen.over) receiving = true;
      open += connections_of(proxy.container.pid, addresses);
    }
    const auto now = SteadyClock::now();
    if (open > 0 || receiving) busy_at = now;
    const bool waited = now - begun >= reload_patience;
    if (open == 0 && over) co_return Result<void>();
    if (waited && now - busy_at >= quiet_enough) co_return Result<void>();
    if (now - begun >= drain_patience) {
      const auto waited_for = std::chrono::duration_cast<std::chrono::milliseconds>(now - begun);
      parts_.progress.remark(roll_.service + ": after " + human_duration(waited_for) +
                             " the proxy still answers requests from before, " +
                             std::to_string(open) +
                             " of them with the old container: those are cut");
      co_return Result<void>();
    }
    const Result<void> slept = co_await sleep_for(look_again);
    if (!slept) co_return slept;
    if (parts_.stop_requested) co_return Error{Errc::cancelled, "stopped while rolling", {}};
  }
}

// From now on Docker's DNS says where the service is.
Task<Result<void>> Roller::free_proxies() {
  const Result<Present> present = co_await look();
  if (!present) co_return present.error();
  const std::vector<Proxy> proxies = proxies_of(*roll_.rendering, present->all, roll_.service);
  for (const Proxy& proxy : proxies) {
    if (proxy.container.hosts_path.empty()) continue;
    const auto hosts = read_file(proxy.container.hosts_path, largest_hosts_file);
    if (!hosts) continue;
    const std::string freed = hosts_without(*hosts, roll_.service);
    if (freed == *hosts) continue;
    const auto written = rewrite_in_place(proxy.container.hosts_path, freed);
    if (!written) co_return written;
  }
  // The file may have given one of several addresses alone.
  if (pointed_ && present->staying.size() > 1) co_return co_await reload_proxies(proxies);
  co_return Result<void>();
}

}  // namespace trimtab
