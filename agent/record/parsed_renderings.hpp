// The renderings that were parsed last: a deployment reads its two again and again, and to compare
// bytes takes a hundredth of the time that parsing them takes.
#pragma once

#include <deque>
#include <string>

#include "agent/model/release.hpp"

namespace trimtab {

class ParsedRenderings {
 public:
  // Null where the release's file said something else when it was parsed, or was not by then.
  [[nodiscard]] const Rendering* find(int release, const std::string& content_key,
                                      const std::string& text) const;
  void keep(int release, std::string content_key, std::string text, Rendering rendering);

 private:
  struct Parsed {
    int release = 0;
    std::string content_key;
    std::string text;
    Rendering rendering;
  };
  std::deque<Parsed> parsed_;  // the latest first
};

}  // namespace trimtab
