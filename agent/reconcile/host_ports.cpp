#include "agent/reconcile/host_ports.hpp"

#include <cctype>
#include <filesystem>
#include <sstream>

#include "common/files.hpp"
#include "common/text.hpp"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view tcp_listen = "0A";
constexpr std::string_view udp_bound = "07";

// Inode of the socket → port, for the wanted ports. Format: proc(5), /proc/net/tcp.
void read_table(const std::string& protocol, const std::string& file, std::string_view state,
                const std::set<std::string>& wanted, std::map<std::string, std::string>& inodes) {
  const Result<std::string> text = read_file("/proc/net/" + file);
  if (!text) return;
  for (const std::string& line : split(*text, '\n')) {
    std::istringstream fields(line);
    std::string number, local, remote, status, queues, timer, retransmit, uid, timeout, inode;
    fields >> number >> local >> remote >> status >> queues >> timer >> retransmit >> uid >>
        timeout >> inode;
    const auto colon = local.find(':');
    if (status != state || colon == std::string::npos) continue;
    const std::string port =
        protocol + "/" + std::to_string(std::stoul("0" + local.substr(colon + 1), nullptr, 16));
    if (wanted.contains(port)) inodes[inode] = port;
  }
}

}  // namespace

std::map<std::string, std::string> port_holders(const std::set<std::string>& wanted) {
  std::map<std::string, std::string> inodes;
  for (const char* file : {"tcp", "tcp6"}) read_table("tcp", file, tcp_listen, wanted, inodes);
  for (const char* file : {"udp", "udp6"}) read_table("udp", file, udp_bound, wanted, inodes);
  std::map<std::string, std::string> holders;
  if (inodes.empty()) return holders;
  for (const auto& [inode, port] : inodes) holders[port] = "another process";
  std::error_code ec;
  for (const auto& process : fs::directory_iterator("/proc", ec)) {
    const std::string pid = process.path().filename().string();
    if (pid.empty() || std::isdigit(static_cast<unsigned char>(pid[0])) == 0) continue;
    std::error_code ignored;
    for (const auto& descriptor : fs::directory_iterator(process.path() / "fd", ignored)) {
      const std::string target = fs::read_symlink(descriptor.path(), ignored).string();
      if (target.rfind("socket:[", 0) != 0) continue;
      const auto found = inodes.find(target.substr(8, target.size() - 9));
      if (found == inodes.end()) continue;
      const Result<std::string> name = read_file(process.path() / "comm", 256);
      if (name) {
        holders[found->second] = printable(trim(*name)) + " (process " + pid + ")";
      }
    }
  }
  return holders;
}

}  // namespace trimtab
