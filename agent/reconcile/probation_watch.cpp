#include "agent/reconcile/probation_watch.hpp"

#include <algorithm>

namespace trimtab {

void ProbationWatch::find_end(const ReleaseRecord* current, std::chrono::milliseconds length) {
  const bool is_on_probation = current != nullptr && current->outcome == Outcome::good &&
                               current->probation_until && current->number != given_up_;
  if (!is_on_probation) {
    end_.reset();
  } else if (!end_ || end_->release != current->number) {
    end_ = End{current->number,
               SteadyClock::now() + probation_left(*current->probation_until, wall_now(), length)};
  }
}

void ProbationWatch::on_deployment(const ReleaseRecord* current,
                                   std::optional<SteadyClock::time_point> gate_began,
                                   std::chrono::milliseconds length) {
  probation_.reset();
  end_.reset();
  gate_was_watched_ = gate_began && *gate_began > engine_changed_at_;
  find_end(current, length);
}

ProbationWatch::Check ProbationWatch::check(const ReleaseRecord* current,
                                            const ReleaseRecord* before,
                                            const std::vector<Container>& containers,
                                            std::chrono::milliseconds length) {
  const SteadyClock::time_point now = SteadyClock::now();
  find_end(current, length);
  Check check;
  check.is_over = end_ && now >= end_->at;
  const bool seen_by_gate = std::exchange(gate_was_watched_, false);
  if (!end_ || check.is_over || before == nullptr) {
    probation_.reset();
    return check;
  }
  if (!probation_ || probation_->release() != current->number) {
    probation_.emplace(*current, *before, seen_by_gate, now);
  }
  check.broken = probation_->observe(containers, stopped_, now);
  return check;
}

void ProbationWatch::give_up(int release) {
  given_up_ = release;
  end_.reset();
  probation_.reset();
}

void ProbationWatch::on_event(const EngineEvent& event) {
  if (event.action == "stop") stopped_.insert(event.id);
  if (event.action == "start" || event.action == "destroy") stopped_.erase(event.id);
}

void ProbationWatch::on_engine_change() {
  probation_.reset();
  gate_was_watched_ = false;
  engine_changed_at_ = SteadyClock::now();
}

std::optional<SteadyClock::time_point> ProbationWatch::next_poll_at() const {
  return probation_ ? probation_->next_poll_at() : std::nullopt;
}

std::optional<SteadyClock::time_point> ProbationWatch::end() const {
  if (!end_) return std::nullopt;
  return end_->at;
}

std::chrono::milliseconds ProbationWatch::left(int release) const {
  if (!end_ || end_->release != release) return std::chrono::milliseconds(0);
  return std::max(
      std::chrono::milliseconds(0),
      std::chrono::duration_cast<std::chrono::milliseconds>(end_->at - SteadyClock::now()));
}

}  // namespace trimtab
