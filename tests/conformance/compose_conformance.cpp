// What Compose does with containers, volumes and networks, and what the Engine tells of it.
#include <algorithm>

#include "common/files.hpp"
#include "tests/conformance/parts.hpp"

namespace trimtab::conformance {
namespace {

using Lines = std::vector<std::string>;

Json with_volume(Json service) {
  Json mount;
  mount["type"] = "volume";
  mount["source"] = "data";
  mount["target"] = "/data";
  service["volumes"].push_back(mount);
  return service;
}

Json with_environment(Json service, const std::string& value) {
  service["environment"]["SETTING"] = value;
  return service;
}

TEST_P(ComposeConformance, WhatIsMadeIsAsTheFileSays) {
  ASSERT_EQ(said(pull(1)), "ok") << last_words;
  const auto before = wall_now();
  Json web = with_volume(parts->service(1, Does::serves));
  web["restart"] = "unless-stopped";
  ASSERT_EQ(up({{"web", web}, {"other", parts->service(1, Does::serves)}}, {"web"}), "ok")
      << last_words;
  EXPECT_EQ(events(2), (Lines{"web.1 create", "web.1 start"}));
  ASSERT_EQ(containers().size(), 1U);
  const Container made = container("web");
  const bool is_old = parts->compose().tool().family == ComposeFamily::v1;
  EXPECT_EQ(made.name, project + (is_old ? "_web_1" : "-web-1"));
  EXPECT_EQ(made.project, project);
  EXPECT_EQ(made.working_dir, (parts->folder() / "live").string());
  EXPECT_EQ(made.config_files, (parts->folder() / "compose.yaml").string());
  EXPECT_EQ(made.compose_version.substr(0, 4), parts->compose().tool().version.substr(0, 4));
  EXPECT_FALSE(made.config_hash.empty());
  EXPECT_EQ(made.number, 1);
  EXPECT_FALSE(made.oneoff);
  EXPECT_TRUE(made.is_marked);
  EXPECT_TRUE(made.is_counted);
  EXPECT_EQ(made.image, pinned(1));
  EXPECT_EQ(made.image_id, await(parts->docker().image(pinned(1)))->id);
  EXPECT_EQ(made.state, ContainerState::running);
  EXPECT_EQ(made.restart_policy, "unless-stopped");
  EXPECT_EQ(made.restart_count, 0);
  EXPECT_NE(made.pid, 0);
  EXPECT_EQ(made.error, "");
  EXPECT_GE(made.created_at + std::chrono::seconds(2), before);
  EXPECT_GE(made.started_at, made.created_at);
  EXPECT_EQ(made.volumes.at("/data"), project + "_data");
  EXPECT_TRUE(await(parts->docker().volumes())->contains(project + "_data"));
  EXPECT_TRUE(await(parts->docker().networks())->contains(project + "_default"));
}

TEST_P(ComposeConformance, WhatHasNotChangedIsLeftAndWhatHasIsReplaced) {
  ASSERT_EQ(said(pull(1)), "ok") << last_words;
  ASSERT_EQ(said(pull(2)), "ok") << last_words;
  const Json web = with_environment(parts->service(1, Does::serves), "1");
  const Json db = parts->service(1, Does::serves);
  ASSERT_EQ(up({{"web", web}, {"db", db}}, {"web"}), "ok") << last_words;
  EXPECT_EQ(events(2), (Lines{"web.1 create", "web.1 start"}));
  const std::string first = container("web").id;
  ASSERT_EQ(up({{"web", web}, {"db", db}}, {"web"}), "ok") << last_words;
  EXPECT_EQ(container("web").id, first);

  // Stopped: started again, and not replaced.
  ASSERT_EQ(said(await(parts->docker().stop(first))), "ok") << last_words;
  ASSERT_EQ(up({{"web", web}, {"db", db}}, {"web"}), "ok") << last_words;
  EXPECT_EQ(events(4), (Lines{"web.1 kill", "web.1 die 0", "web.1 stop", "web.1 start"}));
  EXPECT_EQ(container("web").id, first);

  const bool is_old = parts->compose().tool().family == ComposeFamily::v1;
  const auto replaced = [&](const std::string& old, const std::string& made) {
    return is_old ? Lines{old + " kill",    old + " die 0",  old + " stop",   old + " rename",
                          made + " create", made + " start", old + " destroy"}
                  : Lines{made + " create", old + " kill",    old + " die 0", old + " stop",
                          old + " destroy", made + " rename", made + " start"};
  };
  const Json changed = with_environment(parts->service(1, Does::serves), "2");
  ASSERT_EQ(up({{"web", changed}, {"db", db}}, {"web"}), "ok") << last_words;
  EXPECT_EQ(events(7), replaced("web.1", "web.2"));
  EXPECT_NE(container("web").id, first);
  EXPECT_EQ(container("web").name, project + (is_old ? "_web_1" : "-web-1"));

  const Json newer = with_environment(parts->service(2, Does::serves), "2");
  ASSERT_EQ(up({{"web", newer}, {"db", db}}, {"web"}), "ok") << last_words;
  EXPECT_EQ(events(7), replaced("web.2", "web.3"));
  EXPECT_EQ(container("web").image, pinned(2));
  ASSERT_EQ(up({{"web", newer}, {"db", db}}, {"web"}, true), "ok") << last_words;
  EXPECT_EQ(events(7), replaced("web.3", "web.4"));
}

TEST_P(ComposeConformance, OnlyTheNamedServicesAreTouched) {
  ASSERT_EQ(said(pull(1)), "ok") << last_words;
  Json web = parts->service(1, Does::serves);
  web["depends_on"] = Json::array({"db"});
  const Json db = parts->service(1, Does::serves);
  // Not even what it depends on.
  ASSERT_EQ(up({{"web", web}, {"db", db}}, {"web"}), "ok") << last_words;
  EXPECT_EQ(events(2), (Lines{"web.1 create", "web.1 start"}));
  ASSERT_EQ(containers().size(), 1U);
  ASSERT_EQ(up({{"web", web}, {"db", db}}, {"db"}), "ok") << last_words;
  EXPECT_EQ(events(2), (Lines{"db.1 create", "db.1 start"}));
  // Of those that are named, what others depend on is started first.
  for (const std::string service : {"web", "db"}) {
    const std::string id = container(service).id;
    ASSERT_EQ(said(await(parts->docker().stop(id))), "ok") << last_words;
    ASSERT_EQ(said(await(parts->docker().remove(id))), "ok") << last_words;
  }
  events(8);
  ASSERT_EQ(up({{"web", web}, {"db", db}}, {"web", "db"}), "ok") << last_words;
  Lines made = events(4);
  std::erase_if(made, [](const std::string& line) { return line.ends_with(" create"); });
  EXPECT_EQ(made, (Lines{"db.2 start", "web.2 start"}));
}

// Compose 2.40 makes those of the services that it is asked for, older ones those of the whole
// file.
TEST_P(ComposeConformance, VolumesAreMadeAlsoInPlaceOfThoseThatAreGone) {
  const bool makes_all = GetParam() != "2.40";
  ASSERT_EQ(said(pull(1)), "ok") << last_words;
  const Json web = parts->service(1, Does::serves);
  const Json db = with_volume(parts->service(1, Does::serves));
  ASSERT_EQ(up({{"web", web}, {"db", db}}, {"web"}), "ok") << last_words;
  EXPECT_EQ(await(parts->docker().volumes())->contains(project + "_data"), makes_all);
  ASSERT_EQ(up({{"web", web}, {"db", db}}, {"db"}), "ok") << last_words;
  EXPECT_TRUE(await(parts->docker().volumes())->contains(project + "_data"));
  parts->remove_volume(project + "_data");
  EXPECT_FALSE(await(parts->docker().volumes())->contains(project + "_data"));
  ASSERT_EQ(up({{"web", web}, {"db", db}}, {"db"}), "ok") << last_words;
  EXPECT_TRUE(await(parts->docker().volumes())->contains(project + "_data"));
  // They outlive the container.
  const std::string id = container("db").id;
  ASSERT_EQ(said(await(parts->docker().stop(id))), "ok") << last_words;
  ASSERT_EQ(said(await(parts->docker().remove(id))), "ok") << last_words;
  EXPECT_TRUE(await(parts->docker().volumes())->contains(project + "_data"));
}

TEST_P(ComposeConformance, WhatCannotBeApplied) {
  ASSERT_EQ(said(pull(1)), "ok") << last_words;
  ASSERT_EQ(up({{"web", parts->service(1, Does::serves)}}, {"web"}), "ok") << last_words;
  EXPECT_EQ(events(2), (Lines{"web.1 create", "web.1 start"}));
  const std::string first = container("web").id;

  // An image that is not on the host: what runs is left.
  if (parts->compose().tool().family == ComposeFamily::v2) {
    EXPECT_EQ(up({{"web", parts->service(5, Does::serves)}}, {"web"}), "failed") << last_words;
    EXPECT_EQ(container("web").id, first);
    EXPECT_EQ(container("web").state, ContainerState::running);
  }
  // A command that does not exist: the new one is made and not started. The old one is gone, or
  // with 1.29 stopped.
  EXPECT_EQ(up({{"web", parts->service(1, Does::has_no_such_command)}}, {"web"}), "invalid")
      << last_words;
  EXPECT_TRUE(wait_for("web", [&](const Container& one) {
    return one.id != first && one.state == ContainerState::created && !one.error.empty();
  }));
  for (const Container& one : containers()) EXPECT_NE(one.state, ContainerState::running);
  // It is mended by the next file.
  EXPECT_EQ(up({{"web", parts->service(1, Does::serves)}}, {"web"}), "ok") << last_words;
  EXPECT_EQ(container("web").state, ContainerState::running);

  const std::filesystem::path file = compose_file({{"web", parts->service(1, Does::serves)}});
  ASSERT_TRUE(write_file_durably(file, "services: {web: {image: [}}"));
  UpRequest request;
  request.file = file;
  request.directory = parts->folder() / "live";
  request.project = project;
  request.services = {"web"};
  EXPECT_EQ(said(await(parts->compose().up(request))), "failed") << last_words;
  request.file = parts->folder() / "none.yaml";
  EXPECT_EQ(said(await(parts->compose().up(request))), "failed") << last_words;
}

TEST_P(ComposeConformance, ACommandInAContainerOfItsOwnLeavesNothing) {
  ASSERT_EQ(said(pull(1)), "ok") << last_words;
  const std::map<std::string, Json> services{{"web", parts->service(1, Does::serves)}};
  ASSERT_EQ(up(services, {"web"}), "ok") << last_words;
  RunRequest request;
  request.file = compose_file(services);
  request.directory = parts->folder() / "live";
  request.project = project;
  request.service = "web";
  request.container = project + "-once";
  request.argv = {"true"};
  const auto ended = await(parts->compose().run_once(request));
  ASSERT_EQ(said(ended), "ok") << last_words;
  EXPECT_EQ(ended->exit_code, 0);
  ASSERT_EQ(containers().size(), 1U);
  const auto all = await(parts->docker().all_containers());
  ASSERT_TRUE(all);
  for (const Container& one : *all) EXPECT_NE(one.name, request.container);
}

// What one container lives through is in order; several are worked on at once.
Lines container_by_container(Lines lines) {
  std::stable_sort(lines.begin(), lines.end(),
                   [](const std::string& one, const std::string& other) {
                     return one.substr(0, one.find(' ')) < other.substr(0, other.find(' '));
                   });
  return lines;
}

TEST_P(ComposeConformance, OfMoreContainersThanAreWantedOneIsLeft) {
  ASSERT_EQ(said(pull(1)), "ok") << last_words;
  const bool is_old = parts->compose().tool().family == ComposeFamily::v1;
  const auto services = [&](const std::string& value) {
    return std::map<std::string, Json>{
        {"web", with_environment(parts->service(1, Does::serves), value)}};
  };
  const auto name = [&](int number) {
    return project + (is_old ? "_web_" : "-web-") + std::to_string(number);
  };
  ASSERT_EQ(up(services("1"), {"web"}), "ok") << last_words;
  EXPECT_EQ(events(2), (Lines{"web.1 create", "web.1 start"}));
  ASSERT_EQ(up(services("1"), {"web"}, false, 2), "ok") << last_words;
  EXPECT_EQ(events(2), (Lines{"web.2 create", "web.2 start"}));
  ASSERT_EQ(containers().size(), 2U);
  EXPECT_EQ(containers().back().name, name(2));
  EXPECT_EQ(containers().back().number, 2);
  // Of two that are as the file says, the one with the higher number goes.
  ASSERT_EQ(up(services("1"), {"web"}), "ok") << last_words;
  EXPECT_EQ(events(4), (Lines{"web.2 kill", "web.2 die 0", "web.2 stop", "web.2 destroy"}));

  // Beside one of another file. As long as the sum is right, nothing is done.
  ASSERT_EQ(up(services("2"), {"web"}, false, 2), "ok") << last_words;
  EXPECT_EQ(events(2), (Lines{"web.3 create", "web.3 start"}));
  ASSERT_EQ(up(services("2"), {"web"}, false, 2), "ok") << last_words;
  // One that was stopped is started, and no other made in its place.
  ASSERT_EQ(said(await(parts->docker().stop(containers().back().id))), "ok") << last_words;
  ASSERT_EQ(up(services("2"), {"web"}, false, 2), "ok") << last_words;
  EXPECT_EQ(events(4), (Lines{"web.3 kill", "web.3 die 0", "web.3 stop", "web.3 start"}));

  // Of an old and a new one, 2.40 leaves the new one. 1.29 leaves the lower number, and 2.26 the
  // old one; both replace it.
  ASSERT_EQ(up(services("2"), {"web"}), "ok") << last_words;
  const Lines replaced = is_old
                             ? Lines{"web.1 kill",    "web.1 die 0",  "web.1 stop",  "web.1 rename",
                                     "web.1 destroy", "web.3 kill",   "web.3 die 0", "web.3 stop",
                                     "web.3 destroy", "web.4 create", "web.4 start"}
                             : Lines{"web.1 kill",   "web.1 die 0",  "web.1 stop", "web.1 destroy",
                                     "web.3 kill",   "web.3 die 0",  "web.3 stop", "web.3 destroy",
                                     "web.4 create", "web.4 rename", "web.4 start"};
  const bool leaves_new = GetParam() == "2.40";
  EXPECT_EQ(
      container_by_container(events(leaves_new ? 4 : 11)),
      leaves_new ? (Lines{"web.1 kill", "web.1 die 0", "web.1 stop", "web.1 destroy"}) : replaced);
  ASSERT_EQ(containers().size(), 1U);
  EXPECT_EQ(containers().back().name, name(leaves_new ? 2 : 1));
  EXPECT_EQ(containers().back().state, ContainerState::running);

  // The same where the old one has the higher number, which 2.26 then keeps.
  ASSERT_EQ(up(services("3"), {"web"}, false, 2), "ok") << last_words;
  events(2);
  ASSERT_EQ(up(services("2"), {"web"}), "ok") << last_words;
  EXPECT_EQ(events(leaves_new ? 4 : 11).size(), leaves_new ? 4U : 11U);
  ASSERT_EQ(containers().size(), 1U);
  EXPECT_EQ(containers().back().name, name(is_old ? 1 : 2));
  // Numbers that are free again are not used.
  ASSERT_EQ(up(services("2"), {"web"}, false, 2), "ok") << last_words;
  EXPECT_EQ(containers().back().name, name(is_old ? 2 : 3));
}

// Whoever made them. trimtab counts also some that this Compose does not.
TEST_P(ComposeConformance, WhichContainersCountAsThoseOfTheService) {
  ASSERT_EQ(said(pull(1)), "ok") << last_words;
  const bool is_old = parts->compose().tool().family == ComposeFamily::v1;
  const std::map<std::string, Json> services{{"web", parts->service(1, Does::serves)}};
  ASSERT_EQ(up(services, {"web"}), "ok") << last_words;
  std::map<std::string, bool> counted;  // by name
  for (const std::string oneoff : {"", "False", "True", "false"}) {
    for (const bool has_hash : {false, true}) {
      const int number = 2 + static_cast<int>(counted.size());
      const std::string name = project + "-beside-" + std::to_string(number);
      std::map<std::string, std::string> labels;
      labels["com.docker.compose.project"] = project;
      labels["com.docker.compose.service"] = "web";
      labels["com.docker.compose.container-number"] = std::to_string(number);
      labels["com.docker.compose.version"] = parts->compose().tool().version;
      if (!oneoff.empty()) labels["com.docker.compose.oneoff"] = oneoff;
      if (has_hash) labels["com.docker.compose.config-hash"] = "of another file";
      parts->run_labelled(name, labels);
      counted[name] =
          oneoff == "False" ? is_old || has_hash : !is_old && oneoff.empty() && has_hash;
    }
  }
  const auto before = await(parts->docker().all_containers());
  ASSERT_TRUE(before);
  std::size_t others = 0;
  for (const Container& one : *before) {
    const auto found = counted.find(one.name);
    if (found == counted.end()) continue;
    if (found->second) {
      EXPECT_TRUE(one.is_counted) << one.name;
    } else {
      ++others;
    }
  }
  ASSERT_EQ(up(services, {"web"}), "ok") << last_words;
  const auto after = await(parts->docker().all_containers());
  ASSERT_TRUE(after);
  std::size_t left = 0;
  std::size_t of_service = 0;
  for (const Container& one : *after) {
    if (one.project != project) continue;
    const auto found = counted.find(one.name);
    if (found == counted.end()) {
      ++of_service;
    } else {
      EXPECT_FALSE(found->second) << one.name;
      EXPECT_EQ(one.state, ContainerState::running) << one.name;
      ++left;
    }
  }
  EXPECT_EQ(of_service, 1U);
  EXPECT_EQ(left, others);
}

}  // namespace
}  // namespace trimtab::conformance
