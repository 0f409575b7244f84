#include "agent/reconcile/host_ports.hpp"

#include <fmt/core.h>

#include <array>
#include <boost/asio/ip/address.hpp>
#include <cctype>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <map>
#include <sstream>

#include "common/files.hpp"
#include "common/text.hpp"

namespace trimtab {
namespace {

namespace fs = std::filesystem;
namespace asio = boost::asio;

constexpr std::string_view tcp_listen = "0A";
constexpr std::string_view udp_bound = "07";

// Converts "0100007F" to "127.0.0.1". Each group of four bytes has this host's byte order.
std::string address_of(const std::string& hex) {
  std::array<unsigned char, 16> bytes{};
  if (hex.size() != 8 && hex.size() != 32) return {};
  for (std::size_t i = 0; i < hex.size() / 8; ++i) {
    std::uint32_t group = 0;
    std::from_chars(hex.data() + i * 8, hex.data() + i * 8 + 8, group, 16);
    std::memcpy(&bytes[i * 4], &group, sizeof group);
  }
  if (hex.size() == 8) {
    return asio::ip::make_address_v4(
               asio::ip::address_v4::bytes_type{bytes[0], bytes[1], bytes[2], bytes[3]})
        .to_string();
  }
  const asio::ip::address_v6 address = asio::ip::make_address_v6(bytes);
  return address.is_v4_mapped()
             ? asio::ip::make_address_v4(asio::ip::v4_mapped, address).to_string()
             : address.to_string();
}

// Maps the socket's inode to its port, for the wanted ports. Format: proc(5), /proc/net/tcp.
void read_table(const std::string& protocol, const std::string& file, std::string_view state,
                const std::set<std::string>& wanted, std::map<std::string, PortHolder>& sockets) {
  const Result<std::string> text = read_file("/proc/net/" + file);
  if (!text) return;
  for (const std::string& line : split(*text, '\n')) {
    std::istringstream fields(line);
    std::string number, local, remote, status, queues, timer, retransmit, uid, timeout, inode;
    fields >> number >> local >> remote >> status >> queues >> timer >> retransmit >> uid >>
        timeout >> inode;
    const auto colon = local.find(':');
    if (status != state || colon == std::string::npos) continue;
    PublishedPort port;
    port.protocol = protocol;
    port.host_ip = address_of(local.substr(0, colon));
    std::from_chars(local.data() + colon + 1, local.data() + local.size(), port.host_port, 16);
    if (!wanted.contains(fmt::format("{}/{}", protocol, port.host_port))) continue;
    sockets[inode] = PortHolder{std::move(port), "another process"};
  }
}

}  // namespace

std::vector<PortHolder> port_holders(const std::set<std::string>& wanted) {
  if (wanted.empty()) return {};  // reading the tables makes the kernel walk all of its sockets
  std::map<std::string, PortHolder> sockets;
  for (const char* file : {"tcp", "tcp6"}) read_table("tcp", file, tcp_listen, wanted, sockets);
  for (const char* file : {"udp", "udp6"}) read_table("udp", file, udp_bound, wanted, sockets);
  if (sockets.empty()) return {};
  std::error_code ec;
  for (const auto& process : fs::directory_iterator("/proc", ec)) {
    const std::string pid = process.path().filename().string();
    if (pid.empty() || std::isdigit(static_cast<unsigned char>(pid[0])) == 0) continue;
    std::error_code ignored;
    for (const auto& descriptor : fs::directory_iterator(process.path() / "fd", ignored)) {
      const std::string target = fs::read_symlink(descriptor.path(), ignored).string();
      if (target.rfind("socket:[", 0) != 0) continue;
      const auto found = sockets.find(target.substr(8, target.size() - 9));
      if (found == sockets.end()) continue;
      const Result<std::string> name = read_file(process.path() / "comm", 256);
      if (name) {
        found->second.who = fmt::format("{} (process {})", printable(trim(*name)), pid);
      }
    }
  }
  std::vector<PortHolder> holders;
  for (auto& [inode, holder] : sockets) holders.push_back(std::move(holder));
  return holders;
}

}  // namespace trimtab
