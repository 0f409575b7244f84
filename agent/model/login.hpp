#pragma once

#include <string>

namespace trimtab {

// What a registry asks for before it gives an image. Never printed, never logged.
struct RegistryLogin {
  std::string username;
  std::string password;
  std::string
      server;  // as Docker's config.json and the Engine name it: https://index.docker.io/v1/
};

}  // namespace trimtab
