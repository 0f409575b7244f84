#include "agent/execute/puller.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "agent/resolve/images.hpp"

namespace trimtab {

namespace {

constexpr int max_tries = 4;
constexpr std::chrono::seconds first_pause{1};
constexpr std::chrono::seconds max_pause{60};

}  // namespace

Puller::Puller(PullerDeps deps, std::map<std::string, std::uint64_t> expected)
    : deps_(deps), expected_(std::move(expected)) {}

Task<Result<void>> Puller::pull(std::map<std::string, ImagePin> images) {
  for (auto& [service, pin] : images) waiting_.push_back({service, std::move(pin)});
  const auto executor = co_await asio::this_coro::executor;
  // Three at a time, as many layers as the Engine transfers. If this is cancelled, the group
  // cancels all of them and waits.
  auto group =
      asio::experimental::make_parallel_group(asio::co_spawn(executor, work(), asio::deferred),
                                              asio::co_spawn(executor, work(), asio::deferred),
                                              asio::co_spawn(executor, work(), asio::deferred));
  auto wait = group.async_wait(asio::experimental::wait_for_all(), asio::use_awaitable);
  const auto outcome = co_await std::move(wait);
  for (const std::exception_ptr& thrown :
       {std::get<1>(outcome), std::get<2>(outcome), std::get<3>(outcome)}) {
    if (thrown) std::rethrow_exception(thrown);
  }
  if (failure_) co_return *failure_;
  co_return Result<void>();
}

Task<void> Puller::work() {
  while (!waiting_.empty() && !failure_) {
    Item item = std::move(waiting_.front());
    waiting_.pop_front();
    const Result<void> brought = co_await bring(std::move(item));
    if (!brought && !failure_) failure_ = brought.error();
  }
}

Task<Result<void>> Puller::bring(Item item) {
  const Result<Image> here = co_await deps_.docker.image(item.pin.pinned);
  if (!here && here.error().code != Errc::not_found) co_return here.error();
  if (!here && item.pin.local) {
    co_return Error{Errc::not_found,
                    fmt::format("the image {} of service {} existed only on this host and is gone",
                                item.pin.reference, item.service),
                    "build it again, or push it to a registry"};
  }
  if (!here) {
    const Result<void> pulled = co_await pull_patiently(item.pin);
    if (!pulled) co_return pulled.error();
  }
  // An image pulled by digest has no tag, so any `docker image prune` would remove it.
  const RetentionTag tag = retention_tag(deps_.stack, item.service, item.pin);
  co_return co_await deps_.docker.tag_image(item.pin.pinned, tag.repository, tag.tag);
}

Task<Result<void>> Puller::pull_patiently(ImagePin pin) {
  const Result<ImageReference> reference = parse_reference(pin.pinned);
  if (!reference) co_return reference.error();
  std::chrono::seconds pause = first_pause;
  bool login_renewed = false;
  for (int tries = 1;; ++tries) {
    const Result<void> pulled = co_await pull_once(pin, *reference);
    if (pulled) co_return pulled;
    const Error& error = pulled.error();
    if (error.code == Errc::denied && !login_renewed) {
      // The login may have expired during a long pull.
      login_renewed = true;
      deps_.registry.forget_login(reference->registry);
      continue;
    }
    const bool curable = error.code == Errc::unavailable || error.code == Errc::timed_out;
    if (!curable || tries == max_tries) co_return pulled;
    const auto wait = std::clamp(error.retry_after, pause, max_pause);
    deps_.progress.note(fmt::format("{}; retried in {}", error.text(), human_duration(wait)));
    const Result<void> slept = co_await sleep_for(wait);
    if (!slept) co_return slept;
    pause = std::min(pause * 2, max_pause);
  }
}

Task<Result<void>> Puller::pull_once(ImagePin pin, ImageReference reference) {
  // A broken file of logins must not prevent public images from being pulled.
  std::optional<RegistryLogin> login;
  const auto known = co_await deps_.registry.login_for(reference.registry);
  if (known) {
    login = *known;
  } else {
    deps_.progress.note(known.error().text());
  }
  std::function<void(const PullProgress&)> on_progress = [this, pin](const PullProgress& progress) {
    note(pin, progress);
  };
  const Result<void> pulled = co_await deps_.docker.pull(
      reference.familiar_name(), reference.digest, pin.platform, login, on_progress);
  // Refused for lack of a login that may be available later.
  const bool wants_login = !pulled && pulled.error().code == Errc::denied;
  if (wants_login && !known && is_transient(known.error().code)) co_return known.error();
  co_return pulled;
}

void Puller::note(const ImagePin& pin, const PullProgress& progress) {
  progress_[pin.pinned] = progress;
  PullProgress sums;
  // The Engine reports a layer's size only when it begins with it.
  std::map<std::string, std::uint64_t> totals = expected_;
  for (const auto& [pinned, known] : progress_) {
    sums.current += known.current;
    totals[pinned] = std::max(totals[pinned], known.total);
  }
  for (const auto& [pinned, total] : totals) sums.total += total;
  deps_.progress.pulling(pin.reference, sums);
}

}  // namespace trimtab
