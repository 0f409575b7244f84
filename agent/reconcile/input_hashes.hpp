// The hashes of the files that releases are made from. They are asked for at each round and change
// rarely, so a file is read again only if it may have changed.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "common/async.hpp"

namespace trimtab {

// Changes if the file at `path` is written, replaced, made or removed; does not read it. Follows
// links: the file that would be read is what counts. "": there is none.
std::string stamp_of_file(const std::filesystem::path& path);

class InputHashes {
 public:
  // As input_hash(read_input(live, path)). `now`: when it is called.
  std::string hash_of(const std::filesystem::path& live, const std::string& path,
                      SteadyClock::time_point now);

  // The hash of a file that has this stamp; null where the file has to be read.
  [[nodiscard]] const std::string* find(const std::string& path, const std::string& stamp) const;
  // Notes what a file was read as. `stamp`: taken before that.
  void note(const std::string& path, const std::string& stamp, const std::string& hash,
            SteadyClock::time_point now);

 private:
  struct Known {
    std::string stamp;
    SteadyClock::time_point seen_since;
    std::string hash;  // "": the stamp does not tell what is in it yet
  };
  std::map<std::string, Known> known_;  // by path as in Inputs
};

}  // namespace trimtab
