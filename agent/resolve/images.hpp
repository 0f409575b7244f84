// Which image is each service to run, and which of them must be asked for?
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/model/reference.hpp"
#include "agent/model/release_record.hpp"
#include "common/json.hpp"

namespace trimtab {

// How to come to the pin of one service's image.
struct ImageNeed {
  enum class How {
    ask,     // the registry says what the tag is now
    keep,    // the current release's pin stays
    pinned,  // the compose file names a digest
    built,   // the service has only `build:`
  };
  std::string service;
  How how = How::ask;
  bool watched = false;  // its tag is asked for again and again
  std::string text;      // as the compose file writes it; for `built` the name Compose gives
  ImageReference reference;
  std::optional<ImagePin> kept;  // with How::keep
};

// What each service of a rendered, not yet pinned model needs. `watch`: the services whose tags are
// watched; absent: those whose tag has no digit. `current`: pins of the current release. invalid
// where an image reference is none.
Result<std::vector<ImageNeed>> image_needs(const Json& model, const std::string& project,
                                           bool underscore_names,
                                           const std::optional<std::vector<std::string>>& watch,
                                           const std::map<std::string, ImagePin>& current);

// Writes the pins into the model's services; `build:` goes away, since nothing is built here.
void pin_images(Json& model, const std::map<std::string, ImagePin>& pins);

// What all kept tags of the stack's images begin with.
std::string kept_tag_prefix(const std::string& stack);

// The local tag by which an image of a release is kept from being pruned, by anybody.
struct KeptTag {
  std::string repository;  // trimtab.local/STACK/SERVICE
  std::string tag;

  [[nodiscard]] std::string text() const { return repository + ":" + tag; }
};
KeptTag retention_tag(const std::string& stack, const std::string& service, const ImagePin& pin);

// Those of `tags`, all of them kept tags of the stack's, that none of the releases names.
std::vector<std::string> stale_tags(const std::vector<std::string>& tags, const std::string& stack,
                                    const Releases& releases);

}  // namespace trimtab
