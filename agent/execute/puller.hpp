// Brings the images of a release onto this host: several at a time, by digest, tried again where
// the network failed.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>

#include "agent/docker/docker.hpp"
#include "agent/execute/progress.hpp"
#include "agent/model/release.hpp"
#include "agent/registry/registry.hpp"

namespace trimtab {

// All outlive the puller.
struct PullerDeps {
  const std::string& stack;
  Registry& registry;
  Docker& docker;
  Progress& progress;  // is told what is pulled, with the sums over all images that were not here
};

class Puller {
 public:
  // `expected`: bytes that an image will take, as far as they are known, by pinned reference.
  Puller(PullerDeps deps, std::map<std::string, std::uint64_t> expected);

  // All of them, by service: present, and tagged so that no prune takes them. The first error ends
  // it; what is complete by then stays. Errors: those of Docker::pull; not_found for an image that
  // was on this host alone.
  Task<Result<void>> pull(std::map<std::string, ImagePin> images);

 private:
  struct Item {
    std::string service;
    ImagePin pin;
  };

  Task<void> work();
  Task<Result<void>> bring(Item item);
  // Tries again what waiting may cure: what was transferred of it before is not lost.
  Task<Result<void>> pull_patiently(ImagePin pin);
  Task<Result<void>> pull_once(ImagePin pin, ImageReference reference);
  void note(const ImagePin& pin, const PullProgress& progress);

  PullerDeps deps_;
  std::map<std::string, std::uint64_t> expected_;
  std::map<std::string, PullProgress> progress_;  // by pinned reference
  std::deque<Item> waiting_;
  std::optional<Error> failure_;
};

}  // namespace trimtab
