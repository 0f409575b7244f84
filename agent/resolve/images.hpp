// Decides for each service which image it runs and whether its registry has to be asked.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/model/manifest.hpp"
#include "agent/model/reference.hpp"
#include "agent/model/release_record.hpp"
#include "common/json.hpp"

namespace trimtab {

// How to obtain the pin of a service's image.
struct ImageNeed {
  enum class How {
    ask,     // ask the registry for the tag's digest
    keep,    // keep `current`
    pinned,  // the Compose file names a digest
    built,   // the service has only `build:`
  };
  std::string service;
  How how = How::ask;
  bool watched = false;  // its tag is polled
  std::string text;      // as in the Compose file; for `built` the name that Compose assigns
  ImageReference reference;
  std::string platform;             // as the service asks for it; "": the host's own
  std::optional<ImagePin> current;  // of the current release, for the same image and platform
};

// Returns what each service of a rendered but not yet pinned model needs. `watch`: services whose
// tags are watched; absent: those whose tag contains no digit. `current`: pins of the current
// release. `host`: the platform of the Engine's own images. invalid if an image reference is
// malformed.
Result<std::vector<ImageNeed>> image_needs(const Json& model, const std::string& project,
                                           bool underscore_names,
                                           const std::optional<std::vector<std::string>>& watch,
                                           const std::map<std::string, ImagePin>& current,
                                           const Platform& host);

// Replaces the images in the model by the pins and removes `build:`, since nothing is built on this
// host.
void pin_images(Json& model, const std::map<std::string, ImagePin>& pins);

// Returns the common prefix of all retention tags of the stack.
std::string kept_tag_prefix(const std::string& stack);

// A local tag that protects an image of a release from `docker image prune`.
struct RetentionTag {
  std::string repository;  // trimtab.local/STACK/SERVICE
  std::string tag;

  [[nodiscard]] std::string text() const { return repository + ":" + tag; }
};
RetentionTag retention_tag(const std::string& stack, const std::string& service,
                           const ImagePin& pin);

// Returns those of `tags`, which must all be retention tags of the stack, that no release uses.
std::vector<std::string> stale_tags(const std::vector<std::string>& tags, const std::string& stack,
                                    const Releases& releases);

}  // namespace trimtab
