#include "agent/reconcile/draft.hpp"

#include "agent/compose/compose_messages.hpp"
#include "agent/execute/known_values_of.hpp"
#include "agent/model/classify.hpp"
#include "agent/reconcile/drafting.hpp"
#include "agent/resolve/paths.hpp"
#include "common/disk_thread.hpp"

namespace trimtab {

Task<DraftResult> Drafting::run() {
  Release& release = result_.release;
  release.commit = tip_.commit;
  release.ref = tip_.name;
  release.created_at = wall_now();
  const Result<void> compose = co_await parts_.compose.look();
  if (!compose) blame_world(compose.error());
  release.compose = parts_.compose.tool().display();
  bool going = compose.has_value();
  if (going) going = co_await stage();
  going = going && find_compose_files() && read_variables() && read_raw_files() && note_inputs();
  if (going) going = co_await look_at_env_file();
  if (going) going = co_await look_at_what_runs();
  if (going) going = co_await render();
  going = take_copies() && going;
  if (going) going = co_await link_live_files();
  if (going) going = co_await pin();
  note_evaluated();
  if (going) finish();
  co_return std::move(result_);
}

Task<bool> Drafting::stage() {
  Result<CommitInfo> info = co_await parts_.git.describe(tip_.commit);
  if (!info) co_return blame_world(info.error());
  result_.release.subject = printable(info->subject);
  result_.release.author = printable(info->author);
  Result<std::vector<TreeEntry>> tree = co_await parts_.git.tree(tip_.commit);
  if (!tree) co_return blame_world(tree.error());
  draft_.tree = std::move(*tree);
  const Result<void> emptied = co_await empty_staging(parts_.store.staging());
  if (!emptied) co_return blame_world(emptied.error());
  const Result<void> staged = co_await parts_.git.stage(tip_.commit, checkout_);
  if (!staged) co_return blame_world(staged.error());
  if (const ReleaseRecord* const current = parts_.store.current()) {
    const auto live_tree = co_await parts_.git.tree(current->commit);
    if (live_tree) {
      for (const TreeEntry& entry : *live_tree) draft_.tracked_live.insert(entry.path);
    }
  }
  co_return true;
}

// What was run by hand is taken over. Its project's name may come from the compose file.
Task<bool> Drafting::look_at_what_runs() {
  if (parts_.store.current() != nullptr) co_return true;
  auto found = co_await project_containers(parts_.docker, parts_.settings, parts_.store,
                                           result_.release.project);
  if (!found) co_return blame_world(found.error());
  draft_.running = std::move(*found);
  co_return true;
}

Task<bool> Drafting::render() {
  RenderRequest request;
  request.directory = checkout_;
  request.root = parts_.store.staging();
  request.files = files_;
  request.profiles = parts_.settings.profiles;
  request.env_file = draft_.env_file;
  request.project = result_.release.project;
  request.commit = tip_.commit;
  Result<Rendered> rendered = co_await parts_.compose.render(request);
  if (!rendered) {
    const Error error = without_values(rendered.error());
    if (classify_rendering(error) == FailureClass::world) co_return blame_world(error);
    co_return refuse(rejected_by_compose(error));
  }
  draft_.rendering.model = std::move(rendered->model);
  note_unset_variables(std::move(rendered->unset_variables));
  take_root_off(draft_.rendering.model, parts_.store.staging().string());
  co_return true;
}

// Compose's words may have values in them.
Error Drafting::without_values(Error error) const {
  KnownValues values;
  values.add_public(compose_text_);
  values.add_public(parts_.settings.name);
  for (const auto& [path, text] : env_texts_) {
    values.add_public(path);
    add_env_file(values, text);
  }
  error.message = values.hide_in_error(error.message);
  error.hint = values.hide_in_error(error.hint);
  return error;
}

PreflightFinding Drafting::rejected_by_compose(const Error& error) const {
  if (error.message.find(unreadable_env_file) != std::string::npos) {
    for (const auto& [path, text] : env_texts_) {
      const auto problem = problem_in_env_file(text);
      if (problem) return reject("env-file", path + ", " + problem->what, problem->hint);
    }
  }
  return reject("compose-file", error.message, error.hint);
}

// A $ in a value of an env file begins a variable for Compose 2, which is not what was meant.
void Drafting::note_unset_variables(std::vector<std::string> names) {
  for (std::string& name : names) {
    bool is_in_value = false;
    for (const auto& [path, text] : env_texts_) {
      const auto entry = entry_that_uses(text, name);
      if (!entry) continue;
      is_in_value = true;
      draft_.dollar_values.insert({path, entry->line, entry->name});
    }
    if (!is_in_value || uses_variable(compose_text_, name)) {
      draft_.unset_variables.push_back(std::move(name));
    }
  }
}

// All that this look has read, whatever came of it: a later one is due when something of it
// changes.
void Drafting::note_evaluated() {
  Release& release = result_.release;
  for (auto& [path, content] : live_files_) {
    release.inputs[path] = input_hash(content);
    if (content) draft_.input_bytes[path] = std::move(*content);
  }
  release.images = pins_;
  result_.inputs = inputs_of(parts_.settings, release);
  for (const std::string& image : draft_.missing_images) {
    result_.inputs.digests[image] = missing_image;
  }
  release.inputs_key = inputs_key(result_.inputs);
}

void Drafting::finish() {
  Release& release = result_.release;
  pin_images(draft_.rendering.model, pins_);
  const auto mounted = mounted_paths(draft_.rendering.model, parts_.settings.directory.string());
  release.mounted_files = mounted_files(mounted, draft_.tree);
  release.content_key = content_key(draft_.rendering.model, release.mounted_files);
  draft_.release = release;
  draft_.files = files_;
  result_.draft = std::move(draft_);
}

Task<DraftResult> make_draft(DraftParts parts, RefTip tip, Facts* facts) {
  Drafting drafting(parts, std::move(tip), facts);
  DraftResult result = co_await drafting.run();
  co_return result;
}

}  // namespace trimtab
