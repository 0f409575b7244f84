// Values that nobody is to read in messages, such as passwords, taken out of foreign words. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace trimtab {

class KnownValues {
 public:
  // Remembers a value, each line of it, and how it looks in URLs and in quotes.
  void add(std::string_view value);

  // Words that everybody may read (names of services, images): values that stand in them are shown.
  void add_public(std::string_view text);

  // `text` with *** in place of each value. A value of fewer than 8 characters counts where it
  // stands alone; one of fewer than 4, a small number or a word such as "true" is left: hiding it
  // would hide much else.
  [[nodiscard]] std::string hide_in(std::string_view text) const;

  // The same for words that were said about a value, such as an error of Compose: also parts of
  // values that stand alone or in quotes, in any case, and short values in quotes.
  [[nodiscard]] std::string hide_in_error(std::string_view text) const;

  [[nodiscard]] bool empty() const { return values_.empty() && short_values_.empty(); }

 private:
  [[nodiscard]] bool is_public(const std::string& value) const;
  [[nodiscard]] bool is_part_of_value(const std::string& word, bool in_quotes) const;

  std::vector<std::string> values_;        // the longest first
  std::vector<std::string> short_values_;  // that are hidden in quotes alone
  std::string public_text_;
};

}  // namespace trimtab
