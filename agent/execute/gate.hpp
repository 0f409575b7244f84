// Does the release work? Judged from what the Engine says, observation by observation. Pure.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/model/observed.hpp"
#include "agent/model/outcome.hpp"
#include "common/async.hpp"

namespace trimtab {

// What must hold.
struct GateDemand {
  struct Service {
    int replicas = 1;
    std::string image_id;      // every container must run this image; "": any
    bool awaited_job = false;  // another service waits until it has exited with 0
    bool must_run = true;      // false: it was stopped by hand, or had done its work before
  };
  std::map<std::string, Service> services;
  // Ids of containers from before this deployment: their earlier restarts do not count.
  std::set<std::string> untouched;
  // Counted from when the health of what was started can be known.
  std::chrono::milliseconds timeout{0};
  std::chrono::milliseconds stable{0};
  bool others_start = false;  // services that are not asked for here may still be starting
};

struct ProbeAnswer {
  std::string url;
  bool ok = false;
  std::string what;  // "answers 502", "cannot be reached: …"
};

struct GateVerdict {
  enum class State { waiting, passed, failed };
  State state = State::waiting;
  FailureCause cause = FailureCause::release;
  std::string reason;                    // when failed, one sentence
  std::vector<ServiceFailure> services;  // when failed: which, and why (logs are added by others)
  std::map<std::string, std::string> waiting_for;  // when waiting: service → words
};

// Keeps what must be remembered between observations: since when all holds, and how often
// containers had restarted when the gate began.
// More than 15 members: one rule per way in which a container can be good or bad.
class Gate {
 public:
  Gate(GateDemand demand, SteadyClock::time_point now);

  // `probes` is empty where none is configured, or where none was asked yet.
  GateVerdict observe(const std::vector<Container>& containers,
                      const std::vector<ProbeAnswer>& probes, SteadyClock::time_point now);

  // When observe() must be called again even if nothing happens.
  [[nodiscard]] SteadyClock::time_point next_poll_at(SteadyClock::time_point now) const;
  [[nodiscard]] SteadyClock::time_point deadline() const {
    return begun_ + demand_.timeout + health_wait_;
  }

 private:
  struct ServiceState {
    std::string waiting;      // "": satisfied
    bool by_release = false;  // what it waits for is the release's doing
    std::optional<ServiceFailure> failure;
    bool by_host = false;
    std::optional<ServiceFailure> loop;  // it has ended again and again
    bool loop_by_world = false;
    bool known_to_work = false;
  };
  ServiceState assess(const std::string& name, const GateDemand::Service& demand,
                      const std::vector<const Container*>& containers, SteadyClock::time_point now);
  int restarts_since_begin(const Container& container);
  void wait_for_health(const Container& container);
  [[nodiscard]] bool is_stopped_meanwhile(const Container& container) const;
  [[nodiscard]] bool is_known_to_work(const Container& container) const;
  bool is_final(const std::vector<const Container*>& own, bool others_work);

  GateDemand demand_;
  SteadyClock::time_point begun_;
  std::chrono::milliseconds health_wait_{0};  // longest of what was seen
  // By id of container: its restarts until all else was known to work.
  std::map<std::string, int> excused_restarts_;
  std::map<std::string, int> restarts_before_;  // by id of untouched containers
  std::optional<SteadyClock::time_point> satisfied_since_;
  int restarts_when_satisfied_ = 0;
};

}  // namespace trimtab
