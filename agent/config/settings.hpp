// The content of the configuration files, typed and validated. Plain values; load.hpp fills them.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/model/login.hpp"
#include "common/proxy.hpp"

namespace trimtab {

enum class RollbackMode { automatic, manual };

// Content of trimtab.yaml.
struct DaemonSettings {
  struct Docker {
    std::filesystem::path socket = "/run/docker.sock";
    std::filesystem::path config = "/root/.docker/config.json";  // Docker's file of logins
    friend bool operator==(const Docker&, const Docker&) = default;
  };
  struct Socket {
    std::string group = "trimtab";  // group that may use the daemon's socket, like root
    friend bool operator==(const Socket&, const Socket&) = default;
  };
  struct Log {
    std::string level = "info";  // debug, info, warning or error
    friend bool operator==(const Log&, const Log&) = default;
  };
  // Accepts push notifications; disabled if `listen` is empty.
  struct Webhook {
    std::string listen;                 // ADDRESS:PORT, IPv6 in brackets
    std::filesystem::path secret_file;  // secret that callers must prove to know
    friend bool operator==(const Webhook&, const Webhook&) = default;
  };

  Docker docker;
  Socket socket;
  Log log;
  std::vector<RegistrySettings> registries;
  http::Proxies proxy;  // empty ones come from the environment
  Webhook webhook;

  friend bool operator==(const DaemonSettings&, const DaemonSettings&) = default;
};

struct GitSettings {
  std::string url;           // https://, http://, ssh://, user@host:path, /local/path
  std::string ref = "main";  // branch, or tag pattern such as v*
  std::chrono::milliseconds interval = std::chrono::seconds(30);
  std::filesystem::path key;          // private SSH key; empty: none
  std::filesystem::path known_hosts;  // pinned host keys; empty: the daemon's own file
  std::filesystem::path token_file;   // for https; empty: none
  std::filesystem::path ca_file;      // PEM, trusted in addition to the system's; empty: none
  friend bool operator==(const GitSettings&, const GitSettings&) = default;
};

struct ImageSettings {
  std::chrono::milliseconds interval = std::chrono::seconds(60);
  // Services whose tag is watched. Absent: those whose tag contains no digit.
  std::optional<std::vector<std::string>> watch;
  // How long a commit waits for an image that is not in the registry yet; 0: rejected immediately.
  std::chrono::milliseconds wait = std::chrono::minutes(30);
  friend bool operator==(const ImageSettings&, const ImageSettings&) = default;
};

struct ProbeSettings {
  std::string url;  // http:// or https://
  int status = 200;
  friend bool operator==(const ProbeSettings&, const ProbeSettings&) = default;
};

struct GateSettings {
  std::chrono::milliseconds timeout = std::chrono::minutes(3);
  std::chrono::milliseconds stable = std::chrono::seconds(10);
  // How long after passing its gate a release is rolled back automatically if it breaks; 0: not at
  // all.
  std::chrono::milliseconds probation = std::chrono::minutes(5);
  std::vector<ProbeSettings> probe;
  friend bool operator==(const GateSettings&, const GateSettings&) = default;
};

struct CertificateSettings {
  // Creates a self-signed pair if the web server's configuration names a certificate that does not
  // exist.
  bool self_signed_until_issued = false;
  friend bool operator==(const CertificateSettings&, const CertificateSettings&) = default;
};

// A command run before or after a deployment: in a container of `service`, or `program` on the
// host.
struct HookSettings {
  std::string service;           // "": runs `program`
  std::vector<std::string> run;  // argv in the container
  bool one_off = false;          // in a new container of the new release
  std::filesystem::path program;
  std::vector<std::string> args;
  std::chrono::milliseconds timeout = std::chrono::minutes(5);
  bool stop_on_failure = true;
  friend bool operator==(const HookSettings&, const HookSettings&) = default;
};

struct HooksSettings {
  std::vector<HookSettings> before;  // after pulling, before anything is changed
  std::vector<HookSettings> after;   // after the gate has passed
  friend bool operator==(const HooksSettings&, const HooksSettings&) = default;
};

// How the finding of a check affects a deployment.
enum class CheckLevel { error, warning, off };

// The checks whose level a stack's file may set, by the names of their findings. The others protect
// data, or find what cannot work in any case.
inline constexpr const char* adjustable_checks[] = {
    "bind-source-missing", "certificate",       "compose-warning", "disk-space", "docker-socket",
    "encrypted-file",      "health-known-late", "host-namespace",  "host-root",  "image-platform",
    "lfs-pointer",         "privileged",        "unset-variable"};

// Content of stacks.d/NAME.yaml.
struct StackSettings {
  std::string name;  // file name without .yaml
  GitSettings git;
  std::filesystem::path directory;   // live directory, absolute; default: /srv/NAME
  std::string project;               // "": `name:` of the Compose file, else the stack's name
  std::vector<std::string> compose;  // relative to the directory; empty: default_compose_files
  std::vector<std::string> profiles;
  // Relative to the directory. Absent: default_env_file if it exists. If set, the file must exist
  // when the stack is rendered.
  std::optional<std::string> env_file;
  ImageSettings images;
  GateSettings gate;
  HooksSettings hooks;
  RollbackMode rollback = RollbackMode::automatic;
  CertificateSettings certs;
  std::map<std::string, CheckLevel> checks;  // of adjustable_checks; absent: as each check says
  int keep = 10;     // releases kept in addition to the current and the last good one
  std::string unit;  // systemd unit that starts the stack at boot; default: NAME.service

  friend bool operator==(const StackSettings&, const StackSettings&) = default;
};

// Compose's default file names, in order of precedence.
inline constexpr const char* default_compose_files[] = {
    "compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"};
inline constexpr const char* default_override_files[] = {
    "compose.override.yml", "compose.override.yaml", "docker-compose.override.yml",
    "docker-compose.override.yaml"};

inline constexpr const char* default_env_file = ".env";

}  // namespace trimtab
