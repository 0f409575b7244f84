// An Engine that does not answer. A test gives it the calls that it is about.
#pragma once

#include "agent/docker/docker.hpp"

namespace trimtab::test {

class AbsentDocker : public Docker {
 public:
  Task<Result<EngineInfo>> info() override { co_return away(); }
  Task<Result<std::vector<Container>>> project_containers(std::string) override {
    co_return away();
  }
  Task<Result<std::vector<Container>>> all_containers() override { co_return away(); }
  Task<Result<std::set<std::string>>> networks() override { co_return away(); }
  Task<Result<std::set<std::string>>> volumes() override { co_return away(); }
  Task<Result<std::vector<std::string>>> tags_below(std::string) override { co_return away(); }
  Task<Result<void>> tag_image(std::string, std::string, std::string) override { co_return away(); }
  Task<Result<void>> remove_image(std::string) override { co_return away(); }
  Task<Result<std::string>> last_log_lines(std::string, int) override { co_return away(); }
  Task<Result<void>> follow_logs(std::string, LogRange, bool,
                                 std::function<bool(std::string_view)>) override {
    co_return away();
  }
  Task<Result<int>> exec(ExecRequest, std::function<void(std::string_view)>) override {
    co_return away();
  }
  Task<Result<void>> start(std::string) override { co_return away(); }
  Task<Result<void>> stop(std::string) override { co_return away(); }
  Task<Result<void>> restart(std::string) override { co_return away(); }
  Task<Result<void>> signal(std::string, std::string) override { co_return away(); }
  Task<Result<ThrowawayResult>> run_throwaway(ThrowawayRequest) override { co_return away(); }
  Task<Result<std::uint64_t>> memory_used(std::string) override { co_return away(); }
  Task<Result<void>> events(std::int64_t, std::function<void()>,
                            std::function<void(const EngineEvent&)>) override {
    co_return away();
  }
  Task<Result<Image>> image(std::string) override { co_return away(); }
  Task<Result<void>> pull(std::string, std::string, std::string, std::optional<RegistryLogin>,
                          std::function<void(const PullProgress&)>) override {
    co_return away();
  }
  Task<Result<void>> remove(std::string) override { co_return away(); }

 private:
  static Error away() { return Error{Errc::unavailable, "Docker does not answer", {}}; }
};

}  // namespace trimtab::test
