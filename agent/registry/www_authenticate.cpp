#include "agent/registry/www_authenticate.hpp"

#include <algorithm>
#include <optional>

#include "common/text.hpp"

namespace trimtab {

namespace {

bool is_token_character(char c) {
  return is_alphanumeric(c) ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_token68_character(char c) {
  return is_alphanumeric(c) || std::string_view("-._~+/").find(c) != std::string_view::npos;
}

class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  [[nodiscard]] bool at_end() const { return rest_.empty(); }

  void skip_blanks() {
    take_while([](char c) { return c == ' ' || c == '\t'; });
  }
  void skip_blanks_and_commas() {
    take_while([](char c) { return c == ' ' || c == '\t' || c == ','; });
  }
  bool skip(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::string_view token() { return take_while(is_token_character); }

  // Skips the token68 that "Negotiate YWJj==" has instead of parameters. It must extend to the end
  // of its challenge, since `name="value"` begins the same way.
  bool skip_token68() {
    const Reader start = *this;
    const bool some = !take_while(is_token68_character).empty();
    take_while([](char c) { return c == '='; });
    skip_blanks();
    if (some && (at_end() || rest_.front() == ',')) return true;
    *this = start;
    return false;
  }

  // Parses a token or a quoted string.
  std::optional<std::string> value() {
    if (!skip('"')) {
      const auto plain = token();
      if (plain.empty()) return std::nullopt;
      return std::string(plain);
    }
    std::string text;
    while (!rest_.empty()) {
      if (skip('"')) return text;
      if (skip('\\') && rest_.empty()) break;
      text += rest_.front();
      rest_.remove_prefix(1);
    }
    return std::nullopt;
  }

 private:
  template <class Predicate>
  std::string_view take_while(Predicate predicate) {
    const auto end = std::find_if_not(rest_.begin(), rest_.end(), predicate);
    const auto length = static_cast<std::size_t>(end - rest_.begin());
    const auto taken = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return taken;
  }

  std::string_view rest_;
};

}  // namespace

std::string Challenge::parameter(const std::string& name) const {
  const auto found = parameters.find(name);
  return found == parameters.end() ? std::string() : found->second;
}

std::vector<Challenge> parse_challenges(std::string_view header) {
  std::vector<Challenge> challenges;
  Reader reader(header);
  while (true) {
    reader.skip_blanks_and_commas();
    if (reader.at_end()) return challenges;
    const auto word = reader.token();
    if (word.empty()) return challenges;
    reader.skip_blanks();
    // A comma separates parameters as well as challenges; the character after the word decides
    // which.
    if (!challenges.empty() && reader.skip('=')) {
      reader.skip_blanks();
      auto value = reader.value();
      if (!value) return challenges;
      challenges.back().parameters.emplace(lower_case(word), std::move(*value));
      continue;
    }
    challenges.push_back(Challenge{lower_case(word), {}});
    reader.skip_token68();
  }
}

}  // namespace trimtab
