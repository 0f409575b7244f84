// A release that another Compose made, or of which the rendering is damaged, rendered again.
#include "agent/compose/compose_yaml.hpp"
#include "agent/execute/known_values_of.hpp"
#include "agent/reconcile/draft.hpp"
#include "agent/reconcile/inputs.hpp"
#include "agent/reconcile/staging.hpp"
#include "agent/record/rendering.hpp"
#include "agent/resolve/paths.hpp"
#include "common/files.hpp"

namespace trimtab {

namespace fs = std::filesystem;

Task<Result<void>> make_readable(DraftParts parts, int number, bool any_version) {
  const ReleaseRecord* const found = parts.store.find(number);
  if (found == nullptr) {
    co_return Error{Errc::not_found, "release " + std::to_string(number) + " is not there", {}};
  }
  Release release = *found;
  const Result<void> compose = co_await parts.compose.look();
  if (!compose) co_return compose;
  const ComposeTool& tool = parts.compose.tool();
  const Result<Rendering> kept_rendering = mend_rendering(parts.store, number);
  const bool same_tool = release.compose == tool.display();
  const bool v1_rendering = release.compose.find(" 1.") != std::string::npos;
  const bool same_family = v1_rendering == (tool.family == ComposeFamily::v1);
  if (kept_rendering && (same_tool || (any_version && same_family))) co_return Result<void>();
  Result<void> emptied = co_await empty_staging(parts.store.staging());
  if (!emptied) co_return emptied;
  const fs::path staging = staged_checkout(parts.store.staging(), parts.settings.directory);
  const Result<void> staged = co_await parts.git.stage(release.commit, staging);
  if (!staged) co_return staged;
  // The untracked files as they were then; they lie beside the release.
  std::error_code ec;
  for (const auto& [path, hash] : release.inputs) {
    const fs::path kept = parts.store.input_file(number, path);
    if (!fs::exists(kept, ec)) continue;
    const auto text = read_file(kept, max_input_size);
    if (!text) co_return text.error();
    const auto put = put_file(parts.store.staging(), input_path(staging, path), *text);
    if (!put) co_return put;
  }
  RenderRequest request;
  request.directory = staging;
  request.root = parts.store.staging();
  request.files = parts.settings.compose;
  for (const char* name : default_compose_files) {
    if (request.files.empty() && fs::exists(staging / name, ec)) request.files = {name};
  }
  for (const std::string& file : request.files) {
    const auto raw = read_file(staging / file, max_input_size);
    const auto folders = raw ? parse_yaml(*raw) : Result<Json>(raw.error());
    if (!folders) co_return folders.error();
    const auto put = put_build_contexts(parts.store.staging(), parts.settings.directory, *folders,
                                        project_folder(request.files), {});
    if (!put) co_return put;
  }
  request.profiles = parts.settings.profiles;
  request.project = release.project;
  request.commit = release.commit;
  for (const std::string& path : possible_env_files(parts.settings.env_file, request.files)) {
    if (request.env_file.empty() && fs::exists(staging / path, ec)) request.env_file = path;
  }
  Result<Rendered> rendered = co_await parts.compose.render(request);
  emptied = co_await empty_staging(parts.store.staging());
  if (!emptied) co_return emptied;
  if (!rendered) {
    Error error = rendered.error();
    error.message = known_values_of(parts.store, {number}).hide_in_error(error.message);
    co_return error.context("release " + std::to_string(number) + " was made with " +
                            release.compose + " and cannot be rendered with " + tool.display());
  }
  take_root_off(rendered->model, parts.store.staging().string());
  pin_images(rendered->model, release.images);
  const std::string key = content_key(rendered->model, release.mounted_files);
  if (!kept_rendering && same_tool && key != release.content_key) {
    co_return Error{Errc::failed,
                    "release " + std::to_string(number) +
                        " cannot be rendered again as it was: " + kept_rendering.error().message,
                    {}};
  }
  const std::string yaml = emit_yaml(rendered->model);
  if (auto saved = parts.store.save_rendering(number, yaml); !saved) co_return saved;
  const std::string old_key = release.content_key;
  release.content_key = key;
  release.compose = tool.display();
  if (parts.store.rejected().contains(old_key)) {
    if (auto kept_out = parts.store.reject(release.content_key); !kept_out) co_return kept_out;
  }
  co_return parts.store.save(release);
}

}  // namespace trimtab
