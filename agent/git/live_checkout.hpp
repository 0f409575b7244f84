// Bringing the live directory from one commit to another without losing what is not in Git.
//
// The bare repository is Git's directory for all of it, with an index file of our own: the settings
// of a clone that the live directory may be are never read while files are written.
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

class LiveCheckout {
 public:
  // `state` holds the index file and the marker of a switch that has not ended. `trees` outlives
  // it.
  LiveCheckout(std::filesystem::path repository, std::filesystem::path state, CommitTrees& trees);

  // As Git::checkout_live says, but for the directory's own .git.
  Task<Result<SwitchReport>> checkout_live(std::filesystem::path directory, std::string from,
                                           std::string to, std::vector<std::string> in_place,
                                           std::filesystem::path saved);
  // As Git::collisions says.
  Task<Result<std::vector<std::string>>> collisions(std::filesystem::path directory,
                                                    std::string from, std::string commit);

  // As Git::edits says.
  Task<Result<std::vector<std::string>>> edits(std::filesystem::path directory, std::string from,
                                               std::string commit);

  // The index file that describes the directory after checkout_live.
  [[nodiscard]] std::filesystem::path index() const { return state_ / "live.index"; }
  // Forgets that a switch was begun: to be called when all of it is done.
  Result<void> finish();

 private:
  using Entries = std::map<std::string, TreeEntry>;  // by path
  using Status = std::map<std::string, char>;        // differing paths: M, T or D(eleted)

  // How the directory differs from what it should hold.
  struct Survey {
    Entries before;      // what its tracked files were when they were last written
    Status edits;        // differences from those
    Entries after;       // what they will be
    bool stays = false;  // the commit is there already, and nothing was begun
    Status pending;      // differences from those
    std::vector<std::string> collisions;
  };

  [[nodiscard]] GitCall call(const std::filesystem::path& directory,
                             const std::filesystem::path& index,
                             std::vector<std::string> arguments) const;
  Task<Result<Survey>> survey(std::filesystem::path directory, std::string from, std::string to);
  static std::vector<std::string> collisions_among(const std::filesystem::path& directory,
                                                   const Survey& found);
  // Sets the index to the commit, keeping what it knows of unchanged files; then compares.
  Task<Result<Status>> compare(std::filesystem::path directory, std::filesystem::path index,
                               std::string commit);
  Task<Result<Status>> differences(std::filesystem::path directory, std::filesystem::path index);
  // Nothing where the commit is not here.
  Task<Result<std::optional<Entries>>> entries_of(std::filesystem::path directory,
                                                  std::string commit);
  Task<Result<void>> put_into_index(std::filesystem::path directory,
                                    std::vector<TreeEntry> entries);
  Task<Result<std::filesystem::path>> save_edits(std::filesystem::path directory, std::string to,
                                                 std::filesystem::path saved);
  // The index describes `to` already, but for the files that are written now.
  Task<Result<void>> write(std::filesystem::path directory, std::string to,
                           CheckoutChanges changes);
  [[nodiscard]] std::set<std::string> unfinished() const;
  [[nodiscard]] std::filesystem::path marker() const { return state_ / "switching"; }
  // The index file that describes the directory as the wanted commit has it.
  [[nodiscard]] std::filesystem::path scratch() const { return state_ / "scratch.index"; }

  std::filesystem::path repository_;
  std::filesystem::path state_;
  CommitTrees& trees_;
};

// The lines of `git ls-tree -r -z`.
Result<std::vector<TreeEntry>> parse_tree(const std::string& output);

}  // namespace trimtab
