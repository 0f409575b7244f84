// Finds the addresses of a host without holding up the loop, other names or the caller's deadline.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "common/async.hpp"
#include "common/result.hpp"

namespace trimtab {

// The addresses of a host's name or of an address as text, in the order of getaddrinfo(), which the
// git program uses too. At least one. A caller that is cancelled, by a deadline for example, is let
// go at once, while the system's look-up, which may take minutes and cannot be ended, goes on
// alone: each is a thread of its own, of which there is one for each name and there are at most 16.
// More names wait. Errors: unavailable, and cancelled.
Task<Result<std::vector<asio::ip::tcp::endpoint>>> resolve(std::string host, std::uint16_t port);

}  // namespace trimtab
