#include "agent/execute/proxy_files.hpp"

#include <arpa/inet.h>
#include <fmt/core.h>

#include <array>
#include <cstdio>

#include "common/text.hpp"

namespace trimtab {
namespace {

std::string mark_of(std::string_view service) {
  return fmt::format(" # trimtab: {} is being rolled", service);
}

// The format of /proc/net/tcp; "" for anything but an IPv4 address.
std::string kernel_hex(const std::string& address) {
  in_addr parsed{};
  if (inet_pton(AF_INET, address.c_str(), &parsed) != 1) return {};
  std::array<char, 9> text{};
  std::snprintf(text.data(), text.size(), "%08X", static_cast<unsigned>(parsed.s_addr));
  return text.data();
}

}  // namespace

std::string hosts_without(std::string_view hosts, std::string_view service) {
  const std::string mark = mark_of(service);
  std::string kept;
  for (std::size_t begin = 0; begin < hosts.size();) {
    const std::size_t newline = hosts.find('\n', begin);
    const std::size_t end = newline == std::string_view::npos ? hosts.size() : newline + 1;
    const std::string_view line = hosts.substr(begin, end - begin);
    if (!trim(line).ends_with(trim(mark))) kept += line;
    begin = end;
  }
  return kept;
}

std::string hosts_with(std::string_view hosts, std::string_view service,
                       const std::vector<std::string>& addresses,
                       const std::set<std::string>& names) {
  std::string text = hosts_without(hosts, service);
  if (!text.empty() && text.back() != '\n') text += '\n';
  const std::string words = join(std::vector<std::string>(names.begin(), names.end()), " ");
  for (const std::string& address : addresses) {
    text += address + "\t" + words + mark_of(service) + "\n";
  }
  return text;
}

int connections_to(std::string_view table, const std::set<std::string>& addresses) {
  constexpr std::string_view established = "01";
  constexpr std::string_view connecting = "02";
  std::set<std::string> wanted;
  for (const std::string& address : addresses) {
    const std::string hex = kernel_hex(address);
    if (hex.empty()) continue;
    wanted.insert(hex);
    wanted.insert("0000000000000000FFFF0000" + hex);  // the same address in an IPv6 socket
  }
  int count = 0;
  for (const std::string& line : split(table, '\n')) {
    // "0: LOCAL:PORT REMOTE:PORT STATE …"
    std::vector<std::string> fields;
    for (std::string& field : split(line, ' ')) {
      if (!field.empty() && fields.size() < 4) fields.push_back(std::move(field));
    }
    if (fields.size() < 4 || (fields[3] != established && fields[3] != connecting)) continue;
    if (wanted.contains(fields[2].substr(0, fields[2].find(':')))) ++count;
  }
  return count;
}

}  // namespace trimtab
