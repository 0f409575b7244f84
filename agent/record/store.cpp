#include "agent/record/store.hpp"

#include <fmt/core.h>

#include "agent/record/release_json.hpp"
#include "agent/record/store_files.hpp"
#include "agent/record/way_back.hpp"
#include "common/disk_thread.hpp"
#include "common/files.hpp"
#include "common/hash.hpp"

namespace trimtab {

namespace fs = std::filesystem;

fs::path Store::release_directory(int number) const {
  return directory_ / "releases" / std::to_string(number);
}

fs::path Store::deployment_file(int id) const {
  return directory_ / "deployments" / (fmt::format("{}.json", id));
}

fs::path Store::compose_file(int number) const {
  return release_directory(number) / "compose.yaml";
}

const ReleaseRecord* Store::find(int number) const {
  const auto found = releases_.find(number);
  return found == releases_.end() ? nullptr : &found->second;
}

const ReleaseRecord* Store::current() const {
  return find(current_);
}

int Store::next_number() const {
  return highest_ + 1;
}

const ReleaseRecord* Store::last_good_before(const ReleaseRecord& than) const {
  return way_back_from(than, releases_, rejected_);
}

// --- releases

Task<Result<void>> Store::save(Release release) {
  const AsyncMutex::Guard writing = co_await writer_lock_.lock();
  const fs::path directory = release_directory(release.number);
  const auto write = [&] {
    const Result<void> made = make_private_directory(directory);
    return made ? write_json(directory / "release.json", to_json(release)) : made;
  };
  const Result<void> written = co_await on_disk_thread(write);
  if (!written) co_return written;
  highest_ = std::max(highest_, release.number);
  releases_[release.number] = record_of(release, deployments_);
  co_return Result<void>();
}

Task<Result<void>> Store::save_rendering(int number, std::string compose_yaml) {
  const AsyncMutex::Guard writing = co_await writer_lock_.lock();
  const fs::path file = compose_file(number);
  const auto write = [&]() -> Result<void> {
    if (auto made = make_private_directory(file.parent_path()); !made) return made;
    // A directory that a damaged disk has put in its place must not make the release unusable.
    std::error_code ec;
    if (fs::is_directory(fs::symlink_status(file, ec))) {
      if (auto removed = remove_tree(file); !removed) return removed;
    }
    return write_file_durably(file, compose_yaml);
  };
  co_return co_await on_disk_thread(write);
}

Result<std::string> Store::rendering(int number) const {
  return read_file(compose_file(number));
}

Task<Result<void>> Store::save_boot_files(int number, std::string boot_yaml, std::string boot_env) {
  const AsyncMutex::Guard writing = co_await writer_lock_.lock();
  const std::string hash = sha256_hex(std::to_string(number) + "\n" + boot_env + "\n" + boot_yaml);
  if (written_boot_files_ == hash && has_boot_files(number)) co_return Result<void>();
  written_boot_files_.clear();
  const fs::path directory = release_directory(number);
  const auto write = [&] {
    const Result<void> written = write_file_durably(directory / "boot.yaml", boot_yaml);
    return written ? write_file_durably(directory / "boot.env", boot_env) : written;
  };
  const Result<void> written = co_await on_disk_thread(write);
  if (written) written_boot_files_ = hash;
  co_return written;
}

bool Store::has_boot_files(int number) const {
  const fs::path directory = release_directory(number);
  std::error_code ec;
  const auto rendered = fs::last_write_time(compose_file(number), ec);
  if (ec) return false;
  for (const char* name : {"boot.yaml", "boot.env"}) {
    const auto written = fs::last_write_time(directory / name, ec);
    if (ec || written < rendered) return false;
  }
  return true;
}

fs::path Store::input_file(int number, const std::string& path) const {
  const fs::path normal = fs::path(path).lexically_normal();
  const bool is_inside = normal.is_relative() && *normal.begin() != "..";
  return release_directory(number) /
         (is_inside ? "inputs" / normal : fs::path("outside") / sha256_hex(path));
}

Task<Result<void>> Store::save_inputs(int number,
                                      std::map<std::string, std::string> bytes_by_path) {
  if (bytes_by_path.empty()) co_return Result<void>();
  const AsyncMutex::Guard writing = co_await writer_lock_.lock();
  const auto write = [&]() -> Result<void> {
    for (const auto& [path, bytes] : bytes_by_path) {
      const fs::path file = input_file(number, path);
      if (auto made = make_private_directory(file.parent_path()); !made) return made;
      if (auto written = write_file_durably(file, bytes); !written) return written;
    }
    return {};
  };
  co_return co_await on_disk_thread(write);
}

Task<Result<void>> Store::set_current(int number) {
  const AsyncMutex::Guard writing = co_await writer_lock_.lock();
  const fs::path link = directory_ / "current";
  const fs::path target = fs::path("releases") / std::to_string(number);
  const auto move = [&] { return replace_symlink(link, target); };
  const Result<void> moved = co_await on_disk_thread(move);
  if (moved) current_ = number;
  co_return moved;
}

// --- deployments

Task<Result<void>> Store::set_running(RunningSet running) {
  const AsyncMutex::Guard writing = co_await writer_lock_.lock();
  if (running == running_ && is_running_written_) co_return Result<void>();
  running_ = running;
  const fs::path file = directory_ / "running.json";
  const auto write = [&] { return write_json(file, to_json(running)); };
  const Result<void> written = co_await on_disk_thread(write);
  is_running_written_ = written.has_value();
  co_return written;
}

Task<Result<void>> Store::save(Deployment deployment) {
  const AsyncMutex::Guard writing = co_await writer_lock_.lock();
  const fs::path file = deployment_file(deployment.id);
  const auto write = [&] { return write_json(file, to_json(deployment)); };
  const Result<void> written = co_await on_disk_thread(write);
  if (!written) co_return written;
  remember(deployment);
  if (!deployment.ended_at) {
    in_flight_ = deployment;
  } else if (in_flight_ && in_flight_->id == deployment.id) {
    in_flight_.reset();
  }
  for (const int number : {deployment.release, deployment.ran.release, deployment.checkout}) {
    const auto found = releases_.find(number);
    if (found != releases_.end()) found->second = record_of(found->second, deployments_);
  }
  co_return Result<void>();
}

void Store::remember(const Deployment& deployment) {
  last_deployment_ = std::max(last_deployment_, deployment.id);
  deployments_[deployment.id] = deployment;
}

}  // namespace trimtab
