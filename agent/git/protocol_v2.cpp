#include "agent/git/protocol_v2.hpp"

#include <algorithm>

#include "agent/git/git_child.hpp"
#include "agent/git/pkt_line.hpp"
#include "common/text.hpp"

namespace trimtab {

namespace {

using Kind = PktLine::Kind;

constexpr std::size_t max_refs = 100'000;
constexpr std::size_t max_name = 1024;
constexpr std::size_t max_words = 200;
constexpr std::string_view format_key = "object-format=";

// An ERR packet, with which a server may refuse instead of answering.
Result<void> check_refusal(const PktLine& line) {
  if (!line.text.starts_with("ERR ")) return {};
  std::string words = printable(line.text.substr(4, max_words));
  std::replace(words.begin(), words.end(), '\n', ' ');
  return Error{Errc::invalid, "it says: " + words, {}};
}

// Git's rules for ref names, checked because the name becomes part of an argument of git fetch.
bool is_ref_name(std::string_view name) {
  return name.size() <= max_name && (name == "HEAD" || name.starts_with("refs/")) &&
         name.find("..") == std::string_view::npos &&
         std::all_of(name.begin(), name.end(), [](char c) {
           const auto byte = static_cast<unsigned char>(c);
           return byte > 0x20 && byte != 0x7F &&
                  std::string_view("~^:?*[\\").find(c) == std::string_view::npos;
         });
}

}  // namespace

Result<Advertisement> parse_advertisement(std::string_view body) {
  const auto lines = parse_pkt_lines(body);
  if (!lines) return lines.error();
  auto line = lines->begin();
  const auto end = lines->end();
  // Some servers announce the service first, as in protocol versions 0 and 1.
  if (line != end && line->text == "# service=git-upload-pack") {
    ++line;
    if (line != end && line->kind == Kind::flush) ++line;
  }
  if (line == end) return malformed_answer("it is empty");
  if (auto fine = check_refusal(*line); !fine) return fine.error();
  if (line->text != "version 2") {
    return Error{Errc::invalid, "it does not support version 2 of Git's protocol", {}};
  }
  Advertisement server;
  bool lists_refs = false;
  for (++line; line != end && line->kind == Kind::data; ++line) {
    const std::string_view key = line->text.substr(0, line->text.find('='));
    if (key == "ls-refs") lists_refs = true;
    if (line->text.starts_with(format_key)) {
      server.object_format = line->text.substr(format_key.size());
    }
  }
  if (line == end || line->kind != Kind::flush) return malformed_answer("its end is missing");
  if (!lists_refs) return Error{Errc::invalid, "it offers no ls-refs", {}};
  const std::string& format = server.object_format;
  if (!format.empty() && format != "sha1" && format != "sha256") {
    return Error{Errc::invalid, "its objects are named in an unknown way", {}};
  }
  return server;
}

std::string ls_refs_request(const Advertisement& server, const std::string& prefix) {
  std::string request = pkt_line("command=ls-refs");
  if (!server.object_format.empty()) {
    request += pkt_line(std::string(format_key) + server.object_format);
  }
  request += delimiter_pkt;
  request += pkt_line("peel");
  request += pkt_line("ref-prefix " + prefix);
  request += flush_pkt;
  return request;
}

Result<std::vector<AdvertisedRef>> parse_refs(std::string_view body, const Advertisement& server) {
  constexpr std::string_view peeled = "peeled:";
  const auto lines = parse_pkt_lines(body);
  if (!lines) return lines.error();
  if (lines->empty()) return malformed_answer("it is empty");
  const std::size_t id_size = server.object_format == "sha256" ? 64 : 40;
  const auto is_id = [id_size](std::string_view text) {
    return text.size() == id_size && is_object_id(text);
  };
  std::vector<AdvertisedRef> refs;
  for (const PktLine& line : *lines) {
    if (line.kind == Kind::flush && &line == &lines->back()) return refs;
    if (line.kind != Kind::data) return malformed_answer("an unexpected separator");
    if (auto fine = check_refusal(line); !fine) return fine.error();
    const auto words = split(line.text, ' ');
    if (words.size() < 2 || !is_id(words[0]) || !is_ref_name(words[1])) {
      return malformed_answer("a line of it is no ref");
    }
    if (refs.size() >= max_refs) return Error{Errc::too_large, "it has too many refs", {}};
    refs.push_back({words[0], words[1]});
    for (std::size_t i = 2; i < words.size(); ++i) {
      if (!words[i].starts_with(peeled)) continue;
      const std::string commit = words[i].substr(peeled.size());
      if (!is_id(commit)) return malformed_answer("a tag points to no object");
      refs.push_back({commit, words[1] + "^{}"});
    }
  }
  return malformed_answer("its end is missing");
}

}  // namespace trimtab
