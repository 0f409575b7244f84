#include "agent/execute/postgres.hpp"

namespace trimtab {
namespace {

constexpr const char* variable = "PG_MAJOR";

}  // namespace

Task<std::map<std::string, preflight::PostgresMajors>> postgres_majors(
    Docker& docker, std::vector<Container> containers, std::map<std::string, ImagePin> images) {
  std::map<std::string, preflight::PostgresMajors> majors;
  for (const Container& container : containers) {
    const auto pin = images.find(container.service);
    if (pin == images.end()) continue;
    const Result<Image> wanted = co_await docker.image(pin->second.pinned);
    if (!wanted || wanted->id == container.image_id) continue;
    const Result<Image> runs = co_await docker.image(container.image_id);
    if (!runs) continue;
    const auto before = runs->environment.find(variable);
    const auto after = wanted->environment.find(variable);
    if (before == runs->environment.end() || after == wanted->environment.end()) continue;
    majors[container.service] = {before->second, after->second};
  }
  co_return majors;
}

}  // namespace trimtab
