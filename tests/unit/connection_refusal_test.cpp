#include "agent/execute/connection_refusal.hpp"

#include <gtest/gtest.h>

namespace trimtab {
namespace {

constexpr const char* debian_12 =
    "22 28 0:20 / /proc rw,relatime shared:5 - proc proc rw\n"
    "30 29 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
constexpr const char* beside_older_ones =
    "38 32 0:33 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
    "39 32 0:34 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
constexpr const char* of_a_part = "30 29 0:26 /other /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
constexpr const char* without = "22 28 0:20 / /proc rw,relatime shared:5 - proc proc rw\n";

struct Row {
  const char* name;
  const char* mounts;
  const char* cgroups;
  const char* folder;
};

const Row rows[] = {
    {"a container under systemd", debian_12, "0::/system.slice/docker-4f2a.scope\n",
     "/sys/fs/cgroup/system.slice/docker-4f2a.scope"},
    {"beside older hierarchies", beside_older_ones, "8:pids:/docker/4f2a\n0::/docker/4f2a\n",
     "/sys/fs/cgroup/unified/docker/4f2a"},
    {"what has no cgroup of its own is everybody's", beside_older_ones,
     "8:pids:/docker/4f2a\n0::/\n", ""},
    {"outside of what is seen", debian_12, "0::/../docker/4f2a\n", ""},
    {"a part of the hierarchy", of_a_part, "0::/docker/4f2a\n", ""},
    {"no cgroup2", without, "8:pids:/docker/4f2a\n", ""},
    {"nothing", "", "", ""},
};

TEST(ConnectionRefusal, FindsTheFolderOfAContainersCgroup) {
  for (const Row& row : rows) {
    EXPECT_EQ(cgroup2_folder(row.mounts, row.cgroups), row.folder) << row.name;
  }
}

}  // namespace
}  // namespace trimtab
