// Parses YAML: bounded, without exceptions, with the location of every node. Refuses anchors,
// aliases and tags: settings need none of them, and with them a small file can expand to a huge one
// or mean something else than it shows.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace trimtab {

struct YamlPlace {
  int line = 1;  // both from 1
  int column = 1;
};

struct YamlNode {
  enum class Kind { null, scalar, sequence, mapping };

  Kind kind = Kind::null;
  YamlPlace place;
  std::string text;             // of a scalar
  bool quoted = false;          // quoted or a block scalar, hence certainly text
  std::vector<YamlNode> keys;   // of a mapping, in file order, including duplicates
  std::vector<YamlNode> items;  // items of a sequence, or values of a mapping, one per key
};

struct YamlProblem {
  YamlPlace place;
  std::string message;
};

// Parses the single document of `text`; an empty text is a null node. The message of a problem
// never quotes the text.
std::variant<YamlNode, YamlProblem> read_yaml_nodes(std::string_view text);

}  // namespace trimtab
