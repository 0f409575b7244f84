// The disk of the simulated world. The daemon's files are real ones; what of them a power cut would
// leave is kept beside them, since fsync(2) and syncfs(2) are answered here, and so is whatever
// changes files, so that a kill can come between any two changes and a disk can be full.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

namespace trimtab::simulation::disk {

// From then on, for the files below `directory`; what is there is on the disk.
void begin(const std::filesystem::path& directory);

// As long as there is one, the daemon is what runs: what it does may be refused.
class DaemonRuns {
 public:
  DaemonRuns();
  ~DaemonRuns();
  DaemonRuns(const DaemonRuns&) = delete;
  DaemonRuns& operator=(const DaemonRuns&) = delete;
};

// Before the daemon's change of a file after so many others it is killed: none of its changes is
// made any more, until a new one starts.
void kill_after(std::uint64_t changes);
[[nodiscard]] bool is_killed();
// A new daemon starts.
void start();

// Nothing can be written, or made, by the daemon.
void set_full(bool is_full);

// What was not synced is lost, or a part of it. `roll` gives numbers from 0 up to, not including,
// its argument.
void cut_power(const std::function<std::uint64_t(std::uint64_t)>& roll);

}  // namespace trimtab::simulation::disk
