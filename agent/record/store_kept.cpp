// What operators said and which content was rejected: the parts of the record that no file can be
// made anew from.
#include "agent/record/release_json.hpp"
#include "agent/record/store.hpp"
#include "common/disk_thread.hpp"

namespace trimtab {

Task<Result<void>> Store::reject(std::string key) {
  const AsyncMutex::Guard writing = co_await writer_lock_.lock();
  if (key.empty() || rejected_.contains(key)) co_return Result<void>();
  std::set<std::string> keys = rejected_;
  keys.insert(std::move(key));
  co_return co_await write_rejected(std::move(keys));
}

Task<Result<void>> Store::clear_rejection(std::string key) {
  const AsyncMutex::Guard writing = co_await writer_lock_.lock();
  if (!rejected_.contains(key)) co_return Result<void>();
  std::set<std::string> keys = rejected_;
  keys.erase(key);
  co_return co_await write_rejected(std::move(keys));
}

Task<Result<void>> Store::accept_rejected() {
  const AsyncMutex::Guard writing = co_await writer_lock_.lock();
  if (!rejected_file_.is_doubtful()) co_return Result<void>();
  co_return co_await write_rejected(rejected_);
}

Task<Result<void>> Store::write_rejected(std::set<std::string> keys) {
  // Once the file is written anew, only the pause tells of the doubt after a restart.
  if (rejected_file_.is_doubtful() && intent_.paused && !intent_.is_unknown) {
    const Result<void> held = co_await write_intent(intent_);
    if (!held) co_return held;
  }
  Json json;
  json["keys"] = keys;
  const Result<void> written = co_await write_kept(&rejected_file_, std::move(json));
  if (written) rejected_ = std::move(keys);
  co_return written;
}

Task<Result<void>> Store::change_intent(std::function<void(Intent&)> change) {
  const AsyncMutex::Guard writing = co_await writer_lock_.lock();
  Intent intent = intent_;
  change(intent);
  co_return co_await write_intent(std::move(intent));
}

Task<Result<void>> Store::write_intent(Intent intent) {
  Json json;
  json["paused"] = intent.paused;
  json["paused_why"] = intent.paused_why;
  json["paused_at"] = format_time(intent.paused_at);
  json["held_commit"] = intent.held_commit;
  json["unit"] = intent.unit;
  const Result<void> written = co_await write_kept(&intent_file_, std::move(json));
  if (written) intent_ = std::move(intent);
  co_return written;
}

Task<Result<void>> Store::write_kept(KeptFile* file, Json json) {
  const std::string doubt = file->doubt();
  const auto write = [&] { return file->write(std::move(json)); };
  const Result<void> written = co_await on_disk_thread(write);
  if (!written || doubt.empty()) co_return written;
  std::erase_if(problems_, [&](const std::string& problem) { return problem.ends_with(doubt); });
  co_return written;
}

}  // namespace trimtab
