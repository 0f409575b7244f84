#include "agent/reconcile/requests.hpp"

#include "common/random.hpp"

namespace trimtab {

std::string new_request_id() {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string id;
  for (std::uint64_t bits = random_bits(); id.size() < 16; bits >>= 4U) id += digits[bits & 15U];
  return id;
}

std::string commit_to_hold(const std::string& asked_for, const Fact<RefTip>& tip,
                           const std::string& deployed) {
  const std::string held = tip.value ? tip.value->commit : deployed;
  return held == asked_for ? std::string() : held;
}

std::string Requests::add(Request request) {
  request.id = new_request_id();
  last_ = RequestResult{request.id, "in_progress", std::nullopt, ""};
  waiting_ = std::move(request);
  return waiting_->id;
}

std::optional<RequestResult> Requests::supersede() {
  const std::string older = open();
  if (older.empty()) return std::nullopt;
  RequestResult result{older, "superseded", std::nullopt,
                       "superseded before it began by another request"};
  end(result);
  superseded_.insert(older);
  return result;
}

Request Requests::take() {
  superseded_.clear();
  Request request = *std::exchange(waiting_, std::nullopt);
  evaluated_ = request.id;
  return request;
}

void Requests::wait_for_images(Request request, std::string commit) {
  evaluated_.clear();
  waits_for_images_ = request.id;
  commit_of_images_ = std::move(commit);
  waiting_ = std::move(request);
}

bool Requests::is_waiting_for_images(const std::optional<RefTip>& tip) const {
  if (!waiting_ || waiting_->id != waits_for_images_) return false;
  const bool newer = waiting_->commit.empty() && tip && tip->commit != commit_of_images_;
  return !newer;
}

void Requests::resume(const std::string& id, int release) {
  if (!id.empty()) last_ = RequestResult{id, "in_progress", release, ""};
}

bool Requests::end(const RequestResult& result) {
  if (result.id.empty() || is_superseded(result.id)) return false;
  if (result.id == evaluated_) evaluated_.clear();
  if (waiting_ && waiting_->id == result.id) waiting_.reset();
  // Pausing and resuming must not hide a requested deployment that is still in progress.
  const bool other_goes_on = last_ && last_->outcome == "in_progress" && last_->id != result.id;
  if (!other_goes_on) last_ = result;
  return true;
}

}  // namespace trimtab
