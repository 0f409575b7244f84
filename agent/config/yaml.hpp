// YAML enters through this door: bounded, without exceptions, every node with its place. Anchors,
// aliases and tags are refused: settings need none of them, and they are how a small file becomes a
// huge one or means something else than it shows.
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
  bool quoted = false;          // the scalar stands in quotes or is a block: text for certain
  std::vector<YamlNode> keys;   // of a mapping, in the order of the file, repeated ones too
  std::vector<YamlNode> items;  // of a sequence; of a mapping the values, one for each key
};

struct YamlProblem {
  YamlPlace place;
  std::string message;
};

// The one document of `text`; an empty text is a null node. Quotes nothing of the text in the
// problem's message.
std::variant<YamlNode, YamlProblem> read_yaml_nodes(std::string_view text);

}  // namespace trimtab
