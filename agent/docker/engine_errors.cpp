#include "agent/docker/engine_errors.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "common/json.hpp"
#include "common/text.hpp"

namespace trimtab {

namespace {

constexpr std::size_t max_message = 1000;

struct Phrase {
  const char* words;  // lower case
  Errc code;
  const char* hint;
};

constexpr const char* log_in = "check the login of this registry (docker login)";
constexpr const char* free_space = "free some disk space";

// In order of precedence: the first phrase found decides, since some messages contain several. A
// refused login comes before "not found", which the same message offers as the alternative
// explanation.
constexpr std::array pull_phrases{
    Phrase{"no space left on device", Errc::no_space, free_space},
    Phrase{"disk quota exceeded", Errc::no_space, free_space},
    Phrase{"input/output error", Errc::failed, "is the disk healthy? see dmesg"},
    Phrase{"cannot allocate memory", Errc::unavailable, "this host is out of memory"},
    Phrase{"no matching manifest for", Errc::invalid,
           "the image was not built for this machine's architecture"},
    Phrase{"does not match the specified platform", Errc::invalid,
           "the image was not built for this machine's architecture"},
    Phrase{"cannot be used on this platform", Errc::invalid,
           "the image was not built for this machine's architecture"},
    Phrase{"toomanyrequests", Errc::unavailable, "the registry limits the rate of requests"},
    Phrase{"too many requests", Errc::unavailable, "the registry limits the rate of requests"},
    Phrase{"x509:", Errc::untrusted,
           "the Engine does not trust the registry's certificate; is this host's clock right?"},
    Phrase{
        "server gave http response to https client", Errc::untrusted,
        "the registry does not use TLS: add it to insecure-registries in /etc/docker/daemon.json"},
    Phrase{"pull access denied", Errc::denied, log_in},
    Phrase{"no basic auth credentials", Errc::denied, log_in},
    Phrase{"unauthorized", Errc::denied, log_in},
    Phrase{"authentication required", Errc::denied, log_in},
    Phrase{"incorrect username or password", Errc::denied, log_in},
    Phrase{"denied:", Errc::denied, log_in},
    Phrase{"403 forbidden", Errc::denied, log_in},
    Phrase{"file exists", Errc::failed,
           "if it names a directory in layerdb: stop Docker, remove that empty directory, start "
           "Docker"},
    Phrase{"failed to register layer", Errc::failed,
           "the disk or the storage driver of Docker's directory refuses it: see the Engine's log"},
    Phrase{"manifest unknown", Errc::not_found, ""},
    Phrase{"name unknown", Errc::not_found, ""},
    Phrase{"dial tcp", Errc::unavailable, ""},
    Phrase{"no such host", Errc::unavailable, ""},
    Phrase{"i/o timeout", Errc::unavailable, ""},
    Phrase{"timeout exceeded", Errc::unavailable, ""},
    Phrase{"handshake timeout", Errc::unavailable, ""},
    Phrase{"deadline exceeded", Errc::unavailable, ""},
    Phrase{"connection refused", Errc::unavailable, ""},
    Phrase{"connection reset", Errc::unavailable, ""},
    Phrase{"request canceled", Errc::unavailable, ""},
    Phrase{"unexpected http status: 5", Errc::unavailable, ""},
    Phrase{"unexpected status from head request", Errc::unavailable, ""},
    Phrase{"unexpected status from get request", Errc::unavailable, ""},
    Phrase{"service unavailable", Errc::unavailable, ""},
    Phrase{"bad gateway", Errc::unavailable, ""},
    Phrase{": eof", Errc::unavailable, ""},
    Phrase{"unexpected eof", Errc::unavailable, ""},
    Phrase{"broken pipe", Errc::unavailable, ""},
    Phrase{"http2:", Errc::unavailable, ""},
    Phrase{"tls:", Errc::unavailable, ""},
    Phrase{"closed network connection", Errc::unavailable, ""},
    Phrase{"server misbehaving", Errc::unavailable, ""},
    Phrase{"network is unreachable", Errc::unavailable, ""},
    Phrase{"context canceled", Errc::unavailable, ""},
    Phrase{"filesystem layer verification failed", Errc::unavailable, ""},
    Phrase{"not found", Errc::not_found, ""},
};

Errc code_of(int status, std::string_view message) {
  if (message.find("no space left on device") != std::string_view::npos) return Errc::no_space;
  switch (status) {
    case 400:
      return Errc::invalid;
    case 401:
    case 403:
      return Errc::denied;
    case 404:
      return Errc::not_found;
    case 409:
      return Errc::conflict;
    case 503:
      return Errc::unavailable;
    default:
      return Errc::failed;
  }
}

}  // namespace

std::string engine_message(std::string_view body) {
  std::string message;
  const auto json = parse_json(body);
  if (json) message = json_string(*json, "message");
  if (message.empty()) message = std::string(body);
  if (message.size() > max_message) message.resize(max_message);
  message = printable(message);
  return std::string(trim(message));
}

Error engine_error(std::string_view what, int status, std::string_view body) {
  const std::string message = engine_message(body);
  const std::string words = message.empty() ? fmt::format("status {}", status) : message;
  return Error{code_of(status, message), fmt::format("{}: {}", what, words), {}};
}

Error pull_error(std::string_view image, int status, std::string_view message) {
  const std::string words = engine_message(message);
  const std::string text = fmt::format("cannot pull {}: {}", image, words);
  // Ignores the image's name, which may contain any of the phrases.
  std::string lowered = lower_case(words);
  const std::string name = lower_case(image.substr(0, image.find('@')));
  for (auto at = lowered.find(name); !name.empty() && at != std::string::npos;
       at = lowered.find(name, at)) {
    lowered.erase(at, name.size());
  }
  for (const auto& phrase : pull_phrases) {
    if (lowered.find(phrase.words) != std::string::npos) {
      return Error{phrase.code, text, phrase.hint};
    }
  }
  return Error{code_of(status, words), text, {}};
}

bool is_version_refusal(int status, std::string_view body) {
  return status == 400 && body.find("client version") != std::string_view::npos;
}

}  // namespace trimtab
