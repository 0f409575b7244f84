// Pins each image of a candidate to the digest in its registry, or to the local image.
#include "agent/reconcile/candidate_builder.hpp"

namespace trimtab {

Task<Result<std::string>> CandidateBuilder::ask_digest(ImageNeed need) {
  // A user who pushes an image and then the commit means that image, so an answer from before the
  // commit does not count.
  std::optional<std::string> known;
  const auto found = facts_->digests.find(need.text);
  if (found != facts_->digests.end() && found->second.answered_at >= facts_->tip.changed_at) {
    known = found->second.value;
    if (known && !found->second.error) co_return *known;
  }
  Result<std::string> digest = co_await deps_.registry.digest_of(need.reference);
  if (digest && need.watched) facts_->digests[need.text].succeed(*digest);
  // A registry that is unavailable must not block changes of other images.
  if (!digest && known && is_transient(digest.error().code)) co_return *known;
  co_return digest;
}

// Taking a stack over must not update postgres:16 to a new patch release.
Task<std::optional<ImagePin>> CandidateBuilder::pin_of_running(ImageNeed need) {
  if (need.watched || deps_.store.current() != nullptr) co_return std::nullopt;
  for (const Container& container : candidate_.running.own) {
    if (container.service != need.service || container.image != need.text) continue;
    const Result<Image> image = co_await deps_.docker.image(container.image_id);
    if (!image) continue;
    const std::string prefix = need.reference.familiar_name() + "@";
    for (const std::string& digest : image->repo_digests) {
      if (digest.rfind(prefix, 0) != 0) continue;
      ImagePin pin;
      pin.reference = need.text;
      pin.pinned = digest;
      pin.platform = need.platform;
      co_return pin;
    }
  }
  co_return std::nullopt;
}

Task<bool> CandidateBuilder::pin_one(ImageNeed need) {
  ImagePin pin;
  pin.reference = need.text;
  if (need.how == ImageNeed::How::keep) {
    pins_[need.service] = *need.current;
    co_return true;
  }
  if (need.how == ImageNeed::How::pinned) {
    if (!need.platform.empty()) co_return co_await pin_digest(need, need.reference.digest);
    pin.pinned = need.reference.pinned(need.reference.digest);
    pins_[need.service] = pin;
    co_return true;
  }
  // An image without any registry's digest was built or loaded on this host.
  const Result<Image> here = co_await deps_.docker.image(need.text);
  if (!here && here.error().code != Errc::not_found) co_return blame_host(here.error());
  if (here && here->repo_digests.empty()) {
    pin.pinned = here->id;
    pin.local = true;
    pins_[need.service] = pin;
    co_return true;
  }
  if (need.how == ImageNeed::How::built) {
    if (here) {
      pin.pinned = here->id;
      pin.local = true;
      pins_[need.service] = pin;
    } else {
      candidate_.built_images_missing.insert(need.service);
    }
    co_return true;
  }
  if (need.watched) candidate_.watched[need.text] = need.reference;
  const std::optional<ImagePin> running = co_await pin_of_running(need);
  if (running) {
    pins_[need.service] = *running;
    co_return true;
  }
  const Result<std::string> digest = co_await ask_digest(need);
  if (!digest && digest.error().code == Errc::not_found) {
    candidate_.missing_images.push_back(need.text);
    co_return true;
  }
  if (!digest) co_return blame_host(digest.error());
  co_return co_await pin_digest(need, *digest);
}

// Pins an index to its entry for the platform: an attestation changes the index and not what runs,
// and an Engine may hold only one platform of an index.
Task<bool> CandidateBuilder::pin_digest(ImageNeed need, std::string digest) {
  ImagePin pin;
  pin.reference = need.text;
  pin.platform = need.platform;
  pin.pinned = need.reference.pinned(digest);
  if (need.current && need.current->tag_digest() == digest) {
    pins_[need.service] = *need.current;
    co_return true;
  }
  const Platform wanted =
      need.platform.empty() ? deps_.host : parse_platform(need.platform, deps_.host);
  if (!wanted.architecture.empty()) {
    ImageReference reference = need.reference;
    reference.digest = digest;
    const Result<std::string> own = co_await deps_.registry.image_digest(reference, wanted);
    // For another platform alone: preflight says so.
    const bool has_none = !own && own.error().code == Errc::invalid;
    if (!own && !has_none) co_return blame_host(own.error());
    if (own && *own != digest) {
      pin.index = digest;
      pin.pinned = need.reference.pinned(*own);
    }
  }
  pins_[need.service] = pin;
  co_return true;
}

Task<bool> CandidateBuilder::pin() {
  static const std::map<std::string, ImagePin> none;
  const ReleaseRecord* const current = deps_.store.current();
  const bool underscores = deps_.compose.tool().family == ComposeFamily::v1;
  const auto needs = image_needs(candidate_.rendering.model, result_.release.project, underscores,
                                 deps_.settings.images.watch,
                                 current == nullptr ? none : current->images, deps_.host);
  if (!needs) {
    co_return refuse(reject("image", needs.error().message, "correct `image:` of the service"));
  }
  for (const ImageNeed& need : *needs) {
    if (need.watched) result_.release.watched.insert(need.service);
    const bool pinned = co_await pin_one(need);
    if (!pinned) co_return false;
  }
  co_return true;
}

}  // namespace trimtab
