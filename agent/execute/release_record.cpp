#include "agent/execute/release_record.hpp"

#include <algorithm>

namespace trimtab {

Result<void> update_release(Store& store, int number, const std::function<void(Release&)>& change) {
  const Release* const found = store.find(number);
  if (found == nullptr) {
    return Error{Errc::not_found, "release " + std::to_string(number) + " is not there", {}};
  }
  Release release = *found;
  change(release);
  return store.save(release);
}

void add_notice(Release& release, const std::string& notice) {
  const auto& known = release.notices;
  if (std::find(known.begin(), known.end(), notice) == known.end()) {
    release.notices.push_back(notice);
  }
}

}  // namespace trimtab
