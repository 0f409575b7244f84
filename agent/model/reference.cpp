#include "agent/model/reference.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "common/text.hpp"

namespace trimtab {

namespace {

constexpr std::string_view docker_hub = "docker.io";
constexpr std::string_view official_images = "library/";
constexpr std::string_view digest_prefix = "sha256:";
constexpr std::size_t max_name = 255;
constexpr std::size_t max_tag = 128;
constexpr std::size_t digest_digits = 64;

// Not <cctype>, whose results depend on the locale.
bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_decimal(char c) {
  return c >= '0' && c <= '9';
}
bool is_lower_hex(char c) {
  return is_decimal(c) || (c >= 'a' && c <= 'f');
}
bool is_hex(char c) {
  return is_lower_hex(c) || (c >= 'A' && c <= 'F');
}

template <class Predicate>
bool all(std::string_view text, Predicate predicate) {
  return std::all_of(text.begin(), text.end(), predicate);
}

bool is_host_label(std::string_view label) {
  return !label.empty() && label.front() != '-' && label.back() != '-' &&
         all(label, [](char c) { return is_alphanumeric(c) || c == '-'; });
}

// Whether the text is host[:port], where host is a name, an IPv4 address or a bracketed IPv6
// address.
bool is_registry(std::string_view text) {
  std::string_view port;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos || end == 1) return false;
    if (!all(text.substr(1, end - 1), [](char c) { return is_hex(c) || c == ':'; })) return false;
    port = text.substr(end + 1);
  } else {
    const auto colon = std::min(text.find(':'), text.size());
    port = text.substr(colon);
    const auto labels = split(text.substr(0, colon), '.');
    if (!std::all_of(labels.begin(), labels.end(), is_host_label)) return false;
  }
  if (port.empty()) return true;
  port.remove_prefix(port.starts_with(':') ? 1 : port.size());
  if (port.empty() || port.size() > 5 || !all(port, is_decimal)) return false;
  const int number = std::stoi(std::string(port));
  return number > 0 && number <= 65535;
}

// Whether the text is a path component: runs of lower-case letters and digits, joined by ".", "_",
// "__" or any number of "-".
bool is_path_component(std::string_view text) {
  const auto plain = [](char c) { return is_lower(c) || is_decimal(c); };
  if (text.empty() || !plain(text.front()) || !plain(text.back())) return false;
  for (std::size_t i = 0; i < text.size();) {
    if (plain(text[i])) {
      ++i;
      continue;
    }
    const auto start = i;
    while (i < text.size() && !plain(text[i])) ++i;
    const auto separator = text.substr(start, i - start);
    const bool dashes = all(separator, [](char c) { return c == '-'; });
    if (!dashes && separator != "." && separator != "_" && separator != "__") return false;
  }
  return true;
}

bool is_tag(std::string_view text) {
  return !text.empty() && text.size() <= max_tag && text.front() != '.' && text.front() != '-' &&
         all(text, [](char c) { return is_alphanumeric(c) || c == '_' || c == '.' || c == '-'; });
}

// Whether the first of several components is a registry rather than a user of Docker Hub.
bool names_registry(std::string_view component) {
  return component == "localhost" || component.find_first_of(".:") != std::string_view::npos ||
         std::any_of(component.begin(), component.end(), is_upper);
}

Error invalid_reference(std::string_view text, std::string reason, std::string hint = {}) {
  return Error{Errc::invalid, fmt::format("{} is no image reference: {}", in_quotes(text), reason),
               std::move(hint)};
}

}  // namespace

std::string ImageReference::familiar_name() const {
  if (registry != docker_hub) return registry + "/" + repository;
  const std::string_view path = repository;
  if (path.starts_with(official_images) &&
      path.find('/', official_images.size()) == std::string_view::npos)
    return std::string(path.substr(official_images.size()));
  // Keeps the registry if the name of the Docker Hub user looks like a registry, for which it would
  // be mistaken.
  const auto slash = path.find('/');
  const bool mistakable = slash != std::string_view::npos && names_registry(path.substr(0, slash));
  return mistakable ? fmt::format("{}/{}", docker_hub, repository) : repository;
}

std::string ImageReference::tagged() const {
  return tag.empty() ? familiar_name() : familiar_name() + ":" + tag;
}

std::string ImageReference::pinned(std::string_view to_digest) const {
  return fmt::format("{}@{}", familiar_name(), to_digest);
}

Result<ImageReference> parse_reference(std::string_view text) {
  if (text.empty()) return Error{Errc::invalid, "the image reference is empty", {}};
  ImageReference reference;
  std::string_view rest = text;

  if (const auto at = rest.find('@'); at != std::string_view::npos) {
    const auto digest = rest.substr(at + 1);
    if (!is_digest(digest))
      return invalid_reference(text, "what follows @ is no digest",
                               "a digest is sha256: and 64 lower-case hexadecimal digits");
    reference.digest = digest;
    rest = rest.substr(0, at);
  }

  // A colon before the last slash belongs to the registry's port.
  const auto slash = rest.rfind('/');
  const auto name_start = slash == std::string_view::npos ? 0 : slash + 1;
  if (const auto colon = rest.find(':', name_start); colon != std::string_view::npos) {
    const auto tag = rest.substr(colon + 1);
    if (!is_tag(tag))
      return invalid_reference(text, fmt::format("its tag {} is not a valid one", in_quotes(tag)),
                               "a tag has at most 128 letters, digits, '_', '.' and '-', and "
                               "starts with none of the last two");
    reference.tag = tag;
    rest = rest.substr(0, colon);
  } else if (reference.digest.empty()) {
    reference.tag = "latest";
  }

  const auto first = rest.find('/');
  if (first != std::string_view::npos && names_registry(rest.substr(0, first))) {
    reference.registry = rest.substr(0, first);
    rest = rest.substr(first + 1);
    if (!is_registry(reference.registry))
      return invalid_reference(text,
                               in_quotes(reference.registry) + " is no registry's host[:port]");
    if (reference.registry == "index.docker.io") reference.registry = docker_hub;
  } else {
    reference.registry = docker_hub;
  }

  if (rest.empty()) return invalid_reference(text, "the repository's name is missing");
  if (rest.size() == digest_digits && all(rest, is_lower_hex))
    return invalid_reference(text, "64 hexadecimal digits are an image's id, not its name");
  if (std::any_of(rest.begin(), rest.end(), is_upper))
    return invalid_reference(text, "a repository's name must be lower-case");
  const auto components = split(rest, '/');
  if (!std::all_of(components.begin(), components.end(), is_path_component))
    return invalid_reference(
        text, in_quotes(rest) + " is no repository's name",
        "a name has lower-case letters and digits, with '.', '_', '__', '-' or '/' between them");

  if (reference.registry == docker_hub && components.size() == 1)
    reference.repository = official_images;
  reference.repository += rest;
  if (reference.registry.size() + 1 + reference.repository.size() > max_name)
    return invalid_reference(text, "its name is longer than 255 characters");
  return reference;
}

bool is_moving_tag(std::string_view tag) {
  return !tag.empty() && std::none_of(tag.begin(), tag.end(), is_decimal);
}

bool is_digest(std::string_view text) {
  return text.starts_with(digest_prefix) && text.size() == digest_prefix.size() + digest_digits &&
         all(text.substr(digest_prefix.size()), is_lower_hex);
}

std::string short_digest(std::string_view digest) {
  if (digest.starts_with(digest_prefix)) digest.remove_prefix(digest_prefix.size());
  return std::string(digest.substr(0, 12));
}

}  // namespace trimtab
