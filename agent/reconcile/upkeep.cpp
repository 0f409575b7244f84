#include "agent/reconcile/upkeep.hpp"

#include <fmt/core.h>

#include "agent/execute/boot_files.hpp"
#include "agent/execute/reloading.hpp"
#include "agent/model/reload.hpp"
#include "agent/reconcile/certificates.hpp"
#include "agent/reconcile/kept_images.hpp"
#include "common/log.hpp"
#include "common/random.hpp"

namespace trimtab {
namespace {

constexpr auto renewal_interval = std::chrono::seconds(5);
constexpr auto certificates_interval = std::chrono::minutes(1);

}  // namespace

Task<void> Upkeep::keep_boot_files(std::vector<Container> foreign) {
  const ReleaseRecord* const current = deps_.store.current();
  if (current == nullptr) co_return;
  const bool is_kept =
      boots_without_ == services_taken_by(foreign) && deps_.store.has_boot_files(current->number);
  const Result<Rendering> rendering = is_kept ? Rendering() : renderings_.of(current->number);
  if (is_kept || !rendering) co_return;
  const auto saved = co_await save_boot_files(deps_.docker, deps_.settings, deps_.store, *rendering,
                                              current->number, current->jobs);
  if (saved) boots_without_ = *saved;
  if (!saved) spdlog::warn("{}: {}", deps_.settings.name, saved.error().text());
}

Task<void> Upkeep::check_certificates() {
  const StackSettings& settings = deps_.settings;
  const ReleaseRecord* const current = deps_.store.current();
  const auto now = SteadyClock::now();
  if (current == nullptr || now < certificates_until_) co_return;
  const Result<Rendering> rendering = renderings_.of(current->number);
  if (!rendering) co_return;
  certificates_until_ = now + certificates_interval;
  const bool provides = settings.certs.self_signed_until_issued && !deps_.store.intent().paused;
  std::vector<ServerCertificateFile> found;
  const auto look = [&]() -> Result<std::vector<std::string>> {
    found = find_certificates(*rendering, settings.directory, settings.directory);
    if (!provides) return std::vector<std::string>();
    auto provided = provide_certificates(found, settings.directory);
    if (provided && !provided->empty()) {
      found = find_certificates(*rendering, settings.directory, settings.directory);
    }
    return provided;
  };
  const Result<std::vector<std::string>> made = look();
  certificates_ = std::move(found);
  if (!made) spdlog::warn("{}: {}", settings.name, made.error().text());
  if (!made) co_return;
  for (const std::string& line : *made) {
    reporter_.report(Milestone::note, spdlog::level::info, line);
  }
}

bool Upkeep::find_renewed_files() {
  const ReleaseRecord* const current = deps_.store.current();
  const auto now = SteadyClock::now();
  if (current == nullptr || now < renewed_until_) return !renewed_.empty();
  renewed_until_ = now + renewal_interval;
  const Rendering* const rendering = renderings_.find(current->number);
  if (rendering != nullptr) {
    renewed_.merge(renewed_files_.find_renewed(*current, *rendering, deps_.settings.directory));
  }
  return !renewed_.empty();
}

Task<void> Upkeep::reload_renewed(std::vector<Container> containers) {
  const std::set<std::string> services = std::exchange(renewed_, {});
  const ReleaseRecord* const current = deps_.store.current();
  if (current == nullptr) co_return;
  const Result<Rendering> rendering = renderings_.of(current->number);
  if (!rendering) co_return;
  for (const Container& container : containers) {
    if (!services.contains(container.service)) continue;
    const auto how = reload_of(rendering->service(container.service));
    if (!how || container.state != ContainerState::running) continue;
    const Result<void> reloaded = co_await reload_container(deps_.docker, container, *how);
    if (reloaded) {
      reporter_.report(
          Milestone::note, spdlog::level::info,
          container.service +
              " was reloaded: certificates or other files that it mounts were renewed");
    } else {
      renewed_files_.was_not_reloaded(container.service);
      reporter_.report(Milestone::note, spdlog::level::warn,
                       fmt::format("files that {} mounts were renewed: {}", container.service,
                                   reloaded.error().text()));
    }
  }
}

bool Upkeep::is_rendering_to_mend(const std::string& tip) {
  const ReleaseRecord* const current = deps_.store.current();
  const bool is_readable = current == nullptr || renderings_.find(current->number) != nullptr;
  if (is_readable) {
    unmended_.clear();
    mend_tries_ = MendTries();
    return false;
  }
  return mend_tries_.is_due(what_mends(current->number, tip), SteadyClock::now());
}

// Returns everything that the result depends on.
std::string Upkeep::what_mends(int release, const std::string& tip) const {
  return fmt::format("{} {} {}", release, tip, deps_.compose.tool().display());
}

Task<void> Upkeep::mend_rendering(WorkspaceLock& workspace, std::string tip) {
  const ReleaseRecord* const current = deps_.store.current();
  if (current == nullptr) co_return;
  const int number = current->number;
  const Result<Rendering> damaged = renderings_.of(number);
  if (damaged) co_return;
  const std::string what = what_mends(number, tip);
  const Result<void> mended =
      co_await rerender_for_current_compose(deps_, workspace, number, false);
  if (mended) {
    reporter_.report(Milestone::note, spdlog::level::warn,
                     damaged.error().text() + "; it was rendered again from its commit");
    unmended_.clear();
    co_return;
  }
  if (unmended_.empty()) {
    reporter_.report(Milestone::failed, spdlog::level::err, mended.error().text());
  }
  unmended_ = mended.error().text();
  mend_tries_.note_failure(what, SteadyClock::now(), random_jitter());
}

Task<std::vector<std::string>> Upkeep::keep_commits_anew(WorkspaceLock& workspace) {
  std::vector<std::string> lines;
  std::string repaired = workspace.git().take_repair_notice();
  if (repaired.empty()) co_return lines;
  lines.push_back(std::move(repaired));
  std::map<int, std::string> commits;
  for (const auto& [number, release] : deps_.store.releases()) commits[number] = release.commit;
  std::vector<std::string> lost;
  for (const auto& [number, commit] : commits) {
    const Result<void> kept = co_await workspace.git().keep(commit, number);
    if (!kept) lost.push_back(fmt::format("{} ({})", number, short_commit(commit)));
  }
  if (!lost.empty()) {
    lines.push_back(
        fmt::format("the commits of these releases are lost because {} no longer has them; they "
                    "cannot be rolled back to: {}",
                    deps_.settings.git.url, join(lost, ", ")));
  }
  for (const std::string& line : lines) {
    reporter_.report(Milestone::note, spdlog::level::warn, line);
  }
  co_return lines;
}

Task<void> Upkeep::prune_releases(WorkspaceLock& workspace, bool docker_answers) {
  const std::string& stack = deps_.settings.name;
  if (!images_tagged_) {
    // Releases are retired once their images have the tags by which those go, too.
    if (!docker_answers) co_return;
    const Result<void> tagged = co_await tag_images_of_releases(deps_.docker, deps_.store, stack);
    if (!tagged) spdlog::warn("{}: {}", stack, tagged.error().text());
    if (!tagged) co_return;
    images_tagged_ = true;
  }
  // What is gone is gone, also if not everything could be removed, as on a full disk.
  const Pruned retired = co_await deps_.store.prune(deps_.settings.keep);
  if (!retired.result) spdlog::warn("{}: {}", stack, retired.result.error().text());
  commits_pruned_ = commits_pruned_ && retired.gone.empty();
  if (!commits_pruned_) {
    std::set<int> releases;
    for (const auto& [number, release] : deps_.store.releases()) releases.insert(number);
    const Result<void> dropped = co_await workspace.git().keep_only(std::move(releases));
    if (!dropped) spdlog::warn("{}: {}", stack, dropped.error().text());
    commits_pruned_ = dropped.has_value();
  }
  images_pruned_ = images_pruned_ && retired.gone.empty();
  if (images_pruned_ || !docker_answers) co_return;
  const auto tidy = co_await remove_retired_images(deps_.docker, deps_.store, stack);
  if (!tidy) spdlog::warn("{}: {}", stack, tidy.error().text());
  // Images that are still in use are retried in a later round.
  images_pruned_ = tidy && *tidy;
}

}  // namespace trimtab
