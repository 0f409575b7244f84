#include "agent/execute/connection_refusal.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/text.hpp"

namespace trimtab {
namespace {

// A word of the program: code, registers, jump, constant.
bpf_insn instruction(int code, int destination, int source, int jump, int constant) {
  bpf_insn word{};
  word.code = static_cast<std::uint8_t>(code);
  word.dst_reg = static_cast<std::uint8_t>(destination & 0xF);
  word.src_reg = static_cast<std::uint8_t>(source & 0xF);
  word.off = static_cast<std::int16_t>(jump);
  word.imm = constant;
  return word;
}

// return !addresses.contains(context->user_ip4);
std::vector<bpf_insn> program_refusing(const std::set<std::string>& addresses) {
  constexpr int result = BPF_REG_0;
  constexpr int context = BPF_REG_1;
  constexpr int wanted = BPF_REG_2;
  std::vector<bpf_insn> program;
  program.push_back(instruction(BPF_LDX | BPF_MEM | BPF_W, wanted, context,
                                offsetof(bpf_sock_addr, user_ip4), 0));
  program.push_back(instruction(BPF_ALU64 | BPF_MOV | BPF_K, result, 0, 0, 0));
  for (const std::string& address : addresses) {
    in_addr parsed{};
    if (::inet_pton(AF_INET, address.c_str(), &parsed) != 1) continue;
    // Over the jump to the end, if it is another one.
    program.push_back(instruction(BPF_JMP32 | BPF_JNE | BPF_K, wanted, 0, 1,
                                  static_cast<std::int32_t>(parsed.s_addr)));
    program.push_back(instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
  }
  program.push_back(instruction(BPF_ALU64 | BPF_MOV | BPF_K, result, 0, 0, 1));
  program.push_back(instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
  return program;
}

UniqueFd call_bpf(int command, bpf_attr* attributes) {
  return UniqueFd(static_cast<int>(::syscall(SYS_bpf, command, attributes, sizeof(*attributes))));
}

std::uint64_t address_of(const void* object) {
  return reinterpret_cast<std::uint64_t>(object);
}

}  // namespace

std::string cgroup2_folder(std::string_view mounts, std::string_view cgroups) {
  std::string own;
  for (const std::string& line : split(cgroups, '\n')) {
    if (line.starts_with("0::/")) own = line.substr(3);
  }
  if (own.size() < 2 || own.find("/..") != std::string::npos) return {};
  for (const std::string& line : split(mounts, '\n')) {
    // ID PARENT DEVICE ROOT FOLDER OPTIONS [FIELDS…] - TYPE SOURCE OPTIONS
    const std::size_t dash = line.find(" - cgroup2 ");
    const std::vector<std::string> words = split(line, ' ');
    if (dash == std::string::npos || words.size() < 5 || words[3] != "/") continue;
    return words[4] + own;
  }
  return {};
}

Result<ConnectionRefusal> ConnectionRefusal::begin(int pid,
                                                   const std::set<std::string>& addresses) {
  const auto mounts = read_file("/proc/self/mountinfo");
  if (!mounts) return mounts.error();
  const auto cgroups = read_file(fmt::format("/proc/{}/cgroup", pid));
  if (!cgroups) return cgroups.error();
  const std::string folder = cgroup2_folder(*mounts, *cgroups);
  if (folder.empty()) {
    return Error{Errc::failed, "the container has no cgroup of its own in cgroup2",
                 "boot the host with systemd.unified_cgroup_hierarchy=1"};
  }
  const UniqueFd cgroup(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!cgroup.valid()) return os_error("open", folder, errno);

  const std::vector<bpf_insn> program = program_refusing(addresses);
  static constexpr char license[] = "Apache-2.0";
  bpf_attr load{};
  load.prog_type = BPF_PROG_TYPE_CGROUP_SOCK_ADDR;
  load.expected_attach_type = BPF_CGROUP_INET4_CONNECT;
  load.insn_cnt = static_cast<std::uint32_t>(program.size());
  load.insns = address_of(program.data());
  load.license = address_of(license);
  const UniqueFd loaded = call_bpf(BPF_PROG_LOAD, &load);
  if (!loaded.valid()) return os_error("load a BPF program for", folder, errno);

  bpf_attr link{};
  link.link_create.prog_fd = static_cast<std::uint32_t>(loaded.get());
  link.link_create.target_fd = static_cast<std::uint32_t>(cgroup.get());
  link.link_create.attach_type = BPF_CGROUP_INET4_CONNECT;
  UniqueFd linked = call_bpf(BPF_LINK_CREATE, &link);
  if (!linked.valid()) return os_error("link a BPF program to", folder, errno);
  return ConnectionRefusal(std::move(linked));
}

}  // namespace trimtab
