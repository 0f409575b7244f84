#include "tests/simulation/processes.hpp"

#include <map>
#include <vector>

#include "common/marked_processes.hpp"

namespace trimtab {
namespace simulation::processes {
namespace {

struct Process {
  std::string mark;
  std::string container;
};

std::map<int, Process> all;
int started = 0;
std::function<void(const std::string&)> told;

}  // namespace

void begin(std::function<void(const std::string& container)> on_kill) {
  all.clear();
  told = std::move(on_kill);
}

int start(const std::string& mark, const std::string& container) {
  all[++started] = {mark, container};
  return started;
}

bool runs(int number) {
  return all.contains(number);
}

std::size_t count() {
  return all.size();
}

void end(int number) {
  all.erase(number);
}

void end_in(const std::string& container) {
  std::erase_if(all, [&](const auto& entry) { return entry.second.container == container; });
}

}  // namespace simulation::processes

int kill_by_environment(const std::string& variable) {
  using namespace simulation::processes;
  std::vector<std::string> containers;
  std::erase_if(all, [&](const auto& entry) {
    const bool is_meant = entry.second.mark == variable;
    if (is_meant) containers.push_back(entry.second.container);
    return is_meant;
  });
  for (const std::string& container : containers) told(container);
  return static_cast<int>(containers.size());
}

}  // namespace trimtab
