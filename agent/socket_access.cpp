#include "agent/socket_access.hpp"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

namespace trimtab {

bool may_use_socket(const http::Peer& peer, const std::string& group_name) {
  if (peer.uid == 0 || peer.uid == ::geteuid()) return true;
  const ::group* const group = ::getgrnam(group_name.c_str());
  if (group == nullptr) return false;
  if (peer.gid == group->gr_gid) return true;
  const ::passwd* const user = ::getpwuid(peer.uid);
  if (user == nullptr) return false;
  std::vector<gid_t> groups;
  int count = 0;
  // Fails and sets `count` to the number of groups if there is no room for them.
  while (::getgrouplist(user->pw_name, user->pw_gid, groups.data(), &count) < 0) {
    if (count <= static_cast<int>(groups.size())) return false;
    groups.resize(static_cast<std::size_t>(count));
  }
  groups.resize(static_cast<std::size_t>(count));
  return std::find(groups.begin(), groups.end(), group->gr_gid) != groups.end();
}

}  // namespace trimtab
