// Who may use the status socket.
#pragma once

#include <string>

#include "common/http_server.hpp"

namespace trimtab {

// Returns true for root, the daemon's own user and members of the group.
bool may_use_socket(const http::Peer& peer, const std::string& group_name);

}  // namespace trimtab
