#include "agent/reconcile/preflight_report.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "agent/execute/postgres.hpp"
#include "agent/model/service.hpp"
#include "agent/plan/preflight/preflight.hpp"
#include "agent/reconcile/certificates.hpp"
#include "agent/reconcile/host_disk.hpp"
#include "agent/reconcile/host_names.hpp"
#include "agent/reconcile/host_ports.hpp"
#include "agent/reconcile/image_pulls.hpp"
#include "agent/reconcile/staging.hpp"
#include "agent/reconcile/state_directory.hpp"
#include "common/disk_thread.hpp"
#include "common/files.hpp"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

// If Docker does not tell what exists, nothing can be checked.
PreflightFinding docker_finding(const Error& error) {
  PreflightFinding finding;
  finding.name = "docker";
  finding.cause = FailureCause::host;
  finding.message = error.message;
  finding.hint = error.hint.empty() ? "`journalctl -u docker` may say more" : error.hint;
  return finding;
}

bool is_tracked_file(const Candidate& candidate, const fs::path& live, const std::string& path) {
  const std::string directory = live.string() + "/";
  return path.starts_with(directory) &&
         std::any_of(candidate.tree.begin(), candidate.tree.end(), [&](const TreeEntry& entry) {
           return entry.path == path.substr(directory.size());
         });
}

// Errors first, as preflight::check() has them.
void apply(const std::map<std::string, CheckLevel>& levels,
           std::vector<PreflightFinding>& findings) {
  const auto level_of = [&](const PreflightFinding& finding) {
    const auto level = levels.find(finding.name);
    return level == levels.end() ? std::optional<CheckLevel>() : level->second;
  };
  std::erase_if(findings,
                [&](const auto& finding) { return level_of(finding) == CheckLevel::off; });
  for (PreflightFinding& finding : findings) {
    const auto level = level_of(finding);
    if (level == CheckLevel::error) finding.severity = PreflightFinding::Severity::error;
    if (level == CheckLevel::warning) finding.severity = PreflightFinding::Severity::warning;
  }
  std::stable_partition(findings.begin(), findings.end(), [](const PreflightFinding& finding) {
    return finding.severity == PreflightFinding::Severity::error;
  });
}

// Gathers the input of the preflight checks step by step.
// More than 15 members: one step per kind of input, all of which fill the same report.
class PreflightRun {
 public:
  PreflightRun(PreflightDeps deps, const Candidate& candidate, std::vector<Container> running,
               OwnSigns signs)
      : deps_(std::move(deps)),
        candidate_(candidate),
        running_(std::move(running)),
        signs_(std::move(signs)),
        checkout_(deps_.workspace.checkout()) {}

  Task<PreflightReport> run();

 private:
  [[nodiscard]] const Store& store() const { return deps_.stack.store; }
  [[nodiscard]] const fs::path& live() const { return deps_.workspace.live(); }
  void take_candidate();
  void find_what_ran();
  Task<bool> ask_docker();
  void check_takeover();
  void check_mounts();
  Task<void> check_stored_forms();
  Task<void> check_ports();
  Task<void> check_collisions();
  Task<void> check_images();
  Task<void> check_certificates();

  PreflightDeps deps_;
  const Candidate& candidate_;
  std::vector<Container> running_;
  OwnSigns signs_;
  fs::path checkout_;
  preflight::Input input_;
  Rendering before_;  // of the newest readable release
  PreflightReport result_;
};

Task<PreflightReport> PreflightRun::run() {
  take_candidate();
  find_what_ran();
  input_.postgres =
      co_await postgres_majors(deps_.stack.docker, running_, candidate_.release.images);
  const bool told = co_await ask_docker();
  if (!told) co_return std::move(result_);
  check_takeover();
  check_mounts();
  co_await check_stored_forms();
  co_await check_ports();
  co_await check_collisions();
  co_await check_images();
  co_await check_certificates();
  for (PreflightFinding& finding : preflight::check(input_)) {
    result_.findings.push_back(std::move(finding));
  }
  apply(deps_.stack.settings.checks, result_.findings);
  result_.free_bytes = input_.free_bytes;
  co_return std::move(result_);
}

void PreflightRun::take_candidate() {
  const StackSettings& settings = deps_.stack.settings;
  input_.project = candidate_.release.project;
  input_.directory = live().string();
  input_.next = &candidate_.rendering;
  input_.is_first = store().current() == nullptr;
  input_.unset_variables = candidate_.unset_variables;
  input_.dollar_values = candidate_.dollar_values;
  input_.compose_warnings = candidate_.compose_warnings;
  input_.env_file = candidate_.env_file;
  input_.built_images_missing = candidate_.built_images_missing;
  input_.compose_files = candidate_.files;
  input_.project_holder = deps_.projects.other_holder(candidate_.release.project, settings.name);
  input_.self_signed_until_issued = settings.certs.self_signed_until_issued;
  input_.gate_timeout = settings.gate.timeout;
  input_.now = wall_now();
}

void PreflightRun::find_what_ran() {
  for (const ReleaseRecord* known = store().current();
       known != nullptr && input_.current == nullptr; known = store().last_good_before(*known)) {
    Result<Rendering> rendering = deps_.renderings.of(known->number);
    if (!rendering) continue;
    before_ = std::move(*rendering);
    input_.current = &before_;
  }
}

// Returns false if Docker does not answer.
Task<bool> PreflightRun::ask_docker() {
  auto all = co_await deps_.stack.docker.all_containers();
  if (all) {
    name_paths_as(live(), *all);
    input_.all_containers = *all;
  }
  co_await look_up_names(deps_.stack.docker, &input_);
  if (!all || !input_.volumes) {
    const Error unknown{Errc::unavailable, "Docker does not list its volumes", {}};
    result_.findings.push_back(docker_finding(all ? unknown : all.error()));
    co_return false;
  }
  input_.foreign = foreign_among(*all, signs_);
  for (const ReleaseRecord* ran = release_to_go_back_to(store()); ran != nullptr;
       ran = store().last_good_before(*ran)) {
    const Result<Rendering> rendering = deps_.renderings.of(ran->number);
    if (!rendering) continue;
    input_.lost_volumes = lost_volumes(*ran, *rendering, *input_.volumes);
    break;
  }
  co_return true;
}

void PreflightRun::check_takeover() {
  for (const Container& container : running_) {
    // Containers created by trimtab whose record is lost were defined by a commit too.
    if (!input_.is_first || maker_of(container, signs_) != Maker::hand) continue;
    input_.running.push_back(container);
    for (const auto& [target, source] : container.bind_mounts) {
      if (is_tracked_file(candidate_, live(), source)) input_.tracked_files.insert(source);
    }
  }
}

void PreflightRun::check_mounts() {
  std::error_code ec;
  const std::string live_path = live().string();
  for (const std::string& name : candidate_.rendering.service_names()) {
    for (const Mount& mount : mounts_of(candidate_.rendering.service(name))) {
      if (mount.type != "bind") continue;
      const bool below = mount.source.rfind(live_path + "/", 0) == 0;
      const std::string inside = below ? mount.source.substr(live_path.size() + 1) : std::string();
      // Files that Git does not track are taken from the live directory, all others from the
      // commit.
      const bool as_it_is = !below || is_untracked(candidate_.tracked_live, inside);
      const bool exists = (as_it_is && fs::exists(mount.source, ec)) ||
                          (below && fs::exists(checkout_ / inside, ec));
      if (mount.source != live_path && !exists) input_.missing_sources.insert(mount.source);
    }
  }
  const fs::path state = fs::weakly_canonical(store().directory().parent_path(), ec);
  for (const auto& [path, who] : host_paths(candidate_.rendering.model)) {
    if (shows_state(real_source(path, live(), checkout_), state)) input_.shown_state[path] = who;
  }
}

Task<void> PreflightRun::check_stored_forms() {
  const auto look = [this] {
    std::map<std::string, StoredForm> forms;
    for (const auto& [service, files] : candidate_.release.mounted_files) {
      for (const auto& [path, blob] : files) {
        const auto beginning = read_beginning(checkout_ / path, stored_form_size);
        const StoredForm form = beginning ? stored_form(*beginning) : StoredForm::as_it_is;
        if (form != StoredForm::as_it_is) forms[path] = form;
      }
    }
    return forms;
  };
  input_.stored_forms = co_await on_disk_thread(look);
}

// Finding the holder of a port requires checking every process of the host.
Task<void> PreflightRun::check_ports() {
  std::set<std::string> ports;
  for (const std::string& name : candidate_.rendering.service_names()) {
    for (const PublishedPort& port : published_ports_of(candidate_.rendering.service(name))) {
      ports.insert(fmt::format("{}/{}", port.protocol, port.host_port));
    }
  }
  const auto look = [&ports] { return port_holders(ports); };
  input_.port_holders = co_await on_disk_thread(look);
}

Task<void> PreflightRun::check_collisions() {
  const ReleaseRecord* const current = store().current();
  const std::string from = current == nullptr ? std::string() : current->commit;
  const auto collisions =
      co_await deps_.workspace.git().collisions(live(), from, candidate_.release.commit);
  if (collisions) {
    input_.collisions = *collisions;
    co_return;
  }
  // Unknown must not count as "none": users' files could be overwritten.
  PreflightFinding finding;
  finding.name = "live-directory";
  finding.cause = FailureCause::host;
  finding.message = fmt::format("it is not known which files in {} the commit would overwrite: {}",
                                live().string(), collisions.error().message);
  finding.hint = collisions.error().hint;
  result_.findings.push_back(std::move(finding));
}

Task<void> PreflightRun::check_images() {
  if (const auto& engine = deps_.engine) {
    input_.image_directory = engine->root_directory;
    input_.free_bytes = free_bytes(engine->root_directory);
  }
  PullForecast forecast =
      co_await forecast_pulls(deps_.stack.docker, deps_.stack.registry, deps_.stack.host,
                              candidate_.release, store().current());
  input_.pulls = forecast.pulls;
  for (const auto& [service, pin] : candidate_.release.images) {
    const Result<Image> image = co_await deps_.stack.docker.image(pin.pinned);
    if (image && image->health_check) input_.image_health_checks[service] = *image->health_check;
  }
  result_.findings = std::move(forecast.findings);
  result_.pulls = std::move(forecast.pulls);
}

Task<void> PreflightRun::check_certificates() {
  input_.certificates = find_certificates(candidate_.rendering, live(), checkout_);
  result_.certificates = input_.certificates;
  if (!input_.self_signed_until_issued) co_return;
  // Their directory is created with them.
  for (const ServerCertificateFile& file : input_.certificates) {
    if (!file.missing || !file.may_be_made) continue;
    std::erase_if(input_.missing_sources, [&](const std::string& source) {
      return (file.certificate + "/").starts_with(source + "/") ||
             (file.key + "/").starts_with(source + "/");
    });
  }
}

}  // namespace

Task<PreflightReport> run_preflight(PreflightDeps deps, const Candidate* candidate,
                                    std::vector<Container> running, OwnSigns signs) {
  PreflightRun examining(std::move(deps), *candidate, std::move(running), std::move(signs));
  co_return co_await examining.run();
}

}  // namespace trimtab
