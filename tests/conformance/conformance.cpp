#include "common/files.hpp"
#include "tests/conformance/parts.hpp"

namespace trimtab::conformance {

namespace fs = std::filesystem;

namespace {

std::string project_of_test() {
  std::string name = testing::UnitTest::GetInstance()->current_test_info()->name();
  std::transform(name.begin(), name.end(), name.begin(), [](char c) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    return is_plain ? c : c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : '-';
  });
  return name;
}

Task<void> watch(Docker* docker, std::vector<EngineEvent>* seen, bool* connected) {
  std::function<void()> on_connected = [connected] { *connected = true; };
  std::function<void(const EngineEvent&)> on_event = [seen](const EngineEvent& event) {
    seen->push_back(event);
  };
  const auto ended = co_await docker->events(0, std::move(on_connected), std::move(on_event));
  static_cast<void>(ended);
}

}  // namespace

Conformance::Conformance() : project(project_of_test()), parts(make_parts(GetParam(), project)) {
  bool connected = false;
  watching_.emplace(parts->loop().get_executor());
  watching_->spawn("events", watch(&parts->docker(), &seen_, &connected));
  if (!parts->turn_until([&] { return connected; })) throw std::runtime_error("no events");
  const auto looked = await(parts->compose().refresh());
  if (!looked) throw std::runtime_error(looked.error().text());
  fs::create_directories(parts->folder() / "live");
}

Conformance::~Conformance() {
  watching_->cancel();
  parts->turn_until([&] { return watching_->size() == 0; });
}

Result<void> Conformance::pull(int image) {
  std::function<void(const PullProgress&)> on_progress = [](const PullProgress&) {};
  auto pulling = parts->docker().pull(parts->repository(), parts->digest(image), "", std::nullopt,
                                      std::move(on_progress));
  return await(std::move(pulling));
}

fs::path Conformance::compose_file(const std::map<std::string, Json>& services) {
  Json file;
  file["name"] = project;
  file["networks"]["default"]["name"] = project + "_default";
  file["services"] = services;
  for (const auto& [name, service] : services) {
    for (const Json& mount : json_array(service, "volumes")) {
      if (json_string(mount, "type") != "volume") continue;
      const std::string source = json_string(mount, "source");
      file["volumes"][source]["name"] = project + "_" + source;
    }
  }
  if (parts->compose().tool().family == ComposeFamily::v1) {
    file.erase("name");
    file["version"] = "3.9";
  }
  const fs::path path = parts->folder() / "compose.yaml";
  const auto written = write_file_durably(path, file.dump());
  if (!written) throw std::runtime_error(written.error().text());
  return path;
}

std::string Conformance::up(const std::map<std::string, Json>& services,
                            std::vector<std::string> named, bool force_recreate,
                            std::optional<int> add_up_to) {
  UpRequest request;
  request.file = compose_file(services);
  request.directory = parts->folder() / "live";
  request.project = project;
  request.services = std::move(named);
  request.force_recreate = force_recreate;
  request.add_up_to = add_up_to;
  const std::string answer = said(await(parts->compose().up(std::move(request))));
  settle();
  return answer;
}

void Conformance::settle() {
  const auto settled = [this] {
    const auto all = containers();
    return std::all_of(all.begin(), all.end(), [this](const Container& one) {
      return one.state != ContainerState::running || parts->heeds_stop(one.pid);
    });
  };
  for (int i = 0; i < 1000; ++i) {
    if (settled()) return;
    const auto slept = await(sleep_for(std::chrono::milliseconds(20)));
    if (!slept) throw std::runtime_error(slept.error().text());
  }
  throw std::runtime_error("a container that runs never came to heed a stop");
}

std::vector<Container> Conformance::containers() {
  auto listed = await(parts->docker().project_containers(project));
  if (!listed) throw std::runtime_error(listed.error().text());
  return *listed;
}

Container Conformance::container(const std::string& service) {
  for (const Container& container : containers()) {
    if (container.service == service) return container;
  }
  throw std::runtime_error(service + " has no container");
}

bool Conformance::wait_for(const std::string& service,
                           std::function<bool(const Container&)> condition) {
  for (int i = 0; i < 1000; ++i) {
    const auto all = containers();
    const bool is_so = std::any_of(all.begin(), all.end(), [&](const Container& one) {
      return one.service == service && condition(one);
    });
    if (is_so) return true;
    if (!await(sleep_for(std::chrono::milliseconds(20)))) return false;
  }
  return false;
}

std::string Conformance::told(const Error& error) {
  static const std::map<Errc, std::string> codes{
      {Errc::failed, "failed"},           {Errc::invalid, "invalid"},
      {Errc::not_found, "not_found"},     {Errc::denied, "denied"},
      {Errc::unavailable, "unavailable"}, {Errc::timed_out, "timed_out"},
      {Errc::conflict, "conflict"}};
  last_words = error.text();
  const auto code = codes.find(error.code);
  return code == codes.end() ? "another code" : code->second;
}

std::string Conformance::name_of(const EngineEvent& event) {
  std::string& name = names_[event.id];
  if (name.empty()) name = event.service + "." + std::to_string(++counts_[event.service]);
  return name;
}

std::vector<std::string> Conformance::events(std::size_t expected) {
  const auto counts = [this](const EngineEvent& event) {
    return event.project == project && !event.action.starts_with("health_status");
  };
  const auto have_come = [&] {
    const auto first = seen_.begin() + static_cast<std::ptrdiff_t>(reported_);
    return std::count_if(first, seen_.end(), counts) >= static_cast<std::ptrdiff_t>(expected);
  };
  parts->turn_until(have_come);
  std::vector<std::string> lines;
  for (; reported_ < seen_.size(); ++reported_) {
    const EngineEvent& event = seen_[reported_];
    if (!counts(event)) continue;
    std::string line = name_of(event) + " " + event.action;
    if (event.action == "die") line += " " + std::to_string(event.exit_code);
    // From 23 on the Engine tells of a stop and of the end that it caused in either order.
    const auto last = std::find_if(lines.rbegin(), lines.rend(), [&](const std::string& earlier) {
      return earlier.starts_with(name_of(event) + " ");
    });
    const bool is_of_that_stop =
        event.action == "die" && last != lines.rend() && last->ends_with(" stop");
    lines.insert(is_of_that_stop ? std::prev(last.base()) : lines.end(), std::move(line));
  }
  return lines;
}

}  // namespace trimtab::conformance
