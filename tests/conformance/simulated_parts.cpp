#include <algorithm>

#include "agent/docker/engine_json.hpp"
#include "tests/conformance/parts.hpp"
#include "tests/lib/temporary_folder.hpp"
#include "tests/simulation/compose.hpp"
#include "tests/simulation/engine.hpp"

namespace trimtab::conformance {
namespace {

using namespace std::chrono_literals;
using namespace trimtab::simulation;

class SimulatedParts final : public Parts {
 public:
  SimulatedParts() : world_(begun(), folder_ / "world") {
    for (WorldImage& image : serves_) image = world_.publish(image_name, {});
    Behaviour behaviour;
    behaviour.starts = false;
    cannot_start_ = world_.publish(image_name, behaviour);
    world_.images[cannot_start_.digest] = cannot_start_;
  }

  Docker& docker() override { return docker_; }
  Compose& compose() override { return compose_; }
  asio::io_context& loop() override { return loop_; }
  bool turn_until(std::function<bool()> condition) override {
    const WorldTime end = world_.now() + 1min;
    while (!condition()) {
      loop_.restart();
      if (loop_.poll() > 0) continue;
      const WorldTime next = std::min(world_.next_event(), virtual_clock::next_timer());
      if (next > end) return condition();
      virtual_clock::advance_to(next);
      world_.move();
      virtual_clock::fire_timers();
    }
    return true;
  }

  std::filesystem::path folder() override { return folder_.path(); }
  std::string repository() override { return serves_[0].repository; }
  std::string digest(int image) override { return serves_.at(image - 1).digest; }
  Json service(int image, Does does) override {
    Json service;
    service["image"] =
        does == Does::has_no_such_command ? cannot_start_.pinned() : serves_.at(image - 1).pinned();
    if (does == Does::ends_with_1) service["environment"]["MODE"] = "ends";
    return service;
  }
  void remove_volume(const std::string& volume) override {
    for (const Container& container : world_.containers()) {
      world_.stop(container.id);
      world_.remove(container.id);
    }
    world_.volumes.erase(volume);
  }
  bool heeds_stop(int) override { return true; }
  void run_labelled(const std::string& name,
                    const std::map<std::string, std::string>& labels) override {
    Json listed;
    listed["Names"] = Json::array({name});
    listed["Labels"] = labels;
    listed["Image"] = serves_[0].pinned();
    listed["ImageID"] = serves_[0].digest;
    Container container = parse_listed_container(listed);
    container.restart_policy = "no";
    const std::string id = world_.create(std::move(container), Behaviour(), "").seen.id;
    world_.start(id);
  }

 private:
  static constexpr const char* image_name = "acme/web:latest";
  static std::uint64_t begun() {
    virtual_clock::begin();
    return 1;
  }

  test::TemporaryFolder folder_;
  World world_;
  std::array<WorldImage, 5> serves_;
  WorldImage cannot_start_;
  asio::io_context loop_{1};
  SimulatedEngine docker_{world_, loop_.get_executor()};
  SimulatedCompose compose_{world_};
};

}  // namespace

std::unique_ptr<Parts> make_parts(const std::string&, const std::string&) {
  return std::make_unique<SimulatedParts>();
}

INSTANTIATE_TEST_SUITE_P(Simulated, EngineConformance, testing::Values("2.26"));
INSTANTIATE_TEST_SUITE_P(Simulated, ComposeConformance, testing::Values("2.26"));

}  // namespace trimtab::conformance
