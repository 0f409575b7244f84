// Who is at fault: what is known to be the release's, and all else.
#include <gtest/gtest.h>

#include "agent/model/classify.hpp"

namespace trimtab {
namespace {

constexpr FailureCause release = FailureCause::release;
constexpr FailureCause host = FailureCause::host;

TEST(Classify, Phases) {
  struct Row {
    Phase phase;
    Errc code;
    FailureCause expected;
  };
  for (const Row& row : {
           Row{Phase::pulling, Errc::invalid, release},    // made for other machines
           Row{Phase::pulling, Errc::not_found, release},  // manifest unknown
           Row{Phase::pulling, Errc::untrusted, host},     // x509, a clock that is wrong
           Row{Phase::pulling, Errc::denied, host},
           Row{Phase::pulling, Errc::unavailable, host},
           Row{Phase::pulling, Errc::no_space, host},
           Row{Phase::pulling, Errc::failed, host},
           Row{Phase::switching, Errc::invalid, release},
           Row{Phase::switching, Errc::conflict, host},  // an untracked file in the way
           Row{Phase::switching, Errc::failed, host},
           Row{Phase::starting, Errc::invalid, release},
           Row{Phase::starting, Errc::not_found, host},
           Row{Phase::starting, Errc::conflict, host},
           Row{Phase::starting, Errc::denied, host},
           Row{Phase::starting, Errc::unavailable, host},
           Row{Phase::starting, Errc::timed_out, host},
           Row{Phase::starting, Errc::no_space, host},
           Row{Phase::starting, Errc::failed, host},
           Row{Phase::gating, Errc::not_found, host},  // an image that was removed meanwhile
           Row{Phase::gating, Errc::invalid, host},
           Row{Phase::committing, Errc::failed, host},
           Row{Phase::rolling_back, Errc::not_found, release},  // an image of the good release
           Row{Phase::rolling_back, Errc::invalid, release},
           Row{Phase::rolling_back, Errc::conflict, host},
           Row{Phase::rolling_back, Errc::unavailable, host},
           Row{Phase::rolling_back, Errc::no_space, host},
           Row{Phase::rolling_back, Errc::failed, host},
           Row{Phase::gating_rollback, Errc::failed, host},
       }) {
    EXPECT_EQ(classify(row.phase, Error{row.code, "said nothing of use", {}}), row.expected)
        << to_string(row.phase) << " " << static_cast<int>(row.code);
  }
}

TEST(Classify, Rendering) {
  for (const Errc code : {Errc::invalid, Errc::too_large}) {
    EXPECT_EQ(classify_rendering(Error{code, "", {}}), release) << static_cast<int>(code);
  }
  for (const Errc code : {Errc::failed, Errc::not_found, Errc::denied, Errc::unavailable,
                          Errc::timed_out, Errc::cancelled, Errc::no_space, Errc::conflict}) {
    EXPECT_EQ(classify_rendering(Error{code, "", {}}), host) << static_cast<int>(code);
  }
}

TEST(Classify, WhatTheEngineSaysOfAStart) {
  struct Row {
    const char* words;
    FailureCause expected;
  };
  for (const Row& row : {
           Row{"driver failed programming external connectivity on endpoint shop-web-1: (iptables "
               "failed: iptables --wait -t nat -A DOCKER -p tcp: iptables: No chain/target/match "
               "by that name. (exit status 1))",
               host},
           Row{"could not find an available, non-overlapping IPv4 address pool among the defaults "
               "to assign to the network",
               host},
           Row{"all predefined address pools have been fully subnetted", host},
           Row{"failed to create shim task: OCI runtime create failed: runc create failed: unable "
               "to start container process: error during container init: read init-p: connection "
               "reset by peer: unknown",
               host},
           Row{"failed to create task for container: fork/exec /usr/bin/containerd-shim: cannot "
               "allocate memory",
               host},
           Row{"Bind for 0.0.0.0:80 failed: port is already allocated", host},
           Row{"network edge declared as external, but could not be found", host},
           Row{"external volume \"data\" not found", host},
           Row{"Conflict. The container name \"/grafana\" is already in use by container \"ab12\"",
               host},
           Row{"No such image: acme/web@sha256:12", host},
           Row{"mounts denied: the path /data is not shared from the host", host},
           Row{"invalid mount config for type \"bind\": bind source path does not exist: /data",
               host},
           Row{"could not select device driver \"nvidia\" with capabilities: [[gpu]]", host},
           Row{"something that nobody has seen before", host},
           Row{"", host},
           Row{"failed to create shim task: OCI runtime create failed: runc create failed: unable "
               "to start container process: exec: \"serve\": executable file not found in $PATH",
               release},
           Row{"OCI runtime create failed: container_linux.go:380: starting container process "
               "caused: exec: \"./start.sh\": permission denied",
               release},
           Row{"exec: \"/start.sh\": stat /start.sh: no such file or directory", release},
           Row{"unable to find user app: no matching entries in passwd file", release},
           Row{"dependency failed to start: container shop-db-1 is unhealthy", release},
           Row{"dependency failed to start: container shop-db-1 exited (1)", release},
           Row{"service \"migrate\" didn't complete successfully: exit 3", release},
           Row{"web: Container \"f69bdfe8f692\" is unhealthy.", release},
           Row{"worker: Container \"f69bdfe8f692\" exited with code 3.", release},
           Row{"cannot join network of a non running container: afa0a3ba894a", release},
           Row{"invalid reference format", release},
           Row{"conflicting options: port publishing and the container type network mode", release},
       }) {
    EXPECT_EQ(classify(Phase::starting, Error{Errc::failed, row.words, {}}), row.expected)
        << row.words;
  }
}

}  // namespace
}  // namespace trimtab
