// Detects renewed files, such as certificates, which a service reads only when it is reloaded.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "agent/model/release.hpp"

namespace trimtab {

class RenewedFiles {
 public:
  // Returns the services that can be reloaded and some of whose files changed since the last call;
  // none at the first call. Considers untracked files only, because tracked ones change with a
  // release: files that are mounted alone and read-only, and certificates and keys (.pem, .crt,
  // .cer, .key) in mounted directories. `live`: the stack's directory.
  std::set<std::string> find_renewed(const Release& release, const Rendering& rendering,
                                     const std::filesystem::path& live);

  // The service was not reloaded: the next call returns it again.
  void was_not_reloaded(const std::string& service) { due_.insert(service); }

 private:
  // Path → a stamp that changes when the file is written.
  using Marks = std::map<std::string, std::string>;
  std::map<std::string, Marks> known_;  // by service
  std::set<std::string> due_;
};

}  // namespace trimtab
