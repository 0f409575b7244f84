// What Git servers answer to a question for refs.
#include "agent/git/pkt_line.hpp"
#include "agent/git/protocol_v2.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace trimtab::fuzz {

void run(std::string_view input) {
  if (const auto lines = parse_pkt_lines(input)) {
    std::size_t bytes = 0;
    for (const PktLine& line : *lines) bytes += line.text.size();
    require(bytes + 4 * lines->size() <= input.size());
  }
  Advertisement server;
  if (const auto said = parse_advertisement(input)) {
    server = *said;
    require(parse_pkt_lines(ls_refs_request(server, "refs/heads/main")).has_value());
  }
  for (const char* const format : {"", "sha256"}) {
    server.object_format = format;
    const auto refs = parse_refs(input, server);
    if (!refs) continue;
    for (const AdvertisedRef& ref : *refs) {
      require(ref.object.size() == (*format == '\0' ? 40 : 64));
      // It becomes an argument of git fetch, in front of a colon.
      require(ref.name.find_first_of(": *\n") == std::string::npos);
    }
    WantedRef every_tag;
    every_tag.is_tag = true;
    every_tag.name = "*";
    if (const auto tip = find_tip(*refs, every_tag)) require(!tip->commit.empty());
  }
}

}  // namespace trimtab::fuzz
