// The processes that hooks are, in the simulated world: they go on where whoever has started them
// is killed. In place of common/marked_processes.cpp, which looks for real ones.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

namespace trimtab::simulation::processes {

// None run. `on_kill` is told the container of each that is killed by its mark.
void begin(std::function<void(const std::string& container)> on_kill);

// `mark`: NAME=VALUE in its environment. Gives its number.
int start(const std::string& mark, const std::string& container);
[[nodiscard]] bool runs(int number);
[[nodiscard]] std::size_t count();
void end(int number);
// The container has ended, and with it what ran in it.
void end_in(const std::string& container);

}  // namespace trimtab::simulation::processes
