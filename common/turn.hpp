// Lets tasks of one loop go one after another.
#pragma once

#include <list>
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
    while (taken_) {
      WakeEvent woken(executor_);
      const Waiting place(waiting_, woken);
      co_await woken.wait();
    }
    taken_ = true;
    co_return Holder(this);
  }

  [[nodiscard]] bool taken() const { return taken_; }

 private:
  // Leaves the queue even where the waiting task is cancelled.
  struct Waiting {
    Waiting(std::list<WakeEvent*>& list, WakeEvent& event) : queue(list), own(&event) {
      queue.push_back(own);
    }
    ~Waiting() { queue.remove(own); }
    std::list<WakeEvent*>& queue;
    WakeEvent* own;
  };

  void release() {
    taken_ = false;
    if (!waiting_.empty()) waiting_.front()->notify();
  }

  asio::any_io_executor executor_;
  std::list<WakeEvent*> waiting_;
  bool taken_ = false;
};

}  // namespace trimtab
