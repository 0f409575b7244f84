#include "agent/execute/stack_reader.hpp"

#include "agent/execute/known_volumes.hpp"
#include "agent/record/rendering.hpp"

namespace trimtab {

Task<Result<ProjectContainers>> StackReader::found() const {
  co_return co_await project_containers(deps_.docker, deps_.settings, deps_.store, deps_.project);
}

Task<Result<std::vector<Container>>> StackReader::containers() const {
  co_return co_await own_containers(deps_.docker, deps_.settings, deps_.store, deps_.project);
}

Task<Result<Rendering>> StackReader::rendering(int number) const {
  const Result<void> readable = co_await deps_.rerender_for_current_compose(number);
  if (!readable) co_return readable.error();
  co_return read_rendering(deps_.store, number);
}

Task<Result<std::map<std::string, std::string>>> StackReader::image_ids(Release release) const {
  std::map<std::string, std::string> ids;
  for (const auto& [service, pin] : release.images) {
    const Result<Image> image = co_await deps_.docker.image(pin.pinned);
    if (!image) co_return image.error();
    ids[service] = image->id;
  }
  co_return ids;
}

Task<Result<void>> StackReader::volumes_are_there(int number) const {
  const Result<Rendering> read = co_await rendering(number);
  if (!read) co_return read.error();
  co_return co_await trimtab::volumes_are_there(deps_.docker, deps_.store, *read, number);
}

Task<Result<void>> StackReader::may_apply(int number, Plan plan) const {
  std::vector<std::string> services = plan.to_apply();
  for (std::string& rolled : plan.with(Action::roll)) services.push_back(std::move(rolled));
  if (services.empty()) co_return Result<void>();
  const Result<ProjectContainers> present = co_await found();
  if (!present) co_return present.error();
  if (auto obstacle = foreign_obstacle(present->foreign, services)) co_return std::move(*obstacle);
  co_return co_await volumes_are_there(number);
}

}  // namespace trimtab
