#include "agent/resolve/nginx_certificates.hpp"

#include <algorithm>
#include <optional>

namespace trimtab {

namespace {

constexpr std::size_t max_blocks = 100;  // maximum nesting depth

// Splits nginx's configuration into words; ";", "{" and "}" are words of their own.
class Words {
 public:
  explicit Words(std::string_view text) : text_(text) {}

  std::optional<std::string> next() {
    skip_blanks();
    if (at_ == text_.size()) return std::nullopt;
    const char first = text_[at_];
    if (is_mark(first)) return std::string(1, text_[at_++]);
    std::string word;
    if (first == '"' || first == '\'') {
      for (++at_; at_ < text_.size() && text_[at_] != first; ++at_) {
        if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
        word += text_[at_];
      }
      if (at_ < text_.size()) ++at_;
      return word;
    }
    while (at_ < text_.size() && !is_blank(text_[at_]) && !is_mark(text_[at_])) {
      word += text_[at_++];
    }
    return word;
  }

 private:
  static bool is_mark(char c) { return c == ';' || c == '{' || c == '}'; }
  static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
  void skip_blanks() {
    while (at_ < text_.size()) {
      if (text_[at_] == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (is_blank(text_[at_])) {
        ++at_;
      } else {
        return;
      }
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

bool is_plain_path(const std::string& path) {
  return path.starts_with('/') && path.find('$') == path.npos;
}

// Whether the name is a host name rather than "_", a wildcard, a pattern, a variable or a single
// label.
bool is_host_name(const std::string& name) {
  constexpr std::string_view letters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
  return name.find('.') != name.npos && !name.starts_with('.') &&
         name.find_first_not_of(letters) == name.npos;
}

void take(const ServerCertificate& block, std::vector<ServerCertificate>& found) {
  if (!is_plain_path(block.certificate) || !is_plain_path(block.key)) return;
  const auto same = std::find_if(found.begin(), found.end(), [&](const auto& known) {
    return known.certificate == block.certificate;
  });
  ServerCertificate& kept = same == found.end() ? found.emplace_back() : *same;
  kept.certificate = block.certificate;
  kept.key = block.key;
  for (const std::string& name : block.names) {
    const bool known = std::find(kept.names.begin(), kept.names.end(), name) != kept.names.end();
    if (is_host_name(name) && !known) kept.names.push_back(name);
  }
}

}  // namespace

std::vector<ServerCertificate> server_certificates(std::string_view configuration) {
  std::vector<ServerCertificate> found;
  // A block inherits the settings of the enclosing blocks unless it overrides them.
  std::vector<ServerCertificate> blocks(1);
  std::vector<std::string> directive;
  Words words(configuration);
  while (const auto word = words.next()) {
    if (*word == "{") {
      if (blocks.size() == max_blocks) return found;
      blocks.push_back(blocks.back());
      blocks.back().names.clear();
    } else if (*word == "}") {
      take(blocks.back(), found);
      if (blocks.size() > 1) blocks.pop_back();
    } else if (*word == ";") {
      if (directive.size() >= 2) {
        if (directive[0] == "ssl_certificate") blocks.back().certificate = directive[1];
        if (directive[0] == "ssl_certificate_key") blocks.back().key = directive[1];
        if (directive[0] == "server_name") {
          blocks.back().names.assign(directive.begin() + 1, directive.end());
        }
      }
    } else {
      directive.push_back(*word);
      continue;
    }
    directive.clear();
  }
  take(blocks.front(), found);
  return found;
}

std::string host_path(const std::vector<Mount>& mounts, const std::string& path) {
  const Mount* best = nullptr;
  for (const Mount& mount : mounts) {
    if (mount.type != "bind") continue;
    const bool holds = path == mount.target || path.starts_with(mount.target + "/");
    if (holds && (best == nullptr || best->target.size() < mount.target.size())) best = &mount;
  }
  return best == nullptr ? std::string() : best->source + path.substr(best->target.size());
}

}  // namespace trimtab
