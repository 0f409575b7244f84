// Text as a value or a key of YAML that each reader takes for the same text: of YAML 1.1 as Compose
// 1, of 1.2 as Compose 2, and ours. Written by hand, since yaml-cpp's emitter makes U+FFFD of
// U+FFFE, U+FFFF and U+10FFFF, and leaves U+007F as it is, which Compose 1 refuses to read.
#pragma once

#include <string>

namespace trimtab {

// Plain where nobody can take it for anything but text, double-quoted elsewhere.
std::string yaml_text(const std::string& text);

}  // namespace trimtab
