// Renders a release again that another Compose rendered, or whose rendering is damaged.
#include <fmt/core.h>

#include "agent/compose/compose_yaml.hpp"
#include "agent/execute/known_values_of.hpp"
#include "agent/model/variable_contents.hpp"
#include "agent/reconcile/candidate.hpp"
#include "agent/reconcile/compose_inputs.hpp"
#include "agent/reconcile/inputs.hpp"
#include "agent/reconcile/staging.hpp"
#include "agent/record/rendering.hpp"
#include "agent/resolve/paths.hpp"
#include "common/files.hpp"

namespace trimtab {

namespace fs = std::filesystem;

namespace {

Variables env_file_at(const fs::path& checkout, const std::string& path) {
  const Result<std::string> text =
      path.empty() ? std::string() : read_file(input_path(checkout, path), max_input_size);
  return text ? with_env_file({}, *text) : Variables();
}

}  // namespace

Task<Result<void>> rerender_for_current_compose(CandidateDeps deps, WorkspaceLock& workspace,
                                                int number, bool any_version) {
  const ReleaseRecord* const found = deps.store.find(number);
  if (found == nullptr) {
    co_return Error{Errc::not_found, fmt::format("release {} is not there", number), {}};
  }
  Release release = *found;
  const Result<void> compose = co_await deps.compose.refresh();
  if (!compose) co_return compose;
  const ComposeTool& tool = deps.compose.tool();
  const Result<Rendering> kept_rendering = co_await mend_rendering(deps.store, number);
  const bool same_tool = release.compose == tool.display();
  const bool v1_rendering = release.compose.find(" 1.") != std::string::npos;
  const bool same_family = v1_rendering == (tool.family == ComposeFamily::v1);
  if (kept_rendering && (same_tool || (any_version && same_family))) co_return Result<void>();
  Result<void> emptied = co_await workspace.empty_staging();
  if (!emptied) co_return emptied;
  const fs::path checkout = workspace.checkout();
  const Result<void> staged = co_await workspace.git().stage(release.commit, checkout);
  if (!staged) co_return staged;
  // Untracked files as they were then, from the copies stored with the release.
  std::error_code ec;
  for (const auto& [path, hash] : release.inputs) {
    const fs::path kept = deps.store.input_file(number, path);
    if (!fs::exists(kept, ec)) continue;
    const auto text = read_file(kept, max_input_size);
    if (!text) co_return text.error();
    const auto put = put_file(workspace.staging(), input_path(checkout, path), *text);
    if (!put) co_return put;
  }
  RenderRequest request;
  request.directory = checkout;
  request.root = workspace.staging();
  request.files = deps.settings.compose;
  const std::string env_file = deps.settings.env_file.value_or(default_env_file);
  if (request.files.empty()) request.files = files_named_by(env_file_at(checkout, env_file));
  if (request.files.empty()) {
    request.files =
        default_files([&](const std::string& name) { return fs::exists(checkout / name, ec); });
  }
  for (const std::string& file : request.files) {
    const auto raw = read_file(checkout / file, max_input_size);
    const auto directories = raw ? parse_yaml(*raw) : Result<Json>(raw.error());
    if (!directories) co_return directories.error();
    const auto put =
        put_build_contexts(workspace, *directories, project_directory(request.files), {});
    if (!put) co_return put;
  }
  request.profiles = deps.settings.profiles;
  request.project = release.project;
  request.commit = release.commit;
  for (const std::string& path : possible_env_files(deps.settings.env_file, request.files)) {
    if (request.env_file.empty() && fs::exists(checkout / path, ec)) request.env_file = path;
  }
  Variables variables = env_file_at(checkout, request.env_file);
  variables.insert({{"COMPOSE_PROJECT_NAME", release.project}, {"TRIMTAB_COMMIT", release.commit}});
  Result<Rendered> rendered = co_await deps.compose.render(request);
  emptied = co_await workspace.empty_staging();
  if (!emptied) co_return emptied;
  if (!rendered) {
    Error error = rendered.error();
    error.message = known_values_of(deps.store, {number}).hide_in_error(error.message);
    co_return error.context(
        fmt::format("release {} was rendered with {} and cannot be rendered with {}", number,
                    release.compose, tool.display()));
  }
  take_root_off(rendered->model, workspace.staging().string());
  for (const VariableContent& content : variable_contents(rendered->model)) {
    const auto value = variables.find(content.variable);
    if (value != variables.end()) keep_value(rendered->model, content, value->second);
  }
  pin_images(rendered->model, release.images);
  const std::string key = content_key(rendered->model, release.mounted_files);
  if (!kept_rendering && same_tool && key != release.content_key) {
    co_return Error{Errc::failed,
                    fmt::format("release {} cannot be rendered again with the same result: {}",
                                number, kept_rendering.error().message),
                    {}};
  }
  std::string yaml = emit_yaml(rendered->model);
  const Result<void> saved = co_await deps.store.save_rendering(number, std::move(yaml));
  if (!saved) co_return saved;
  const std::string old_key = release.content_key;
  release.content_key = key;
  release.compose = tool.display();
  if (deps.store.rejected().contains(old_key)) {
    const Result<void> rejected = co_await deps.store.reject(release.content_key);
    if (!rejected) co_return rejected;
  }
  co_return co_await deps.store.save(release);
}

}  // namespace trimtab
