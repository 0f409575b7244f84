// Told while a deployment goes on; what people see comes from here.
#pragma once

#include <chrono>
#include <map>
#include <string>

#include "agent/docker/docker.hpp"
#include "agent/model/deployment.hpp"

namespace trimtab {

class Progress {
 public:
  virtual ~Progress() = default;
  virtual void phase_begun(const Deployment& deployment) = 0;
  virtual void pulling(const std::string& image, const PullProgress& progress) = 0;
  // Service → what it is waited for; empty words: ready.
  virtual void waiting_for(const std::map<std::string, std::string>& services) = 0;
  virtual void note(const std::string& line) = 0;
  // A hook begins, which may last so long without another sign.
  virtual void hook_begun(const std::string& name, std::chrono::milliseconds at_most) = 0;
};

}  // namespace trimtab
