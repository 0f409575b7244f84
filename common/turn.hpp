// Lets tasks of one loop go one after another.
#pragma once

#include <list>
#include <optional>
#include <utility>

#include "common/async.hpp"

namespace trimtab {

class Turn {
 public:
  explicit Turn(asio::any_io_executor executor) : executor_(std::move(executor)) {}

  // Gives the turn back when destroyed.
  class Holder {
   public:
    explicit Holder(Turn* turn) : turn_(turn) {}
    Holder(Holder&& other) noexcept : turn_(std::exchange(other.turn_, nullptr)) {}
    Holder& operator=(Holder&&) = delete;
    ~Holder() {
      if (turn_ != nullptr) turn_->release();
    }

   private:
    Turn* turn_;
  };

  // First come, first served.
  Task<Holder> take() {
    if (taken_) {
      Place place(*this);
      while (!place.granted) co_await place.woken.wait();
      place.granted = false;  // from here on it is the holder's
    }
    taken_ = true;
    co_return Holder(this);
  }

  // The turn, if nobody has it.
  std::optional<Holder> try_take() {
    if (taken_) return std::nullopt;
    taken_ = true;
    return Holder(this);
  }

  [[nodiscard]] bool taken() const { return taken_; }

 private:
  // In the queue. A task that is cancelled leaves it, and passes on a turn that it got meanwhile.
  struct Place {
    explicit Place(Turn& of) : turn(of), woken(of.executor_) { turn.waiting_.push_back(this); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() {
      turn.waiting_.remove(this);
      if (granted) turn.release();
    }
    Turn& turn;
    WakeEvent woken;
    bool granted = false;
  };

  // The turn stays taken on its way to the next, so that nobody comes in between.
  void release() {
    taken_ = !waiting_.empty();
    if (!taken_) return;
    Place* const next = waiting_.front();
    waiting_.pop_front();
    next->granted = true;
    next->woken.notify();
  }

  asio::any_io_executor executor_;
  std::list<Place*> waiting_;
  bool taken_ = false;
};

}  // namespace trimtab
