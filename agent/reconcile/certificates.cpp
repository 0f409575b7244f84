#include "agent/reconcile/certificates.hpp"

#include <algorithm>

#include "agent/model/service.hpp"
#include "agent/resolve/nginx_certificates.hpp"
#include "common/files.hpp"

namespace trimtab {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t largest_file = 256 * 1024;
constexpr std::size_t most_files = 100;  // in one mounted folder
constexpr auto validity = std::chrono::hours(30 * 24);
constexpr auto renewed_before = std::chrono::hours(5 * 24);

// What lies in a mounted file, or in the mounted folder's *.conf files.
std::vector<std::string> configurations(const fs::path& mounted) {
  std::vector<fs::path> files;
  std::error_code ec;
  if (fs::is_regular_file(mounted, ec)) files.push_back(mounted);
  if (fs::is_directory(mounted, ec)) {
    for (fs::directory_iterator entry(mounted, ec);
         !ec && entry != fs::directory_iterator() && files.size() < most_files;
         entry.increment(ec)) {
      std::error_code unknown;
      const bool conf = entry->path().extension() == ".conf";
      if (conf && entry->is_regular_file(unknown)) files.push_back(entry->path());
    }
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> texts;
  for (const fs::path& file : files) {
    auto text = read_file(file, largest_file);
    if (text && text->find("ssl_certificate") != std::string::npos) {
      texts.push_back(std::move(*text));
    }
  }
  return texts;
}

// A container that mounts the file alone holds on to its inode.
Result<void> write(const fs::path& path, const std::string& text, unsigned mode) {
  std::error_code ec;
  return fs::exists(path, ec) ? rewrite_in_place(path, text) : write_file_durably(path, text, mode);
}

// Links included: a container may put them into a folder that it shares with the host.
bool is_inside(const fs::path& path, const fs::path& folder) {
  std::error_code ec;
  const fs::path real = fs::weakly_canonical(path, ec);
  if (ec) return false;
  const fs::path rest = real.lexically_relative(fs::weakly_canonical(folder, ec));
  return !ec && !rest.empty() && *rest.begin() != "..";
}

ServerCertificateFile look_at(const std::string& service, const std::vector<Mount>& mounts,
                              const ServerCertificate& wanted, const fs::path& live) {
  ServerCertificateFile file;
  file.service = service;
  file.certificate = host_path(mounts, wanted.certificate);
  file.key = host_path(mounts, wanted.key);
  file.names = wanted.names;
  if (file.certificate.empty() || file.key.empty()) return file;
  file.may_be_made = is_inside(file.certificate, live) && is_inside(file.key, live);
  std::error_code ec;
  const bool certificate_is_there = fs::exists(file.certificate, ec);
  const bool key_is_there = fs::exists(file.key, ec);
  file.missing = !certificate_is_there && !key_is_there;
  if (file.missing) return file;
  if (!certificate_is_there) {
    file.problem = file.certificate + " is missing";
    return file;
  }
  const auto text = read_file(file.certificate, largest_file);
  const auto found = text ? parse_certificate(*text) : Result<Certificate>(text.error());
  if (!found) {
    file.problem = found.error().context(file.certificate).text();
  } else if (key_is_there) {
    file.found = *found;
  } else if (found->self_signed) {
    // provide_certificates was cut off: it writes the certificate first.
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
    const std::vector<ServerCertificateFile>& certificates) {
  std::vector<std::string> done;
  for (const ServerCertificateFile& file : certificates) {
    const bool ends = file.found && file.found->self_signed &&
                      file.found->expires_at < wall_now() + renewed_before;
    if ((!file.missing && !ends) || !file.may_be_made) continue;
    std::vector<std::string> names = file.names;
    if (names.empty()) names.emplace_back("localhost");
    auto pair = make_self_signed(names, validity);
    if (!pair) return pair.error();
    std::error_code ec;
    for (const auto& path : {file.certificate, file.key}) {
      fs::create_directories(fs::path(path).parent_path(), ec);
    }
    auto written = write(file.certificate, pair->certificate, 0644);
    if (written) written = write(file.key, pair->key, 0600);
    if (!written) return written.error();
    done.push_back("made a self-signed certificate for " + join(names, ", ") + ", " +
                   file.certificate + ", until one is issued");
  }
  return done;
}

}  // namespace trimtab
