// Notices that files were renewed which a service reads only when it is reloaded: certificates.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "agent/model/release.hpp"

namespace trimtab {

class RenewedFiles {
 public:
  // The services that can be reloaded and of whose files some changed since the call before; the
  // first one gives none. Looked at are files that Git does not track (what it tracks, a release
  // brings): those that are mounted alone and read-only, and certificates and keys (.pem, .crt,
  // .cer, .key) in mounted directories. `live`: the stack's directory.
  std::set<std::string> find_renewed(const Release& release, const Rendering& rendering,
                                     const std::filesystem::path& live);

  // The service did not take them: the next look gives it again.
  void was_not_reloaded(const std::string& service) { due_.insert(service); }

 private:
  // Path → what changes when it is written anew.
  using Marks = std::map<std::string, std::string>;
  std::map<std::string, Marks> known_;  // by service
  std::set<std::string> due_;
};

}  // namespace trimtab
