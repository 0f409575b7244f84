// Has the kernel refuse the connections that a container wants to open to some addresses. Those
// that are open go on.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "common/files.hpp"
#include "common/result.hpp"

namespace trimtab {

// Lasts as long as the object, and no longer than the daemon, however that ends: it is a BPF
// program on the container's cgroup, linked by an open file. A connect(2) of the container to one
// of the addresses fails at once with EPERM. Source: bpf(2) and "BPF_CGROUP_INET4_CONNECT" in
// linux/bpf.h.
class ConnectionRefusal {
 public:
  // `pid`: of the container's first process, as the host sees it. `addresses`: IPv4; others are
  // left out. Fails where the container has no cgroup of its own in cgroup2, and where the kernel
  // or the limits of the daemon's unit do not allow it.
  static Result<ConnectionRefusal> begin(int pid, const std::set<std::string>& addresses);

 private:
  explicit ConnectionRefusal(UniqueFd link) : link_(std::move(link)) {}

  UniqueFd link_;
};

// The folder of a process's cgroup in the cgroup2 hierarchy; "" where that is not mounted, or the
// cgroup is the hierarchy's root. `mounts`: /proc/self/mountinfo. `cgroups`: /proc/PID/cgroup.
std::string cgroup2_folder(std::string_view mounts, std::string_view cgroups);

}  // namespace trimtab
