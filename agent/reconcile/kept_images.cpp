#include "agent/reconcile/kept_images.hpp"

#include <set>
#include <utility>
#include <vector>

#include "agent/resolve/images.hpp"

namespace trimtab {

Task<Result<void>> tag_images_of_releases(Docker& docker, const Store& store, std::string stack) {
  const auto found = co_await docker.tags_below(kept_tag_prefix(stack));
  if (!found) co_return found.error();
  const std::set<std::string> there(found->begin(), found->end());
  std::vector<std::pair<RetentionTag, std::string>> missing;
  for (const auto& [number, release] : store.releases()) {
    for (const auto& [service, pin] : release.images) {
      RetentionTag tag = retention_tag(stack, service, pin);
      if (!there.contains(tag.text())) missing.emplace_back(std::move(tag), pin.pinned);
    }
  }
  for (const auto& [tag, pinned] : missing) {
    const Result<Image> image = co_await docker.image(pinned);
    Result<void> tagged;
    if (image) tagged = co_await docker.tag_image(pinned, tag.repository, tag.tag);
    if (!image && image.error().code != Errc::not_found) tagged = image.error();
    // One that is gone meanwhile needs no tag.
    if (!tagged && tagged.error().code != Errc::not_found) co_return tagged;
  }
  co_return Result<void>();
}

Task<Result<bool>> remove_retired_images(Docker& docker, const Store& store, std::string stack) {
  const auto tags = co_await docker.tags_below(kept_tag_prefix(stack));
  if (!tags) co_return tags.error();
  bool tidy = true;
  // Reads the releases after listing the tags, because a deployment may have begun meanwhile.
  const std::vector<std::string> stale = stale_tags(*tags, stack, store.releases());
  if (stale.empty()) co_return true;
  const auto containers = co_await docker.all_containers();
  if (!containers) co_return containers.error();
  std::set<std::string> in_use;
  for (const Container& container : *containers) in_use.insert(container.image_id);
  for (const std::string& tag : stale) {
    const Result<Image> image = co_await docker.image(tag);
    if (!image && image.error().code != Errc::not_found) co_return image.error();
    const bool is_last = image && image->repo_tags.size() == 1;
    // Without its last tag an image that is in use would stay, and nobody would know of it.
    if (is_last && in_use.contains(image->id)) {
      tidy = false;
      continue;
    }
    // The image goes with its last name. The tag is the last, since it is known by that if this is
    // cut off.
    const std::vector<std::string> digests =
        is_last ? image->repo_digests : std::vector<std::string>();
    for (const std::string& digest : digests) {
      const Result<void> removed = co_await docker.remove_image(digest);
      if (!removed) co_return removed.error();
    }
    const Result<void> untagged = co_await docker.remove_image(tag);
    if (!untagged) co_return untagged.error();
    const Result<Image> still = co_await docker.image(tag);
    tidy = tidy && !still && still.error().code == Errc::not_found;
  }
  co_return tidy;
}

}  // namespace trimtab
