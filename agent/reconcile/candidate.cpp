#include "agent/reconcile/candidate.hpp"

#include <fmt/core.h>

#include "agent/compose/compose_messages.hpp"
#include "agent/execute/known_values_of.hpp"
#include "agent/model/classify.hpp"
#include "agent/model/variable_contents.hpp"
#include "agent/reconcile/candidate_builder.hpp"
#include "agent/resolve/paths.hpp"
#include "common/disk_thread.hpp"

namespace trimtab {

Task<CandidateResult> CandidateBuilder::run() {
  Release& release = result_.release;
  release.commit = tip_.commit;
  release.ref = tip_.name;
  release.created_at = wall_now();
  const Result<void> compose = co_await deps_.compose.refresh();
  if (!compose) blame_host(compose.error());
  release.compose = deps_.compose.tool().display();
  bool going = compose.has_value();
  if (going) going = co_await stage();
  going = going && find_compose_files() && read_variables() && read_raw_files() && note_inputs();
  if (going) going = co_await check_env_file();
  if (going) going = co_await check_running_services();
  if (going) going = co_await render();
  going = take_copies() && going;
  if (going) going = co_await link_live_files();
  if (going) going = co_await pin();
  note_evaluated();
  if (going) finish();
  co_return std::move(result_);
}

Task<bool> CandidateBuilder::stage() {
  Result<CommitInfo> info = co_await workspace_.git().describe(tip_.commit);
  if (!info) co_return blame_host(info.error());
  result_.release.subject = printable(info->subject);
  result_.release.author = printable(info->author);
  Result<std::vector<TreeEntry>> tree = co_await workspace_.git().tree(tip_.commit);
  if (!tree) co_return blame_host(tree.error());
  candidate_.tree = std::move(*tree);
  const Result<void> emptied = co_await workspace_.empty_staging();
  if (!emptied) co_return blame_host(emptied.error());
  const Result<void> staged = co_await workspace_.git().stage(tip_.commit, checkout_);
  if (!staged) co_return blame_host(staged.error());
  if (const ReleaseRecord* const current = deps_.store.current()) {
    const auto live_tree = co_await workspace_.git().tree(current->commit);
    if (live_tree) {
      for (const TreeEntry& entry : *live_tree) candidate_.tracked_live.insert(entry.path);
    }
  }
  co_return true;
}

// Finds manually started containers, which are taken over. The project's name may come from the
// Compose file.
Task<bool> CandidateBuilder::check_running_services() {
  if (deps_.store.current() != nullptr) co_return true;
  auto found = co_await project_containers(deps_.docker, deps_.settings, deps_.store,
                                           result_.release.project);
  if (!found) co_return blame_host(found.error());
  candidate_.running = std::move(*found);
  co_return true;
}

Task<bool> CandidateBuilder::render() {
  RenderRequest request;
  request.directory = checkout_;
  request.root = workspace_.staging();
  request.files = files_;
  request.profiles = deps_.settings.profiles;
  request.env_file = candidate_.env_file;
  request.project = result_.release.project;
  request.commit = tip_.commit;
  Result<Rendered> rendered = co_await deps_.compose.render(request);
  if (!rendered) {
    const Error error = without_values(rendered.error());
    if (classify_rendering(error) == FailureCause::host) co_return blame_host(error);
    co_return refuse(rejected_by_compose(error));
  }
  candidate_.rendering.model = std::move(rendered->model);
  note_unset_variables(std::move(rendered->unset_variables));
  for (std::string& warning : rendered->warnings) {
    candidate_.compose_warnings.push_back(
        without_values(Error{Errc::invalid, std::move(warning), {}}).message);
  }
  take_root_off(candidate_.rendering.model, workspace_.staging().string());
  co_return keep_values_of_contents();
}

bool CandidateBuilder::keep_values_of_contents() {
  for (const VariableContent& content : variable_contents(candidate_.rendering.model)) {
    if (is_read_by_programs(content.variable)) {
      return refuse(
          reject("variable-content",
                 fmt::format("{} in `{}:` has the content of the variable {}, which programs read "
                             "that trimtab runs",
                             content.name, content.section, content.variable),
                 "use a variable of another name"));
    }
    const auto value = variables_.find(content.variable);
    if (value == variables_.end()) {
      candidate_.unset_variables.push_back(content.variable);
    } else {
      keep_value(candidate_.rendering.model, content, value->second);
    }
  }
  return true;
}

// Compose's messages may contain values.
Error CandidateBuilder::without_values(Error error) const {
  KnownValues values;
  values.add_public(compose_text_);
  values.add_public(deps_.settings.name);
  for (const auto& [path, text] : env_texts_) {
    values.add_public(path);
    add_env_file(values, text);
  }
  error.message = values.hide_in_error(error.message);
  error.hint = values.hide_in_error(error.hint);
  return error;
}

PreflightFinding CandidateBuilder::rejected_by_compose(const Error& error) const {
  if (error.message.find(unreadable_env_file) != std::string::npos) {
    for (const auto& [path, text] : env_texts_) {
      const auto problem = problem_in_env_file(text);
      if (problem) return reject("env-file", path + ", " + problem->what, problem->hint);
    }
  }
  return reject("compose-file", error.message, error.hint);
}

// In a value of an env file, Compose 2 treats a $ as the beginning of a variable, which is rarely
// intended.
void CandidateBuilder::note_unset_variables(std::vector<std::string> names) {
  for (std::string& name : names) {
    bool is_in_value = false;
    for (const auto& [path, text] : env_texts_) {
      const auto entry = entry_that_uses(text, name);
      if (!entry) continue;
      is_in_value = true;
      candidate_.dollar_values.insert({path, entry->line, entry->name});
    }
    if (!is_in_value || uses_variable(compose_text_, name)) {
      candidate_.unset_variables.push_back(std::move(name));
    }
  }
}

// Records everything that this evaluation has read, whatever its result: the next one is due when
// something of it changes.
void CandidateBuilder::note_evaluated() {
  Release& release = result_.release;
  for (auto& [path, content] : live_files_) {
    release.inputs[path] = input_hash(content);
    if (content) candidate_.input_bytes[path] = std::move(*content);
  }
  release.images = pins_;
  result_.inputs = inputs_of(deps_.settings, release);
  for (const std::string& image : candidate_.missing_images) {
    result_.inputs.digests[image] = missing_image;
  }
  release.inputs_key = inputs_key(result_.inputs);
}

void CandidateBuilder::finish() {
  Release& release = result_.release;
  pin_images(candidate_.rendering.model, pins_);
  const auto mounted = mounted_paths(candidate_.rendering.model, deps_.settings.directory.string());
  release.mounted_files = mounted_files(mounted, candidate_.tree);
  release.content_key = content_key(candidate_.rendering.model, release.mounted_files);
  candidate_.release = release;
  candidate_.files = files_;
  result_.candidate = std::move(candidate_);
}

Task<CandidateResult> build_candidate(CandidateDeps deps, WorkspaceLock& workspace, RefTip tip,
                                      Facts* facts) {
  CandidateBuilder drafting(deps, workspace, std::move(tip), facts);
  CandidateResult result = co_await drafting.run();
  co_return result;
}

}  // namespace trimtab
