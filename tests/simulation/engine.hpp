// The Docker Engine of the simulated world, behind the daemon's seam.
#pragma once

#include <deque>

#include "agent/docker/docker.hpp"
#include "tests/simulation/world.hpp"

namespace trimtab::simulation {

class SimulatedEngine final : public Docker {
 public:
  explicit SimulatedEngine(World& world, asio::any_io_executor executor)
      : world_(world), changed_(std::move(executor)) {}

  Task<Result<EngineInfo>> info() override;
  Task<Result<std::vector<Container>>> project_containers(std::string project) override;
  Task<Result<std::vector<Container>>> all_containers() override;
  Task<Result<std::set<std::string>>> networks() override;
  Task<Result<std::set<std::string>>> volumes() override;
  Task<Result<Image>> image(std::string reference) override;
  Task<Result<std::vector<std::string>>> tags_below(std::string prefix) override;
  Task<Result<void>> pull(std::string repository, std::string digest, std::string platform,
                          std::optional<RegistryLogin> login,
                          std::function<void(const PullProgress&)> on_progress) override;
  Task<Result<void>> tag_image(std::string reference, std::string repository,
                               std::string tag) override;
  Task<Result<void>> remove_image(std::string reference) override;
  Task<Result<std::string>> last_log_lines(std::string container, int lines) override;
  Task<Result<void>> follow_logs(std::string container, LogRange range, bool follow,
                                 std::function<bool(std::string_view line)> on_line) override;
  Task<Result<int>> exec(ExecRequest request,
                         std::function<void(std::string_view line)> on_line) override;
  Task<Result<void>> start(std::string container) override;
  Task<Result<void>> stop(std::string container) override;
  Task<Result<void>> restart(std::string container) override;
  Task<Result<void>> signal(std::string container, std::string signal) override;
  Task<Result<ThrowawayResult>> run_throwaway(ThrowawayRequest request) override;
  Task<Result<std::uint64_t>> memory_used(std::string container) override;
  Task<Result<void>> remove(std::string container) override;
  Task<Result<void>> events(std::int64_t since_nano, std::function<void()> on_connected,
                            std::function<void(const EngineEvent&)> on_event) override;

 private:
  // Of one that was just started: an error where the runtime does not find its command.
  [[nodiscard]] Result<void> started(const std::string& container) const;
  // The time that a call takes, at the end of which Docker may be away.
  Task<Result<void>> answer();
  [[nodiscard]] Result<void> must_run(const std::string& container) const;

  World& world_;
  std::deque<EngineEvent> events_;
  bool lost_ = false;
  WakeEvent changed_;
};

// The image on the host that a reference means, by its id: an id, a tag or repo@digest; "": none.
std::string id_of_image(const World& world, const std::string& reference);

}  // namespace trimtab::simulation
