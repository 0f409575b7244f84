// The remote and the registry of the simulated world, behind the daemon's seams.
#pragma once

#include "agent/git/git.hpp"
#include "agent/registry/registry.hpp"
#include "tests/simulation/world.hpp"

namespace trimtab::simulation {

class SimulatedGit final : public Git {
 public:
  explicit SimulatedGit(World& world) : world_(world) {}

  Task<Result<RefTip>> resolve_ref() override;
  [[nodiscard]] std::string transport_in_use() const override { return "simulated"; }
  void close_idle_connection() override {}
  Task<Result<std::string>> fetch(RefTip tip) override;
  Task<Result<std::string>> find_commit(std::string text) override;
  Task<Result<CommitInfo>> describe(std::string commit) override;
  Task<Result<bool>> is_ancestor(std::string older, std::string newer) override;
  Task<Result<std::vector<TreeEntry>>> tree(std::string commit) override;
  Task<Result<void>> keep(std::string commit, int release) override;
  Task<Result<void>> keep_only(std::set<int> releases) override;
  Task<Result<void>> stage(std::string commit, std::filesystem::path directory) override;
  Task<Result<SwitchReport>> checkout_live(std::filesystem::path directory, std::string from,
                                           std::string to, std::vector<std::string> in_place,
                                           std::filesystem::path saved) override;
  Task<Result<std::vector<std::string>>> collisions(std::filesystem::path directory,
                                                    std::string from, std::string commit) override;
  Task<Result<std::vector<std::string>>> edits(std::filesystem::path directory, std::string from,
                                               std::string commit) override;

 private:
  Task<Result<void>> work();
  Task<Result<void>> ask_remote();

  World& world_;
};

class SimulatedRegistry final : public Registry {
 public:
  explicit SimulatedRegistry(World& world) : world_(world) {}

  Task<Result<std::string>> digest_of(ImageReference reference) override;
  Task<Result<std::string>> image_digest(ImageReference reference, Platform) override;
  Task<Result<ImageManifest>> manifest_of(ImageReference reference, Platform) override;
  Task<Result<std::optional<RegistryLogin>>> login_for(std::string registry) override;
  void forget_login(const std::string&) override {}

 private:
  Task<Result<void>> answer();

  World& world_;
};

}  // namespace trimtab::simulation
