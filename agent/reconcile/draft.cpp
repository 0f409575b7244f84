#include "agent/reconcile/draft.hpp"

#include <algorithm>

#include "agent/compose/compose_messages.hpp"
#include "agent/compose/compose_yaml.hpp"
#include "agent/compose/env_file.hpp"
#include "agent/execute/known_values_of.hpp"
#include "agent/model/classify.hpp"
#include "agent/reconcile/compose_inputs.hpp"
#include "agent/reconcile/inputs.hpp"
#include "agent/reconcile/staging.hpp"
#include "agent/reconcile/state_directory.hpp"
#include "agent/record/rendering.hpp"
#include "agent/resolve/paths.hpp"
#include "common/disk_thread.hpp"
#include "common/files.hpp"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_further_files = 100;

PreflightFinding reject(std::string name, std::string message, std::string hint) {
  PreflightFinding finding;
  finding.name = std::move(name);
  finding.message = std::move(message);
  finding.hint = std::move(hint);
  return finding;
}

PreflightFinding link_finding(const std::string& path) {
  return reject("symlink", path + " is a symbolic link in Git",
                "commit the file itself: a link could name any file of this host");
}

const TreeEntry* find_entry(const std::vector<TreeEntry>& tree, const std::string& path) {
  const auto found = std::find_if(tree.begin(), tree.end(),
                                  [&](const TreeEntry& entry) { return entry.path == path; });
  return found == tree.end() ? nullptr : &*found;
}

// Folders of the live directory that docker-compose 1 asks for, and does not look into.
Result<void> put_build_contexts(const DraftParts& parts, const Json& raw, const std::string& base,
                                const Variables& variables) {
  const fs::path& live = parts.settings.directory;
  const fs::path checkout = staged_checkout(parts.store.staging(), live);
  std::error_code ec;
  for (const std::string& context : build_contexts_of(raw)) {
    const auto path = path_from(base, context, variables);
    if (!path || path->empty() || !fs::is_directory(input_path(live, *path), ec)) continue;
    const auto put = put_folder(parts.store.staging(), input_path(checkout, *path));
    if (!put) return put;
  }
  return {};
}

// Of a repository with many files, and of links to many of the live directory's.
Task<Result<void>> empty_staging(DraftParts parts) {
  const auto empty = [&parts] { return remove_tree(parts.store.staging()); };
  co_return co_await on_disk_thread(empty);
}

// One staged checkout on its way to a draft.
class Drafting {
 public:
  Drafting(DraftParts parts, RefTip tip, Facts* facts)
      : parts_(parts),
        tip_(std::move(tip)),
        facts_(facts),
        checkout_(staged_checkout(parts.store.staging(), parts.settings.directory)) {}

  Task<DraftResult> run();

 private:
  Task<bool> stage();
  bool find_compose_files();
  bool read_variables();
  bool read_raw_files();
  bool note_raw_file(const Json& raw, const std::string& file, const std::string& base,
                     const Variables& variables);
  bool note_further_file(const FurtherFile& further, Variables variables);
  bool refuse_remote_includes(const Json& raw, const std::string& file, const Variables& variables);
  bool choose_project(const Json& raw);
  bool note_inputs();
  Task<bool> look_at_env_file();
  Task<bool> look_at_what_runs();
  Task<bool> render();
  bool take_copies();
  Task<bool> link_live_files();
  [[nodiscard]] Error without_values(Error error) const;
  [[nodiscard]] PreflightFinding rejected_by_compose(const Error& error) const;
  void note_unset_variables(std::vector<std::string> names);
  Task<bool> pin();
  Task<bool> pin_one(ImageNeed need);
  Task<Result<std::string>> ask_digest(ImageNeed need);
  Task<std::optional<ImagePin>> pin_of_running(ImageNeed need);
  void note_evaluated();
  void finish();

  // Where an input is read, and where it lies in truth.
  fs::path staged(const std::string& path) const { return input_path(checkout_, path); }
  fs::path live(const std::string& path) const {
    return input_path(parts_.settings.directory, path);
  }
  bool provide(const std::string& path);
  bool copy_of_live(const std::string& path);
  Variables with_variables_of(Variables variables, const std::string& env_file) const;
  [[nodiscard]] Result<std::string> text_of(const std::string& path) const;

  bool refuse(PreflightFinding finding) {
    result_.rejected = std::move(finding);
    return false;
  }
  bool blame_world(Error error) {
    result_.world = std::move(error);
    return false;
  }
  // The env file and compose files come from outside: a link on the way to them could read any
  // file.
  bool is_link(const std::string& path) const {
    for (std::size_t end = path.find('/');; end = path.find('/', end + 1)) {
      const TreeEntry* const entry = find_entry(draft_.tree, path.substr(0, end));
      if (entry != nullptr && entry->mode == "120000") return true;
      if (end == std::string::npos) return false;
    }
  }

  DraftParts parts_;
  RefTip tip_;
  Facts* facts_;
  DraftResult result_;
  Draft draft_;
  fs::path checkout_;
  Variables variables_;  // that Compose fills in
  std::vector<std::string> files_;
  std::set<std::string> env_files_;
  std::set<std::string> further_;                 // compose files that others name
  std::map<std::string, std::string> env_texts_;  // of the env files that are there
  // What the live directory has of the files that Compose may read.
  std::map<std::string, Result<std::string>> live_files_;
  std::string compose_text_;  // of all compose files
  std::map<std::string, ImagePin> pins_;
};

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
  const Result<void> emptied = co_await empty_staging(parts_);
  if (!emptied) co_return blame_world(emptied.error());
  const Result<void> staged = co_await parts_.git.stage(tip_.commit, checkout_);
  if (!staged) co_return blame_world(staged.error());
  if (const Release* const current = parts_.store.current()) {
    const auto live_tree = co_await parts_.git.tree(current->commit);
    if (live_tree) {
      for (const TreeEntry& entry : *live_tree) draft_.tracked_live.insert(entry.path);
    }
  }
  co_return true;
}

// Values of people's stay nowhere longer than they must.
bool Drafting::take_copies() {
  for (const auto& [path, content] : live_files_) {
    const bool is_copied = content && !draft_.tracked_live.contains(path);
    const auto taken = is_copied ? take_file(parts_.store.staging(), staged(path)) : Result<void>();
    if (!taken) return blame_world(taken.error());
  }
  return true;
}

// Only now: whoever owns the live directory may have links there, which Compose would follow.
Task<bool> Drafting::link_live_files() {
  const auto link = [this] {
    return link_untracked(parts_.settings.directory, checkout_, draft_.tracked_live);
  };
  const Result<void> linked = co_await on_disk_thread(link);
  co_return linked ? true : blame_world(linked.error());
}

bool Drafting::find_compose_files() {
  files_ = parts_.settings.compose;
  std::error_code ec;
  if (files_.empty()) {
    for (const char* name : default_compose_files) {
      if (!provide(name)) return false;
      if (!fs::exists(checkout_ / name, ec)) continue;
      files_ = {name};
      break;
    }
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

bool Drafting::read_raw_files() {
  bool has_services = false;
  for (const std::string& file : files_) {
    const Result<std::string> text = read_file(checkout_ / file, max_input_size);
    if (!text) return blame_world(text.error());
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
    variables_["COMPOSE_PROJECT_NAME"] = project.empty() ? parts_.settings.name : project;
    if (!note_raw_file(*raw, file, project_folder(files_), variables_)) return false;
  }
  // Each Compose has other words for this, some of them far from what is wrong.
  if (!has_services) {
    return refuse(reject("no-service", join(files_, ", ") + " has no services",
                         "nothing is removed because of it: commit a compose file that has some"));
  }
  if (result_.release.project.empty()) result_.release.project = parts_.settings.name;
  const Release* const current = parts_.store.current();
  if (current != nullptr && current->project != result_.release.project) {
    return refuse(reject("project-changed",
                         "the project's name changes from " + current->project + " to " +
                             result_.release.project + ", and its volumes would not be found",
                         "write `project: " + current->project + "` into the stack's file"));
  }
  return true;
}

// What a compose file reads besides itself. `base`: the folder that its paths are relative to.
bool Drafting::note_raw_file(const Json& raw, const std::string& file, const std::string& base,
                             const Variables& variables) {
  if (!refuse_remote_includes(raw, file, variables)) return false;
  for (const std::string& path : env_files_of(raw)) {
    const auto known = path_from(base, path, variables);
    if (known && !known->empty()) env_files_.insert(*known);
  }
  const auto put = put_build_contexts(parts_, raw, base, variables);
  if (!put) return blame_world(put.error());
  for (const FurtherFile& further : further_files(raw, base, variables)) {
    if (!note_further_file(further, variables)) return false;
  }
  return true;
}

bool Drafting::note_further_file(const FurtherFile& further, Variables variables) {
  if (further_.size() >= most_further_files || !further_.insert(further.path).second) return true;
  if (!provide(further.path)) return false;
  for (const std::string& path : further.env_files) {
    env_files_.insert(path);
    if (!provide(path)) return false;
    variables = with_variables_of(std::move(variables), path);
  }
  // What is wrong with it is Compose's to say.
  const Result<std::string> text = text_of(further.path);
  if (!text) return true;
  compose_text_ += *text;
  const Result<Json> raw = parse_yaml(*text);
  return !raw || note_raw_file(*raw, further.path, further.base, variables);
}

// Compose would fetch these itself, with programs and from places outside our control.
bool Drafting::refuse_remote_includes(const Json& raw, const std::string& file,
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
    return refuse(reject("remote-include", file + " includes " + printable(text),
                         "include files of the repository only"));
  }
  return true;
}

// Makes sure that Compose finds the file where it looks for it, and that it is one to be read.
bool Drafting::provide(const std::string& path) {
  if (is_link(path)) return refuse(link_finding(path));
  std::error_code ec;
  const fs::path state = fs::weakly_canonical(parts_.store.directory().parent_path(), ec);
  const fs::path real = real_source(live(path), parts_.settings.directory, checkout_);
  if (shows_state(real, state)) {
    return refuse(reject("state-directory",
                         "a compose file reads " + live(path).string() +
                             ", which lies in trimtab's own state directory",
                         "name another file: the directory has the secrets of all stacks"));
  }
  return find_entry(draft_.tree, path) != nullptr || live_files_.contains(path) ||
         copy_of_live(path);
}

// A copy, made of what was looked at: between a look at a file and Compose's reading it, whoever
// owns the live directory could put a link in its place.
bool Drafting::copy_of_live(const std::string& path) {
  std::error_code ec;
  Result<void> put;
  const Result<std::string>& bytes = live_files_[path] =
      read_input(parts_.settings.directory, path);
  const bool goes = draft_.tracked_live.contains(path);
  if (bytes) {
    if (!goes) put = put_file(parts_.store.staging(), staged(path), *bytes);
  } else if (fs::is_directory(live(path), ec)) {
    if (!goes) put = put_folder(parts_.store.staging(), staged(path));
  } else if (bytes.error().code != Errc::not_found) {
    PreflightFinding finding = reject("input", bytes.error().message, bytes.error().hint);
    finding.cls = FailureClass::world;
    return refuse(std::move(finding));
  }
  return put ? true : blame_world(put.error());
}

// As Compose will find it.
Result<std::string> Drafting::text_of(const std::string& path) const {
  const auto live_file = live_files_.find(path);
  const bool is_copied = live_file != live_files_.end() && live_file->second;
  if (is_copied && !draft_.tracked_live.contains(path)) return *live_file->second;
  if (fs::path(path).is_absolute()) return Error{Errc::not_found, path + " is not there", {}};
  return read_file(staged(path), max_input_size);
}

// What is set already counts.
Variables Drafting::with_variables_of(Variables variables, const std::string& env_file) const {
  const Result<std::string> text = text_of(env_file);
  if (!text) return variables;
  Variables all = variables;
  for (const EnvEntry& entry : read_env_file(*text)) {
    const auto filled = entry.quote == '\'' ? entry.value : interpolate(entry.value, all);
    all[entry.name] = filled.value_or(entry.value);
  }
  variables.merge(all);
  return variables;
}

bool Drafting::read_variables() {
  variables_["TRIMTAB_COMMIT"] = tip_.commit;
  for (const std::string& path : possible_env_files(parts_.settings.env_file, files_)) {
    if (!provide(path)) return false;
    if (!text_of(path)) continue;
    variables_ = with_variables_of(std::move(variables_), path);
    break;
  }
  return true;
}

bool Drafting::choose_project(const Json& raw) {
  if (!parts_.settings.project.empty()) {
    result_.release.project = parts_.settings.project;
    return true;
  }
  const std::string name = json_string(raw, "name");
  if (name.find('$') != std::string::npos) {
    return refuse(reject("project-name", "`name:` of the compose file holds a variable",
                         "write `project:` into the stack's file"));
  }
  if (!name.empty()) result_.release.project = name;
  return true;
}

bool Drafting::note_inputs() {
  std::error_code ec;
  for (const std::string& path : possible_env_files(parts_.settings.env_file, files_)) {
    env_files_.insert(path);
    if (draft_.env_file.empty() && fs::exists(staged(path), ec)) draft_.env_file = path;
  }
  for (const std::string& path : env_files_) {
    if (!provide(path)) return false;
    const Result<std::string> text = text_of(path);
    if (text) env_texts_[path] = *text;
  }
  if (draft_.env_file.empty() && parts_.settings.env_file) {
    return refuse(
        reject("env-file-missing",
               "the env file " + live(*parts_.settings.env_file).string() + " does not exist",
               "create it, or take `env_file:` out of the stack's file"));
  }
  return true;
}

// One that is tracked would take the place of the values that the server has, which people write
// into it there.
Task<bool> Drafting::look_at_env_file() {
  const std::string& file = draft_.env_file;
  if (file.empty() || find_entry(draft_.tree, file) == nullptr) co_return true;
  const Release* const current = parts_.store.current();
  const std::string from = current == nullptr ? std::string() : current->commit;
  const auto edited = co_await parts_.git.edits(parts_.settings.directory, from, tip_.commit);
  if (!edited) co_return blame_world(edited.error());
  const auto untracked =
      co_await parts_.git.collisions(parts_.settings.directory, from, tip_.commit);
  if (!untracked) co_return blame_world(untracked.error());
  std::vector<std::string> replaced = *edited;
  replaced.insert(replaced.end(), untracked->begin(), untracked->end());
  if (std::find(replaced.begin(), replaced.end(), file) == replaced.end()) co_return true;
  PreflightFinding finding = reject(
      "env-file-tracked",
      "the commit has the file " + file + ", and would replace the values of the one in " +
          parts_.settings.directory.string() + ", which is another",
      "copy that to a file that Git does not track, and name it in `env_file:` of the stack's "
      "file");
  finding.cls = FailureClass::world;
  co_return refuse(std::move(finding));
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

Task<Result<std::string>> Drafting::ask_digest(ImageNeed need) {
  // Whoever pushes an image and then the commit means that image: an older answer does not count.
  std::optional<std::string> known;
  const auto found = facts_->digests.find(need.text);
  if (found != facts_->digests.end() && found->second.answered_at >= facts_->tip.changed_at) {
    known = found->second.value;
    if (known && !found->second.error) co_return *known;
  }
  Result<std::string> digest = co_await parts_.registry.digest_of(need.reference);
  if (digest && need.watched) facts_->digests[need.text].succeed(*digest);
  // A registry that is away holds nothing up of what others have.
  if (!digest && known && is_transient(digest.error().code)) co_return *known;
  co_return digest;
}

// Taking a stack over must not bring a new patch of postgres:16 along.
Task<std::optional<ImagePin>> Drafting::pin_of_running(ImageNeed need) {
  if (need.watched || parts_.store.current() != nullptr) co_return std::nullopt;
  for (const Container& container : draft_.running.own) {
    if (container.service != need.service || container.image != need.text) continue;
    const Result<Image> image = co_await parts_.docker.image(container.image_id);
    if (!image) continue;
    const std::string prefix = need.reference.familiar_name() + "@";
    for (const std::string& digest : image->repo_digests) {
      if (digest.rfind(prefix, 0) != 0) continue;
      ImagePin pin;
      pin.reference = need.text;
      pin.pinned = digest;
      co_return pin;
    }
  }
  co_return std::nullopt;
}

Task<bool> Drafting::pin_one(ImageNeed need) {
  ImagePin pin;
  pin.reference = need.text;
  if (need.how == ImageNeed::How::keep) {
    pins_[need.service] = *need.kept;
    co_return true;
  }
  if (need.how == ImageNeed::How::pinned) {
    pin.pinned = need.reference.pinned(need.reference.digest);
    pins_[need.service] = pin;
    co_return true;
  }
  // An image without a digest of any registry was built or loaded here.
  const Result<Image> here = co_await parts_.docker.image(need.text);
  if (!here && here.error().code != Errc::not_found) co_return blame_world(here.error());
  if (here && here->repo_digests.empty()) {
    pin.pinned = here->id;
    pin.local = true;
    pins_[need.service] = pin;
    co_return true;
  }
  if (need.how == ImageNeed::How::built) {
    if (here) {
      pin.pinned = here->id;
      pin.local = true;
      pins_[need.service] = pin;
    } else {
      draft_.built_images_missing.insert(need.service);
    }
    co_return true;
  }
  if (need.watched) draft_.watched[need.text] = need.reference;
  const std::optional<ImagePin> running = co_await pin_of_running(need);
  if (running) {
    pins_[need.service] = *running;
    co_return true;
  }
  const Result<std::string> digest = co_await ask_digest(need);
  if (!digest && digest.error().code == Errc::not_found) {
    draft_.missing_images.push_back(need.text);
    co_return true;
  }
  if (!digest) co_return blame_world(digest.error());
  pin.pinned = need.reference.pinned(*digest);
  pins_[need.service] = pin;
  co_return true;
}

Task<bool> Drafting::pin() {
  static const std::map<std::string, ImagePin> none;
  const Release* const current = parts_.store.current();
  const bool underscores = parts_.compose.tool().family == ComposeFamily::v1;
  const auto needs =
      image_needs(draft_.rendering.model, result_.release.project, underscores,
                  parts_.settings.images.watch, current == nullptr ? none : current->images);
  if (!needs) {
    co_return refuse(reject("image", needs.error().message, "correct `image:` of the service"));
  }
  for (const ImageNeed& need : *needs) {
    if (need.watched) result_.release.watched.insert(need.service);
    const bool pinned = co_await pin_one(need);
    if (!pinned) co_return false;
  }
  co_return true;
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

}  // namespace

Task<DraftResult> make_draft(DraftParts parts, RefTip tip, Facts* facts) {
  Drafting drafting(parts, std::move(tip), facts);
  DraftResult result = co_await drafting.run();
  co_return result;
}

Task<Result<void>> make_readable(DraftParts parts, int number, bool any_version) {
  const Release* const found = parts.store.find(number);
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
  Result<void> emptied = co_await empty_staging(parts);
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
    const auto put = put_build_contexts(parts, *folders, project_folder(request.files), {});
    if (!put) co_return put;
  }
  request.profiles = parts.settings.profiles;
  request.project = release.project;
  request.commit = release.commit;
  for (const std::string& path : possible_env_files(parts.settings.env_file, request.files)) {
    if (request.env_file.empty() && fs::exists(staging / path, ec)) request.env_file = path;
  }
  Result<Rendered> rendered = co_await parts.compose.render(request);
  emptied = co_await empty_staging(parts);
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
