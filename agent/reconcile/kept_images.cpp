#include "agent/reconcile/kept_images.hpp"

#include "agent/resolve/images.hpp"

namespace trimtab {

Task<Result<bool>> remove_retired_images(Docker& docker, const Store& store, std::string stack) {
  const auto tags = co_await docker.tags_below(kept_tag_prefix(stack));
  if (!tags) co_return tags.error();
  bool tidy = true;
  // As it is now, after the question: a deployment may have begun meanwhile.
  const std::vector<std::string> stale = stale_tags(*tags, stack, store.releases());
  for (const std::string& tag : stale) {
    const Result<Image> image = co_await docker.image(tag);
    const Result<void> untagged = co_await docker.remove_image(tag);
    if (!untagged) co_return untagged.error();
    const Result<Image> still = co_await docker.image(tag);
    tidy = tidy && !still;
    if (!image || still) continue;
    // With its last tag the classic store drops an image whole; containerd's keeps what is named
    // by digest.
    const Result<Image> left = co_await docker.image(image->id);
    if (!left || !left->repo_tags.empty()) continue;
    for (const std::string& digest : left->repo_digests) {
      const Result<void> removed = co_await docker.remove_image(digest);
      if (!removed) co_return removed.error();
    }
  }
  co_return tidy;
}

}  // namespace trimtab
