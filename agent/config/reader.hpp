// Readers of settings, which are combined to tables of the keys of a file, one line per key. A
// Reader parses a value into the variable that it was created for and reports mistakes.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/config/load.hpp"
#include "agent/config/yaml.hpp"
#include "common/trusted_file.hpp"

namespace trimtab {

// One file being read. Collects findings and the location of each key, for rules about several
// keys.
class Document {
 public:
  Document(std::filesystem::path file, std::vector<Finding>& findings)
      : file_(std::move(file)), findings_(&findings) {}

  void report(YamlPlace place, std::string message, Severity severity = Severity::error);
  // Reports at the key of this path ("git.url") if the file has it, otherwise about the whole file.
  void report_key(const std::string& path, std::string message,
                  Severity severity = Severity::error);

  [[nodiscard]] bool has(const std::string& path) const { return places_.contains(path); }
  [[nodiscard]] bool has_errors() const { return has_errors_; }
  [[nodiscard]] const std::filesystem::path& file() const { return file_; }

  // Surround the reading of a key's value. `place` is the key's location.
  void enter(const std::string& key, YamlPlace place);
  void leave();

 private:
  std::filesystem::path file_;
  std::vector<Finding>* findings_;
  bool has_errors_ = false;
  std::vector<std::string> path_;
  std::map<std::string, YamlPlace> places_;
};

struct Reader {
  std::function<void(const YamlNode&, Document&)> read;
  // Keys below its own: ".url", "[].url".
  std::vector<std::string> keys = {};
};

struct Key {
  std::string name;
  Reader value;
  std::string when_missing = {};  // message if the key is missing; empty: the key is optional
};

// Returns what is wrong with a text, as a sentence of its own; "" if nothing.
using Complaint = std::function<std::string(const std::string&)>;

// Reads a mapping with these keys. null counts as an empty mapping, because that is what a section
// with all keys commented out looks like.
Reader section(std::vector<Key> keys);

// Reads one line of text, at most 4096 bytes. The complaint must not quote what may be a secret.
Reader text(std::string& into, Complaint complaint);
// Reads one of the words.
Reader choice(std::string& into, std::vector<std::string> words);
// Reads true or false.
Reader boolean(bool& into);
Reader whole_number(int& into, int least, int most);
Reader duration(std::chrono::milliseconds& into, std::chrono::milliseconds least,
                std::chrono::milliseconds most);

// Reads an absolute path without "..", and normalizes it without a trailing slash.
Reader absolute_path(std::filesystem::path& into);
// Reads the absolute path of an existing file that root may trust.
Reader existing_file(std::filesystem::path& into, Privacy privacy);

namespace detail {
// Checks that the node is a sequence of at most 100 items.
bool check_list(const YamlNode& node, Document& document);
void report_repeated(const std::vector<std::string>& values, const YamlNode& node,
                     Document& document);
inline void report_repeated(const auto&, const YamlNode&, Document&) {}
std::vector<std::string> keys_of_items(const std::vector<std::string>& keys);
}  // namespace detail

// Reads a list; `item` creates the reader of one item. Strings must be unique.
template <class T, class MakeReader>
Reader list_of(std::vector<T>& into, MakeReader item) {
  T sample{};
  const auto read = [&into, item](const YamlNode& node, Document& document) {
    if (!detail::check_list(node, document)) return;
    for (const YamlNode& each : node.items) {
      T value{};
      item(value).read(each, document);
      into.push_back(std::move(value));
    }
    detail::report_repeated(into, node, document);
  };
  return {read, detail::keys_of_items(item(sample).keys)};
}

// Distinguishes an absent key from a present one.
template <class T, class MakeReader>
Reader optional(std::optional<T>& into, MakeReader make) {
  return {[&into, make](const YamlNode& node, Document& document) {
    make(into.emplace()).read(node, document);
  }};
}

}  // namespace trimtab
