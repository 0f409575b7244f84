// Docker Compose of the simulated world, behind the daemon's seam.
#pragma once

#include "agent/compose/compose.hpp"
#include "agent/model/release.hpp"
#include "tests/simulation/world.hpp"

namespace trimtab::simulation {

// MODE in the environment of a service whose one-off does so.
inline constexpr const char* migration_fails = "migration fails";
inline constexpr const char* migration_hangs = "migration hangs";

class SimulatedCompose final : public Compose {
 public:
  explicit SimulatedCompose(World& world);

  [[nodiscard]] const ComposeTool& tool() const override { return tool_; }
  Task<Result<void>> refresh() override;
  [[nodiscard]] const std::optional<Error>& problem() const override { return problem_; }
  Task<Result<Rendered>> render(RenderRequest request) override;
  Task<Result<void>> up(UpRequest request) override;
  Task<Result<RunEnd>> run_once(RunRequest request) override;

 private:
  Task<Result<void>> answer();
  Task<Result<void>> make_volumes(Json model);
  // An error where the container cannot be started, as of one without its command.
  Result<void> start(const std::string& container);
  Task<Result<void>> converge(Json model, std::string service, UpRequest request);
  Task<Result<void>> remove(std::string container);
  Task<Result<void>> make(Json model, Container container, std::string in_place_of);

  World& world_;
  ComposeTool tool_;
  std::optional<Error> problem_;
};

// Of YAML, or of JSON, which is YAML, too. What was read once is remembered.
Result<Json> parse_compose_file(const std::string& text);

// How a container of this service behaves: its environment decides besides its image.
Behaviour behaviour_of(const Json& service, Behaviour behaviour);

// Its one-off ends well.
bool can_migrate(const Json& service);

// By which Compose tells whether a container is what the file says.
std::string definition_of(const Json& service);

// What others depend on first; none that was not asked for (--no-deps).
std::vector<std::string> in_order(const Json& services, const std::vector<std::string>& asked);

// Those that Compose takes for the service, the oldest first.
std::vector<Container> containers_of_service(const World& world, const std::string& project,
                                             const std::string& service);

// As Compose makes one of a service of the file, as its first. Without an image on the host it has
// no image id.
Container new_container(const World& world, const Json& model, const std::string& service,
                        const UpRequest& request);
WorldContainer& create_container(World& world, const Json& definition, Container made);

}  // namespace trimtab::simulation
