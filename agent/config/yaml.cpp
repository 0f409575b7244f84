#include "agent/config/yaml.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <sstream>
#include <utility>

namespace trimtab {
namespace {

// Far more than settings need and far less than what would cost memory or stack.
constexpr std::size_t max_depth = 16;
constexpr int max_nodes = 10'000;

YamlPlace place_of(const YAML::Mark& mark) {
  if (mark.is_null()) return {};
  return {mark.line + 1, mark.column + 1};
}

YamlProblem refusal(const YAML::Mark& mark, const char* message) {
  return {place_of(mark), message};
}

// Builds the tree from the parser's events. Only an exception can abort the parser, so refusals are
// thrown through it to read_yaml_nodes.
//
// More than 15 members: it overrides every event of YAML::EventHandler.
class TreeBuilder : public YAML::EventHandler {
 public:
  YamlNode root;

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { add(mark, {}); }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw refusal(mark, "aliases (*name) are not supported: repeat the value");
  }

  void OnAnchor(const YAML::Mark& mark, const std::string&) override {
    throw refusal(mark, "anchors (&name) are not supported: repeat the value");
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                const std::string& value) override {
    refuse_tag(mark, tag);
    YamlNode node;
    node.kind = YamlNode::Kind::scalar;
    node.text = value;
    node.quoted = tag == "!";
    add(mark, std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    refuse_tag(mark, tag);
    open(mark, YamlNode::Kind::sequence);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    refuse_tag(mark, tag);
    open(mark, YamlNode::Kind::mapping);
  }
  void OnMapEnd() override { close(); }

 private:
  // The parser itself tags plain scalars "?" and quoted ones "!".
  static void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!") return;
    throw refusal(mark, "tags (!name) are not supported: write only the value");
  }

  void count(const YAML::Mark& mark) {
    if (++nodes_ > max_nodes) throw refusal(mark, "too many values in one file");
  }

  void open(const YAML::Mark& mark, YamlNode::Kind kind) {
    count(mark);
    if (open_.size() == max_depth) throw refusal(mark, "nested too deeply");
    YamlNode node;
    node.kind = kind;
    node.place = place_of(mark);
    open_.push_back(std::move(node));
  }

  void close() {
    YamlNode node = std::move(open_.back());
    open_.pop_back();
    attach(std::move(node));
  }

  void add(const YAML::Mark& mark, YamlNode node) {
    count(mark);
    node.place = place_of(mark);
    attach(std::move(node));
  }

  void attach(YamlNode node) {
    if (open_.empty()) {
      root = std::move(node);
      return;
    }
    YamlNode& parent = open_.back();
    const bool is_key =
        parent.kind == YamlNode::Kind::mapping && parent.keys.size() == parent.items.size();
    // The parser places an absent value at whatever follows it.
    if (parent.kind == YamlNode::Kind::mapping && !is_key && node.kind == YamlNode::Kind::null) {
      node.place = parent.keys.back().place;
    }
    (is_key ? parent.keys : parent.items).push_back(std::move(node));
  }

  std::vector<YamlNode> open_;
  int nodes_ = 0;
};

// Returns the column of a tab in the line's indentation; 0 if there is none. The parser's own
// message for it does not mention the tab.
int indenting_tab(std::string_view text, int line) {
  std::size_t start = 0;
  for (int at = 1; at < line; ++at) {
    const std::size_t end = text.find('\n', start);
    if (end == std::string_view::npos) return 0;
    start = end + 1;
  }
  const std::size_t content = text.find_first_not_of(' ', start);
  if (content == std::string_view::npos || text[content] != '\t') return 0;
  return static_cast<int>(content - start) + 1;
}

}  // namespace

std::variant<YamlNode, YamlProblem> read_yaml_nodes(std::string_view text) {
  try {
    // The parser accepts an unclosed quote if the file ends with an empty line.
    std::istringstream stream{std::string(text.substr(0, text.find_last_not_of(" \t\r\n") + 1))};
    YAML::Parser parser(stream);
    TreeBuilder builder;
    if (!parser.HandleNextDocument(builder)) return YamlNode{};
    TreeBuilder second;
    if (parser.HandleNextDocument(second)) {
      return YamlProblem{second.root.place, "a second YAML document; a file can contain only one"};
    }
    return std::move(builder.root);
  } catch (const YamlProblem& refused) {
    return refused;
  } catch (const YAML::Exception& error) {
    const YamlPlace place = place_of(error.mark);
    if (const int column = indenting_tab(text, place.line); column > 0) {
      return YamlProblem{{place.line, column},
                         "the line is indented with a tab; YAML only allows spaces"};
    }
    return YamlProblem{place, "not valid YAML: " + error.msg};
  }
}

}  // namespace trimtab
