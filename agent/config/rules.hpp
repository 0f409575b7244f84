// Rules about several keys of a configuration file, and about several files. They report to the
// documents of those that break them.
#pragma once

#include <vector>

#include "agent/config/reader.hpp"
#include "agent/config/settings.hpp"

namespace trimtab {

struct LoadedStack {
  StackSettings settings;
  Document document;
};

void check_daemon(const DaemonSettings& daemon, Document& document);
void check_stack(const StackSettings& stack, Document& document);
// Reports what two stacks may not share.
void check_stacks(std::vector<LoadedStack>& stacks);

}  // namespace trimtab
