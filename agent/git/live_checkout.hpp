// Switches the live directory from one commit to another without losing what is not in Git.
//
// The bare repository serves as the Git directory, with an index file of trimtab's own. If the live
// directory is a clone, that clone's settings are never read while files are written.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/git/checkout_writer.hpp"
#include "agent/git/commit_trees.hpp"
#include "agent/git/git_child.hpp"
#include "agent/git/remote.hpp"

namespace trimtab {

// More than 15 members: the steps of one switch, which share its index files and its marker.
class LiveCheckout {
 public:
  // `state` holds the index file and the marker of an unfinished switch. `trees` must outlive this
  // object.
  LiveCheckout(std::filesystem::path repository, std::filesystem::path state, CommitTrees& trees);

  // Git::checkout_live without updating the directory's own .git.
  Task<Result<SwitchReport>> checkout_live(std::filesystem::path directory, std::string from,
                                           std::string to, std::vector<std::string> in_place,
                                           std::filesystem::path saved);
  // See Git::collisions.
  Task<Result<std::vector<std::string>>> collisions(std::filesystem::path directory,
                                                    std::string from, std::string commit);

  // See Git::edits.
  Task<Result<std::vector<std::string>>> edits(std::filesystem::path directory, std::string from,
                                               std::string commit);

  // The index file that describes the directory after checkout_live.
  [[nodiscard]] std::filesystem::path index() const { return state_ / "live.index"; }
  // Removes the marker of the unfinished switch. To be called when all of the switch is done.
  Task<Result<void>> finish();

 private:
  using Entries = std::map<std::string, TreeEntry>;  // by path
  using Status = std::map<std::string, char>;        // differing paths: M, T(ype) or D(eleted)

  // The directory compared with the commits involved.
  struct Survey {
    Entries before;      // tracked files as they were last written
    Status edits;        // differences of the directory from `before`
    Entries after;       // files of the wanted commit
    bool stays = false;  // already at the wanted commit, with no unfinished switch
    Status pending;      // differences of the directory from `after`
    std::vector<std::string> collisions;
  };

  [[nodiscard]] GitCall call(const std::filesystem::path& directory,
                             const std::filesystem::path& index,
                             std::vector<std::string> arguments) const;
  Task<Result<Survey>> survey(std::filesystem::path directory, std::string from, std::string to);
  static std::vector<std::string> collisions_among(const std::filesystem::path& directory,
                                                   const Survey& found);
  // Reads the commit into the index, keeping the cached stat data of unchanged files, then returns
  // the differences.
  Task<Result<Status>> compare(std::filesystem::path directory, std::filesystem::path index,
                               std::string commit);
  Task<Result<Status>> differences(std::filesystem::path directory, std::filesystem::path index);
  // Returns nothing if the commit is not in the repository.
  Task<Result<std::optional<Entries>>> entries_of(std::filesystem::path directory,
                                                  std::string commit);
  Task<Result<void>> put_into_index(std::filesystem::path directory,
                                    std::vector<TreeEntry> entries);
  Task<Result<std::filesystem::path>> save_edits(std::filesystem::path directory, std::string to,
                                                 std::filesystem::path saved);
  // Writes the files. The index must describe `to` already, except for the files in `changes`.
  Task<Result<void>> write(std::filesystem::path directory, std::string to,
                           CheckoutChanges changes);
  [[nodiscard]] std::set<std::string> unfinished() const;
  [[nodiscard]] std::filesystem::path marker() const { return state_ / "switching"; }
  // Index file that describes the directory relative to the wanted commit.
  [[nodiscard]] std::filesystem::path scratch() const { return state_ / "scratch.index"; }

  std::filesystem::path repository_;
  std::filesystem::path state_;
  CommitTrees& trees_;
};

// Parses the output of `git ls-tree -r -z`.
Result<std::vector<TreeEntry>> parse_tree(const std::string& output);

}  // namespace trimtab
