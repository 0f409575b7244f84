// The names of an enumeration's values, in one table for both directions.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

namespace trimtab {

// Has a row for each value. The first name of a value is the one that it is given.
template <class Enum, std::size_t size>
using EnumNames = std::array<std::pair<Enum, std::string_view>, size>;

template <class Enum, std::size_t size>
std::string_view name_of(const EnumNames<Enum, size>& names, Enum value) {
  const auto row = std::find_if(names.begin(), names.end(),
                                [&](const auto& each) { return each.first == value; });
  return row == names.end() ? std::string_view() : row->second;
}

template <class Enum, std::size_t size>
std::optional<Enum> value_of(const EnumNames<Enum, size>& names, std::string_view name) {
  const auto row = std::find_if(names.begin(), names.end(),
                                [&](const auto& each) { return each.second == name; });
  if (row == names.end()) return std::nullopt;
  return row->first;
}

}  // namespace trimtab
