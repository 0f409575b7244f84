#include "agent/record/parsed_renderings.hpp"

#include <utility>

namespace trimtab {
namespace {

// What is deployed, and what it goes back to.
constexpr std::size_t most_kept = 2;

}  // namespace

const Rendering* ParsedRenderings::find(int release, const std::string& content_key,
                                        const std::string& text) const {
  for (const Parsed& one : parsed_) {
    const bool is_it = one.release == release && one.content_key == content_key && one.text == text;
    if (is_it) return &one.rendering;
  }
  return nullptr;
}

void ParsedRenderings::keep(int release, std::string content_key, std::string text,
                            Rendering rendering) {
  std::erase_if(parsed_, [&](const Parsed& one) { return one.release == release; });
  parsed_.push_front({release, std::move(content_key), std::move(text), std::move(rendering)});
  if (parsed_.size() > most_kept) parsed_.pop_back();
}

}  // namespace trimtab
