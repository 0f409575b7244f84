#include "agent/reconcile/certificates.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>

#include "agent/model/service.hpp"
#include "agent/resolve/nginx_certificates.hpp"
#include "common/confined_directory.hpp"
#include "common/fd_io.hpp"

namespace trimtab {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t max_file = 256 * 1024;
constexpr std::size_t max_files = 100;  // per mounted directory
constexpr auto validity = std::chrono::hours(30 * 24);
constexpr auto renewed_before = std::chrono::hours(5 * 24);

// Returns the content of the mounted file, or of the *.conf files in the mounted directory.
std::vector<std::string> configurations(const fs::path& mounted) {
  std::vector<fs::path> files;
  std::error_code ec;
  if (fs::is_regular_file(mounted, ec)) files.push_back(mounted);
  if (fs::is_directory(mounted, ec)) {
    for (fs::directory_iterator entry(mounted, ec);
         !ec && entry != fs::directory_iterator() && files.size() < max_files;
         entry.increment(ec)) {
      std::error_code unknown;
      const bool conf = entry->path().extension() == ".conf";
      if (conf && entry->is_regular_file(unknown)) files.push_back(entry->path());
    }
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> texts;
  for (const fs::path& file : files) {
    auto text = read_file(file, max_file);
    if (text && text->find("ssl_certificate") != std::string::npos) {
      texts.push_back(std::move(*text));
    }
  }
  return texts;
}

// Whether a file can be created or rewritten at this path below the directory, which may not exist
// yet. False if a link is on the way: a container may have put it into a directory that it shares
// with the host.
bool may_be_made(const fs::path& live, const std::string& path) {
  const fs::path relative = fs::path(path).lexically_relative(live);
  if (relative.empty() || *relative.begin() == "..") return false;
  const auto directory = ConfinedDirectory::open(live);
  if (!directory) return directory.error().code == Errc::not_found;
  const auto there = directory->status(relative);
  return there ? S_ISREG(there->st_mode) : there.error().code == Errc::not_found;
}

Result<void> write(const ConfinedDirectory& live, const std::string& path, const std::string& text,
                   mode_t mode) {
  const fs::path relative = fs::path(path).lexically_relative(live.path());
  // A container that mounts only this file keeps using its inode.
  if (live.status(relative)) {
    const UniqueFd bytes = file_in_memory(text);
    if (!bytes.valid()) return os_error("write", path, errno);
    return live.rewrite_in_place(relative, bytes.get());
  }
  return live.put_file(relative, text, mode);
}

ServerCertificateFile look_at(const std::string& service, const std::vector<Mount>& mounts,
                              const ServerCertificate& wanted, const fs::path& live) {
  ServerCertificateFile file;
  file.service = service;
  file.certificate = host_path(mounts, wanted.certificate);
  file.key = host_path(mounts, wanted.key);
  file.names = wanted.names;
  if (file.certificate.empty() || file.key.empty()) return file;
  file.may_be_made = may_be_made(live, file.certificate) && may_be_made(live, file.key);
  std::error_code ec;
  const bool certificate_is_there = fs::exists(file.certificate, ec);
  const bool key_is_there = fs::exists(file.key, ec);
  file.missing = !certificate_is_there && !key_is_there;
  if (file.missing) return file;
  if (!certificate_is_there) {
    file.problem = file.certificate + " is missing";
    return file;
  }
  const auto text = read_file(file.certificate, max_file);
  const auto found = text ? parse_certificate(*text) : Result<Certificate>(text.error());
  if (!found) {
    file.problem = found.error().context(file.certificate).text();
  } else if (key_is_there) {
    file.found = *found;
  } else if (found->self_signed) {
    // provide_certificates was interrupted: it writes the certificate first.
    file.missing = true;
  } else {
    file.problem = file.key + " is missing";
  }
  return file;
}

}  // namespace

std::vector<ServerCertificateFile> find_certificates(const Rendering& rendering,
                                                     const fs::path& live,
                                                     const fs::path& tracked) {
  std::vector<ServerCertificateFile> found;
  const std::string below = live.string() + "/";
  for (const std::string& service : rendering.service_names()) {
    const std::vector<Mount> mounts = mounts_of(rendering.service(service));
    for (const Mount& mount : mounts) {
      if (mount.type != "bind" || !mount.source.starts_with(below)) continue;
      for (const std::string& text : configurations(tracked / mount.source.substr(below.size()))) {
        for (const ServerCertificate& wanted : server_certificates(text)) {
          ServerCertificateFile file = look_at(service, mounts, wanted, live);
          const bool known = std::any_of(found.begin(), found.end(), [&](const auto& other) {
            return other.certificate == file.certificate;
          });
          if (!file.certificate.empty() && !file.key.empty() && !known) {
            found.push_back(std::move(file));
          }
        }
      }
    }
  }
  return found;
}

Result<std::vector<std::string>> provide_certificates(
    const std::vector<ServerCertificateFile>& certificates, const fs::path& live) {
  std::vector<std::string> done;
  for (const ServerCertificateFile& file : certificates) {
    const bool ends = file.found && file.found->self_signed &&
                      file.found->expires_at < wall_now() + renewed_before;
    if ((!file.missing && !ends) || !file.may_be_made) continue;
    std::vector<std::string> names = file.names;
    if (names.empty()) names.emplace_back("localhost");
    auto pair = make_self_signed(names, validity);
    if (!pair) return pair.error();
    const auto directory = ConfinedDirectory::make(live);
    if (!directory) return directory.error();
    auto written = write(*directory, file.certificate, pair->certificate, 0644);
    if (written) written = write(*directory, file.key, pair->key, 0600);
    if (!written) return written.error();
    done.push_back(fmt::format("created a self-signed certificate for {}, {}, until one is issued",
                               join(names, ", "), file.certificate));
  }
  return done;
}

}  // namespace trimtab
