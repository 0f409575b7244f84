// A mutex for coroutines on one event loop.
#pragma once

#include <list>
#include <optional>
#include <utility>

#include "common/async.hpp"

namespace trimtab {

class AsyncMutex {
 public:
  explicit AsyncMutex(asio::any_io_executor executor) : executor_(std::move(executor)) {}

  // Releases the lock when destroyed.
  class Guard {
   public:
    explicit Guard(AsyncMutex* turn) : turn_(turn) {}
    Guard(Guard&& other) noexcept : turn_(std::exchange(other.turn_, nullptr)) {}
    Guard& operator=(Guard&&) = delete;
    ~Guard() {
      if (turn_ != nullptr) turn_->release();
    }

   private:
    AsyncMutex* turn_;
  };

  // Acquires the lock. Waiters are served in order of arrival.
  Task<Guard> lock() {
    if (taken_) {
      Waiter place(*this);
      while (!place.granted) co_await place.woken.wait();
      place.granted = false;  // the returned Guard owns the lock now
    }
    taken_ = true;
    co_return Guard(this);
  }

  // Acquires the lock if it is free.
  std::optional<Guard> try_lock() {
    if (taken_) return std::nullopt;
    taken_ = true;
    return Guard(this);
  }

  [[nodiscard]] bool taken() const { return taken_; }

 private:
  // An entry of the queue. A cancelled task leaves the queue, and passes the lock on if it was just
  // granted.
  struct Waiter {
    explicit Waiter(AsyncMutex& of) : turn(of), woken(of.executor_) {
      turn.waiting_.push_back(this);
    }
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    ~Waiter() {
      turn.waiting_.remove(this);
      if (granted) turn.release();
    }
    AsyncMutex& turn;
    WakeEvent woken;
    bool granted = false;
  };

  // The lock stays taken while it is handed to the next waiter, so that nobody can overtake.
  void release() {
    taken_ = !waiting_.empty();
    if (!taken_) return;
    Waiter* const next = waiting_.front();
    waiting_.pop_front();
    next->granted = true;
    next->woken.notify();
  }

  asio::any_io_executor executor_;
  std::list<Waiter*> waiting_;
  bool taken_ = false;
};

}  // namespace trimtab
