// Removes values that must not appear in messages, such as passwords, from foreign text. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace trimtab {

class KnownValues {
 public:
  // Remembers a value, each of its lines, and their forms in URLs and in quotes.
  void add(std::string_view value);

  // Remembers public text (names of services, images): values contained in it are not hidden.
  void add_public(std::string_view text);

  // Returns `text` with *** in place of each value. A value of fewer than 8 characters is replaced
  // only as a whole word. One of fewer than 4, a small number, or a word such as "true" is kept,
  // because hiding it would make messages unreadable.
  [[nodiscard]] std::string hide_in(std::string_view text) const;

  // For text that quotes values, such as an error of Compose: also hides parts of values that are
  // whole words or in quotes, in any case, and short values in quotes.
  [[nodiscard]] std::string hide_in_error(std::string_view text) const;

  [[nodiscard]] bool empty() const { return values_.empty() && short_values_.empty(); }

 private:
  [[nodiscard]] bool is_public(const std::string& value) const;
  [[nodiscard]] bool is_part_of_value(const std::string& word, bool in_quotes) const;

  std::vector<std::string> values_;        // longest first
  std::vector<std::string> short_values_;  // hidden only in quotes
  std::string public_text_;
};

}  // namespace trimtab
