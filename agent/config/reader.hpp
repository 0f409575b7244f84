// Readers of settings, put together to a table of what a file may hold: one line a key. A Reader
// takes a value into the variable it was made for and reports what is wrong with it.
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

// One file while it is read: collects findings, and where each key stands for the rules that look
// at several of them.
class Document {
 public:
  Document(std::filesystem::path file, std::vector<Finding>& findings)
      : file_(std::move(file)), findings_(&findings) {}

  void report(YamlPlace place, std::string message, Severity severity = Severity::error);
  // At the key of this path ("git.url") if the file has it, else about the file as a whole.
  void report_key(const std::string& path, std::string message,
                  Severity severity = Severity::error);

  [[nodiscard]] bool has(const std::string& path) const { return places_.contains(path); }
  [[nodiscard]] bool has_errors() const { return has_errors_; }
  [[nodiscard]] const std::filesystem::path& file() const { return file_; }

  // Bracket the reading of a key's value. `place` is that of the key.
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
  // What it knows below itself: ".url", "[].url".
  std::vector<std::string> keys = {};
};

struct Key {
  std::string name;
  Reader value;
  std::string when_missing = {};  // what to say without it; empty: it may be left out
};

// Says what is wrong with a text, in words that follow no other; "" takes it.
using Complaint = std::function<std::string(const std::string&)>;

// A mapping with these keys. Nothing at all is an empty mapping, since a section whose keys are all
// commented out looks like that.
Reader section(std::vector<Key> keys);

// One line of text, at most 4096 bytes. The complaint must not quote what may be a secret.
Reader text(std::string& into, Complaint complaint);
// One of the words.
Reader choice(std::string& into, std::vector<std::string> words);
// true or false.
Reader boolean(bool& into);
Reader whole_number(int& into, int least, int most);
Reader duration(std::chrono::milliseconds& into, std::chrono::milliseconds least,
                std::chrono::milliseconds most);

// An absolute path without "..", normalized and without a trailing slash.
Reader absolute_path(std::filesystem::path& into);
// The same of a file that exists, and that root may trust.
Reader existing_file(std::filesystem::path& into, Privacy privacy);

namespace detail {
// A sequence of at most 100 items.
bool check_list(const YamlNode& node, Document& document);
void report_repeated(const std::vector<std::string>& values, const YamlNode& node,
                     Document& document);
inline void report_repeated(const auto&, const YamlNode&, Document&) {}
std::vector<std::string> keys_of_items(const std::vector<std::string>& keys);
}  // namespace detail

// A list; `item` makes the reader of one. Texts must differ.
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

// Makes the difference between a key that is absent and one that is given.
template <class T, class MakeReader>
Reader optional(std::optional<T>& into, MakeReader make) {
  return {[&into, make](const YamlNode& node, Document& document) {
    make(into.emplace()).read(node, document);
  }};
}

}  // namespace trimtab
