// Emits text as a YAML scalar that every parser reads as the same text: YAML 1.1 for Compose 1,
// YAML 1.2 for Compose 2, and trimtab's own. Hand-written, because yaml-cpp's emitter turns U+FFFE,
// U+FFFF and U+10FFFF into U+FFFD, and does not escape U+007F, which Compose 1 rejects.
#pragma once

#include <string>

namespace trimtab {

// Plain if no parser can mistake it for anything but text, otherwise double-quoted.
std::string yaml_text(const std::string& text);

}  // namespace trimtab
