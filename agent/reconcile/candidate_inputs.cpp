// Reads a commit's Compose files and the files that they refer to.
#include <fmt/core.h>

#include "agent/compose/compose_yaml.hpp"
#include "agent/config/complaints.hpp"
#include "agent/plan/preflight/preflight.hpp"
#include "agent/reconcile/candidate_builder.hpp"
#include "agent/reconcile/state_directory.hpp"
#include "common/disk_thread.hpp"
#include "common/files.hpp"

namespace trimtab {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t max_further_files = 100;

PreflightFinding link_finding(const std::string& path) {
  return reject("symlink", path + " is a symbolic link in Git",
                "commit the file itself: a link could point to any file on this host");
}

}  // namespace

PreflightFinding reject(std::string name, std::string message, std::string hint) {
  PreflightFinding finding;
  finding.name = std::move(name);
  finding.message = std::move(message);
  finding.hint = std::move(hint);
  return finding;
}

const TreeEntry* find_entry(const std::vector<TreeEntry>& tree, const std::string& path) {
  const auto found = std::find_if(tree.begin(), tree.end(),
                                  [&](const TreeEntry& entry) { return entry.path == path; });
  return found == tree.end() ? nullptr : &*found;
}

bool CandidateBuilder::find_compose_files() {
  files_ = deps_.settings.compose;
  std::error_code ec;
  if (files_.empty() && !take_files_of_env_file()) return false;
  if (files_.empty()) {
    files_ = default_files([this, &ec](const std::string& name) {
      return provide(name) && fs::exists(checkout_ / name, ec);
    });
    if (result_.rejected || result_.world) return false;
  }
  if (files_.empty()) {
    return refuse(reject("no-compose-file", "the commit has no compose file (compose.yaml, …)",
                         "name it with `compose:` in the stack's file"));
  }
  for (const std::string& file : files_) {
    if (!provide(file)) return false;
    if (!fs::exists(checkout_ / file, ec)) {
      return refuse(reject("no-compose-file", "the commit has no file " + file,
                           "correct `compose:` in the stack's file, or commit it"));
    }
  }
  return true;
}

// Compose reads the names of its files from the env file, too.
bool CandidateBuilder::take_files_of_env_file() {
  const std::string env_file = deps_.settings.env_file.value_or(default_env_file);
  if (!provide(env_file)) return false;
  for (std::string file : files_named_by(with_variables_of({}, env_file))) {
    if (file.starts_with(deps_.settings.directory.string() + "/")) {
      file.erase(0, deps_.settings.directory.string().size() + 1);
    }
    const std::string complaint =
        file.empty() ? "it has an empty name" : relative_file_complaint(file);
    if (!complaint.empty()) {
      return refuse(
          reject("compose-file",
                 fmt::format("COMPOSE_FILE in {} has {}: {}", env_file, in_quotes(file), complaint),
                 "correct it, or name the files with `compose:` in the stack's file"));
    }
    files_.push_back(std::move(file));
  }
  return true;
}

bool CandidateBuilder::read_raw_files() {
  bool has_services = false;
  for (const std::string& file : files_) {
    const Result<std::string> text = read_file(checkout_ / file, max_input_size);
    if (!text) return blame_host(text.error());
    if (!check_stored_form(file, *text)) return false;
    compose_text_ += *text;
    const Result<Json> raw = parse_yaml(*text);
    if (!raw) {
      return refuse(reject("compose-file", file + ": " + raw.error().message,
                           "`docker compose config` in a checkout shows the same"));
    }
    has_services =
        has_services || !json_object(*raw, "services").empty() || raw->contains("include");
    if (!choose_project(*raw)) return false;
    const std::string& project = result_.release.project;
    variables_["COMPOSE_PROJECT_NAME"] = project.empty() ? deps_.settings.name : project;
    if (!note_raw_file(*raw, file, project_directory(files_), variables_)) return false;
  }
  // Checked here, because each Compose has a different message for this, some of them misleading.
  if (!has_services) {
    return refuse(reject("no-service", join(files_, ", ") + " has no services",
                         "nothing was removed: commit a compose file that has some"));
  }
  if (result_.release.project.empty()) result_.release.project = deps_.settings.name;
  const ReleaseRecord* const current = deps_.store.current();
  if (current != nullptr && current->project != result_.release.project) {
    return refuse(reject(
        "project-changed",
        fmt::format("the project's name changes from {} to {}, and its volumes would not be found",
                    current->project, result_.release.project),
        fmt::format("write `project: {}` into the stack's file", current->project)));
  }
  return true;
}

// Collects the files that a Compose file refers to. `base`: the directory that its paths are
// relative to.
bool CandidateBuilder::note_raw_file(const Json& raw, const std::string& file,
                                     const std::string& base, const Variables& variables) {
  if (!refuse_remote_includes(raw, file, variables)) return false;
  for (const std::string& path : env_files_of(raw)) {
    const auto known = path_from(base, path, variables);
    if (known && !known->empty()) env_files_.insert(in_checkout(*known));
  }
  const auto put = put_build_contexts(workspace_, raw, base, variables);
  if (!put) return blame_host(put.error());
  for (FurtherFile& further : further_files(raw, base, variables)) {
    further.path = in_checkout(further.path);
    further.base = in_checkout(further.base);
    for (std::string& env_file : further.env_files) env_file = in_checkout(env_file);
    if (!note_further_file(further, variables)) return false;
  }
  return true;
}

bool CandidateBuilder::note_further_file(const FurtherFile& further, Variables variables) {
  if (further_.size() >= max_further_files || !further_.insert(further.path).second) return true;
  if (!provide(further.path)) return false;
  for (const std::string& path : further.env_files) {
    env_files_.insert(path);
    if (!provide(path)) return false;
    variables = with_variables_of(std::move(variables), path);
  }
  // Compose reports what is wrong with it.
  const Result<std::string> text = text_of(further.path);
  if (!text) return true;
  if (!check_stored_form(further.path, *text)) return false;
  compose_text_ += *text;
  const Result<Json> raw = parse_yaml(*text);
  return !raw || note_raw_file(*raw, further.path, further.base, variables);
}

// Refused because Compose would fetch these itself, with programs and from places that trimtab does
// not control.
bool CandidateBuilder::refuse_remote_includes(const Json& raw, const std::string& file,
                                              const Variables& variables) {
  std::vector<std::string> named;
  const auto add = [&](const Json& path) {
    if (path.is_string()) named.push_back(path.get<std::string>());
  };
  for (const Json& entry : json_array(raw, "include")) {
    const Json paths = entry.is_object() && entry.contains("path") ? entry["path"] : entry;
    add(paths);
    for (const Json& path : paths.is_array() ? paths : Json::array()) add(path);
  }
  for (const auto& item : json_object(raw, "services").items()) {
    add(json_string(json_object(item.value(), "extends"), "file"));
  }
  for (const std::string& text : named) {
    if (!is_remote(text) && !is_remote(interpolate(text, variables).value_or(text))) continue;
    return refuse(reject("remote-include", fmt::format("{} includes {}", file, printable(text)),
                         "only include files of the repository"));
  }
  return true;
}

// Makes sure that Compose finds the file where it expects it, and that the file may be read.
bool CandidateBuilder::provide(const std::string& path) {
  if (is_link(path)) return refuse(link_finding(path));
  std::error_code ec;
  const fs::path state = fs::weakly_canonical(deps_.store.directory().parent_path(), ec);
  const fs::path real = real_source(live(path), deps_.settings.directory, checkout_);
  if (shows_state(real, state)) {
    return refuse(
        reject("state-directory",
               fmt::format("a compose file reads {}, which is in trimtab's own state directory",
                           live(path).string()),
               "use another file: that directory contains the secrets of all stacks"));
  }
  return find_entry(candidate_.tree, path) != nullptr || live_files_.contains(path) ||
         copy_of_live(path);
}

// Copies the content that was checked: between the check and Compose's reading, the owner of the
// live directory could replace the file by a link.
bool CandidateBuilder::copy_of_live(const std::string& path) {
  std::error_code ec;
  Result<void> put;
  const Result<std::string>& bytes = live_files_[path] = read_input(deps_.settings.directory, path);
  const bool goes = candidate_.tracked_live.contains(path);
  if (bytes) {
    if (!goes) put = put_file(workspace_.staging(), staged(path), *bytes);
  } else if (fs::is_directory(live(path), ec)) {
    if (!goes) put = put_directory(workspace_.staging(), staged(path));
  } else if (bytes.error().code != Errc::not_found) {
    PreflightFinding finding = reject("input", bytes.error().message, bytes.error().hint);
    finding.cause = FailureCause::host;
    return refuse(std::move(finding));
  }
  return put ? true : blame_host(put.error());
}

// Returns the file's content as Compose will find it.
Result<std::string> CandidateBuilder::text_of(const std::string& path) const {
  const auto live_file = live_files_.find(path);
  const bool is_copied = live_file != live_files_.end() && live_file->second;
  if (is_copied && !candidate_.tracked_live.contains(path)) return *live_file->second;
  if (fs::path(path).is_absolute()) return Error{Errc::not_found, path + " does not exist", {}};
  return read_file(staged(path), max_input_size);
}

// Variables that are already set take precedence.
Variables CandidateBuilder::with_variables_of(Variables variables,
                                              const std::string& env_file) const {
  const Result<std::string> text = text_of(env_file);
  if (!text) return variables;
  return with_env_file(std::move(variables), *text);
}

bool CandidateBuilder::read_variables() {
  variables_["TRIMTAB_COMMIT"] = tip_.commit;
  variables_["PWD"] = (checkout_ / project_directory(files_)).lexically_normal().string();
  for (const std::string& path : possible_env_files(deps_.settings.env_file, files_)) {
    if (!provide(path)) return false;
    if (!text_of(path)) continue;
    variables_ = with_variables_of(std::move(variables_), path);
    break;
  }
  const auto project = variables_.find("COMPOSE_PROJECT_NAME");
  if (!deps_.settings.project.empty() || project == variables_.end()) return true;
  const std::string complaint = project_complaint(project->second);
  if (!complaint.empty()) {
    return refuse(reject("project-name", "COMPOSE_PROJECT_NAME in the env file: " + complaint,
                         "correct it, or write `project:` into the stack's file"));
  }
  named_project_ = project->second;
  return true;
}

bool CandidateBuilder::choose_project(const Json& raw) {
  if (!deps_.settings.project.empty()) {
    result_.release.project = deps_.settings.project;
    return true;
  }
  if (!named_project_.empty()) {
    result_.release.project = named_project_;
    return true;
  }
  const std::string name = json_string(raw, "name");
  if (name.find('$') != std::string::npos) {
    return refuse(reject("project-name", "`name:` in the compose file contains a variable",
                         "write `project:` into the stack's file"));
  }
  if (!name.empty()) result_.release.project = name;
  return true;
}

bool CandidateBuilder::note_inputs() {
  std::error_code ec;
  for (const std::string& path : possible_env_files(deps_.settings.env_file, files_)) {
    env_files_.insert(path);
    if (candidate_.env_file.empty() && fs::exists(staged(path), ec)) candidate_.env_file = path;
  }
  for (const std::string& path : env_files_) {
    if (!provide(path)) return false;
    const Result<std::string> text = text_of(path);
    if (!text) continue;
    if (!check_stored_form(path, *text)) return false;
    env_texts_[path] = *text;
  }
  if (candidate_.env_file.empty() && deps_.settings.env_file) {
    return refuse(reject(
        "env-file-missing",
        fmt::format("the env file {} does not exist", live(*deps_.settings.env_file).string()),
        "create it, or remove `env_file:` from the stack's file"));
  }
  return true;
}

// Compose would complain of the bytes that it finds, or take them for values.
bool CandidateBuilder::check_stored_form(const std::string& path, std::string_view text) {
  const StoredForm form = stored_form(text.substr(0, stored_form_size));
  if (form == StoredForm::as_it_is) return true;
  PreflightFinding finding = preflight::not_as_it_is(path, form);
  if (find_entry(candidate_.tree, path) == nullptr) finding.cause = FailureCause::host;
  return refuse(std::move(finding));
}

// A tracked env file would replace the one on the server, into which people write that server's
// values.
Task<bool> CandidateBuilder::check_env_file() {
  const std::string& file = candidate_.env_file;
  if (file.empty() || find_entry(candidate_.tree, file) == nullptr) co_return true;
  const ReleaseRecord* const current = deps_.store.current();
  const std::string from = current == nullptr ? std::string() : current->commit;
  const auto edited = co_await workspace_.git().edits(workspace_.live(), from, tip_.commit);
  if (!edited) co_return blame_host(edited.error());
  const auto untracked = co_await workspace_.git().collisions(workspace_.live(), from, tip_.commit);
  if (!untracked) co_return blame_host(untracked.error());
  std::vector<std::string> replaced = *edited;
  replaced.insert(replaced.end(), untracked->begin(), untracked->end());
  if (std::find(replaced.begin(), replaced.end(), file) == replaced.end()) co_return true;
  PreflightFinding finding = reject(
      "env-file-tracked",
      fmt::format("the commit has the file {}, and would replace the values of the one in {}, "
                  "which is different",
                  file, deps_.settings.directory.string()),
      "copy that to a file that Git does not track, and name it in `env_file:` of the stack's "
      "file");
  finding.cause = FailureCause::host;
  co_return refuse(std::move(finding));
}

// Removes copies of users' values as soon as possible.
bool CandidateBuilder::take_copies() {
  for (const auto& [path, content] : live_files_) {
    const bool is_copied = content && !candidate_.tracked_live.contains(path);
    const auto taken = is_copied ? take_file(workspace_.staging(), staged(path)) : Result<void>();
    if (!taken) return blame_host(taken.error());
  }
  return true;
}

// Only now, because the live directory may contain links of its owner, which Compose would follow.
Task<bool> CandidateBuilder::link_live_files() {
  const auto link = [this] {
    return link_untracked(deps_.settings.directory, checkout_, candidate_.tracked_live);
  };
  const Result<void> linked = co_await on_disk_thread(link);
  co_return linked ? true : blame_host(linked.error());
}

}  // namespace trimtab
