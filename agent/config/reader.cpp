#include "agent/config/reader.hpp"

#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <regex>
#include <system_error>

#include "agent/config/address.hpp"
#include "common/number.hpp"
#include "common/text.hpp"

namespace trimtab {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr std::size_t max_text = 4096;
constexpr std::size_t max_list = 100;

std::string_view kind_name(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::null:
      return "nothing";
    case YamlNode::Kind::scalar:
      return "a value";
    case YamlNode::Kind::sequence:
      return "a list";
    case YamlNode::Kind::mapping:
      return "keys and values";
  }
  return "";
}

// Whether YAML 1.2 reads the unquoted text as a number or boolean: an editor that knows the schema
// would reject it, and most programs read 1.10 as 1.1.
bool looks_like_other_type(const std::string& text) {
  static const std::regex other(
      "true|True|TRUE|false|False|FALSE|[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+|"
      "[-+]?(\\.[0-9]+|[0-9]+(\\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\\.(inf|Inf|INF)|"
      "\\.(nan|NaN|NAN)");
  constexpr std::size_t max_number = 40;
  return text.size() <= max_number && std::regex_match(text, other);
}

// Returns the scalar's text, or nullptr after reporting a mistake.
const std::string* scalar_text(const YamlNode& node, Document& document, std::string_view what) {
  if (node.kind == YamlNode::Kind::scalar) return &node.text;
  document.report(node.place, fmt::format("expected {}, found {}", what, kind_name(node)));
  return nullptr;
}

bool has_control_character(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

// Checks the rules for every text, then the text's own complaint.
std::string text_complaint(const YamlNode& node, const Complaint& complaint) {
  if (!node.quoted && looks_like_other_type(node.text)) {
    return "expected text; quote it, otherwise it is read as a number or as true or false";
  }
  if (node.text.empty()) return "expected text, found nothing";
  if (has_control_character(node.text)) {
    return "expected one line of text without control characters";
  }
  if (node.text.size() > max_text) {
    return fmt::format("longer than {} characters", max_text);
  }
  return complaint(node.text);
}

std::string suggestion(const std::string& word, const std::vector<std::string>& known) {
  const std::optional<std::string> near = nearest(word, known);
  return near ? fmt::format(" (did you mean \"{}\"?)", *near) : "";
}

std::string unknown_key(const YamlNode& name, const std::vector<std::string>& known) {
  if (name.kind != YamlNode::Kind::scalar) {
    return fmt::format("a key must be a word, found {}", kind_name(name));
  }
  return fmt::format("unknown key {}{}", in_quotes(name.text), suggestion(name.text, known));
}

std::string absolute_path_complaint(const std::string& path) {
  if (!path.starts_with("/")) return "expected an absolute path, one that begins with /";
  if (has_parent_segment(path)) return "\"..\" is not allowed in a path";
  return {};
}

fs::path without_trailing_slash(const std::string& text) {
  fs::path path = fs::path(text).lexically_normal();
  if (!path.has_filename() && path.has_relative_path()) path = path.parent_path();
  return path;
}

bool is_credential_of_a_service(const fs::path& path) {
  return path.string().starts_with("/run/credentials/");
}

void check_file(const fs::path& path, Privacy privacy, YamlPlace place, Document& document) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    const int failure = errno;
    if (is_credential_of_a_service(path)) {
      // systemd shows a credential only to the service, and only while it runs.
      if (std::getenv("CREDENTIALS_DIRECTORY") == nullptr) return;
      document.report(
          place,
          fmt::format("{} does not exist: set it with LoadCredential= in the unit trimtabd.service",
                      path.string()));
    } else if (failure == ENOENT || failure == ENOTDIR) {
      document.report(place, path.string() + " does not exist");
    } else {
      // The user who checks a configuration may not see all that the daemon sees.
      document.report(place,
                      fmt::format("cannot access {} as this user: {}", path.string(),
                                  std::generic_category().message(failure)),
                      failure == EACCES ? Severity::warning : Severity::error);
    }
    return;
  }
  if (auto trusted = check_trusted(path, privacy); !trusted) {
    document.report(place, trusted.error().text());
  }
}

using CheckPath = std::function<void(const fs::path&, YamlPlace, Document&)>;

Reader path_reader(fs::path& into, CheckPath check) {
  return {[&into, check = std::move(check)](const YamlNode& node, Document& document) {
    std::string found;
    text(found, absolute_path_complaint).read(node, document);
    if (found.empty()) return;
    into = without_trailing_slash(found);
    check(into, node.place, document);
  }};
}

}  // namespace

void Document::report(YamlPlace place, std::string message, Severity severity) {
  if (severity == Severity::error) has_errors_ = true;
  findings_->push_back({file_, place.line, place.column, severity, std::move(message)});
}

void Document::report_key(const std::string& path, std::string message, Severity severity) {
  const auto place = places_.find(path);
  report(place == places_.end() ? YamlPlace{0, 0} : place->second, std::move(message), severity);
}

void Document::enter(const std::string& key, YamlPlace place) {
  path_.push_back(key);
  places_.emplace(join(path_, "."), place);
}

void Document::leave() {
  path_.pop_back();
}

Reader section(std::vector<Key> keys) {
  Reader reader;
  std::vector<std::string> names;
  for (const Key& key : keys) {
    names.push_back(key.name);
    reader.keys.push_back("." + key.name);
    for (const std::string& below : key.value.keys) reader.keys.push_back("." + key.name + below);
  }
  reader.read = [keys = std::move(keys), names = std::move(names)](const YamlNode& node,
                                                                   Document& document) {
    if (node.kind != YamlNode::Kind::mapping && node.kind != YamlNode::Kind::null) {
      document.report(node.place,
                      fmt::format("expected keys and values, one \"key: value\" a line, found {}",
                                  kind_name(node)));
      return;
    }
    std::map<std::string, int> lines;
    for (std::size_t i = 0; i < node.keys.size(); ++i) {
      const YamlNode& name = node.keys[i];
      const auto key = std::find_if(keys.begin(), keys.end(), [&](const Key& each) {
        return name.kind == YamlNode::Kind::scalar && each.name == name.text;
      });
      if (key == keys.end()) {
        document.report(name.place, unknown_key(name, names));
        continue;
      }
      const auto [first, is_new] = lines.emplace(name.text, name.place.line);
      if (!is_new) {
        document.report(name.place, fmt::format("\"{}\" is given twice, first in line {}",
                                                name.text, first->second));
        continue;
      }
      document.enter(name.text, name.place);
      key->value.read(node.items[i], document);
      document.leave();
    }
    for (const Key& key : keys) {
      if (!key.when_missing.empty() && !lines.contains(key.name)) {
        document.report(node.place, key.when_missing);
      }
    }
  };
  return reader;
}

Reader text(std::string& into, Complaint complaint) {
  return {[&into, complaint = std::move(complaint)](const YamlNode& node, Document& document) {
    const std::string* found = scalar_text(node, document, "text");
    if (found == nullptr) return;
    const std::string problem = text_complaint(node, complaint);
    if (problem.empty()) {
      into = *found;
    } else {
      document.report(node.place, problem);
    }
  }};
}

Reader choice(std::string& into, std::vector<std::string> words) {
  return {[&into, words = std::move(words)](const YamlNode& node, Document& document) {
    const std::string* found = scalar_text(node, document, join(words, " or "));
    if (found == nullptr) return;
    if (std::find(words.begin(), words.end(), *found) == words.end()) {
      document.report(node.place, fmt::format("expected {}, found {}{}", join(words, " or "),
                                              in_quotes(*found), suggestion(*found, words)));
      return;
    }
    into = *found;
  }};
}

Reader boolean(bool& into) {
  return {[&into](const YamlNode& node, Document& document) {
    const bool plain = node.kind == YamlNode::Kind::scalar && !node.quoted;
    if (plain && (node.text == "true" || node.text == "false")) {
      into = node.text == "true";
    } else {
      document.report(node.place, "expected true or false, found " + in_quotes(node.text));
    }
  }};
}

Reader whole_number(int& into, int least, int most) {
  return {[&into, least, most](const YamlNode& node, Document& document) {
    const std::string range = fmt::format("a whole number from {} to {}", least, most);
    const std::string* found = scalar_text(node, document, range);
    if (found == nullptr) return;
    const std::optional<int> number = parse_number<int>(*found);
    // Some YAML parsers read a leading zero as octal.
    const bool octal = found->size() > 1 && found->front() == '0';
    if (node.quoted || octal || !number || *number < least || *number > most) {
      document.report(node.place, fmt::format("expected {}, found {}{}", range, in_quotes(*found),
                                              node.quoted ? " in quotes" : ""));
      return;
    }
    into = *number;
  }};
}

Reader duration(milliseconds& into, milliseconds least, milliseconds most) {
  return {[&into, least, most](const YamlNode& node, Document& document) {
    const std::string* found = scalar_text(node, document, "a duration such as 30s");
    if (found == nullptr) return;
    const std::optional<milliseconds> value = parse_duration(*found);
    if (!value) {
      document.report(node.place, "expected a duration such as 30s, found " + in_quotes(*found));
    } else if (*value < least || *value > most) {
      document.report(node.place, fmt::format("expected a duration from {} to {}, found {}",
                                              format_duration(least), format_duration(most),
                                              in_quotes(*found)));
    } else {
      into = *value;
    }
  }};
}

Reader absolute_path(fs::path& into) {
  return path_reader(into, [](const fs::path&, YamlPlace, Document&) {});
}

Reader existing_file(fs::path& into, Privacy privacy) {
  return path_reader(into, [privacy](const fs::path& path, YamlPlace place, Document& document) {
    check_file(path, privacy, place, document);
  });
}

namespace detail {

bool check_list(const YamlNode& node, Document& document) {
  if (node.kind != YamlNode::Kind::sequence) {
    document.report(node.place,
                    fmt::format("expected a list such as [one, two], found {}", kind_name(node)));
    return false;
  }
  if (node.items.size() > max_list) {
    document.report(node.place, fmt::format("more than {} items", max_list));
    return false;
  }
  return true;
}

void report_repeated(const std::vector<std::string>& values, const YamlNode& node,
                     Document& document) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    // Invalid items are empty.
    const auto end = values.begin() + static_cast<std::ptrdiff_t>(i);
    if (!values[i].empty() && std::find(values.begin(), end, values[i]) != end) {
      document.report(node.items[i].place, in_quotes(values[i]) + " is listed twice");
    }
  }
}

std::vector<std::string> keys_of_items(const std::vector<std::string>& keys) {
  std::vector<std::string> below;
  for (const std::string& key : keys) below.push_back("[]" + key);
  return below;
}

}  // namespace detail
}  // namespace trimtab
