// What the Engine answers, and what it tells of.
#include "tests/conformance/parts.hpp"

namespace trimtab::conformance {
namespace {

using Lines = std::vector<std::string>;

bool holds(const Lines& list, const std::string& line) {
  return std::find(list.begin(), list.end(), line) != list.end();
}

TEST_P(EngineConformance, ImagesArePulledTaggedAndRemoved) {
  Docker& docker = parts->docker();
  EXPECT_EQ(said(await(docker.image(pinned(3)))), "not_found") << last_words;
  const std::string nothing = "sha256:" + std::string(64, '0');
  std::function<void(const PullProgress&)> ignore = [](const PullProgress&) {};
  EXPECT_EQ(said(await(docker.pull(parts->repository(), nothing, "", std::nullopt, ignore))),
            "not_found")
      << last_words;
  const std::string unknown = parts->repository() + "@" + nothing;
  const std::string name = "trimtab.local/" + project + "/web";
  EXPECT_EQ(said(await(docker.tag_image(unknown, name, "1"))), "not_found") << last_words;

  ASSERT_EQ(said(pull(3)), "ok") << last_words;
  ASSERT_EQ(said(pull(4)), "ok") << last_words;
  ASSERT_EQ(said(pull(3)), "ok") << last_words;
  const auto first = await(docker.image(pinned(3)));
  const auto second = await(docker.image(pinned(4)));
  ASSERT_TRUE(first && second);
  EXPECT_NE(first->id, second->id);
  EXPECT_TRUE(holds(first->repo_digests, pinned(3)));
  EXPECT_EQ(first->repo_tags, (Lines{}));
  EXPECT_EQ(first->os, "linux");

  ASSERT_EQ(said(await(docker.tag_image(pinned(3), name, "1"))), "ok") << last_words;
  EXPECT_EQ(await(docker.image(name + ":1"))->id, first->id);
  EXPECT_EQ(await(docker.image(first->id))->repo_tags, (Lines{name + ":1"}));
  const std::string prefix = "trimtab.local/" + project + "/";
  EXPECT_EQ(*await(docker.tags_below(prefix)), (Lines{name + ":1"}));
  // A tag moves.
  ASSERT_EQ(said(await(docker.tag_image(pinned(4), name, "1"))), "ok") << last_words;
  EXPECT_EQ(await(docker.image(name + ":1"))->id, second->id);
  EXPECT_EQ(*await(docker.tags_below(prefix)), (Lines{name + ":1"}));

  EXPECT_EQ(said(await(docker.remove_image(name + ":1"))), "ok") << last_words;
  EXPECT_EQ(said(await(docker.remove_image(name + ":1"))), "ok") << last_words;
  EXPECT_EQ(said(await(docker.image(name + ":1"))), "not_found");
  EXPECT_EQ(*await(docker.tags_below(prefix)), (Lines{}));
  // What has another name stays; what is removed by its last one goes.
  EXPECT_EQ(said(await(docker.image(pinned(4)))), "ok") << last_words;
  EXPECT_EQ(said(await(docker.remove_image(pinned(4)))), "ok") << last_words;
  EXPECT_EQ(said(await(docker.image(pinned(4)))), "not_found");
  EXPECT_EQ(said(await(docker.image(second->id))), "not_found");
  // In the other order as well: it stays as long as it has its tag.
  ASSERT_EQ(said(await(docker.tag_image(pinned(3), name, "1"))), "ok") << last_words;
  EXPECT_EQ(said(await(docker.remove_image(pinned(3)))), "ok") << last_words;
  EXPECT_EQ(said(await(docker.image(pinned(3)))), "not_found");
  EXPECT_EQ(await(docker.image(name + ":1"))->id, first->id);
  EXPECT_EQ(said(await(docker.remove_image(name + ":1"))), "ok") << last_words;
  EXPECT_EQ(said(await(docker.image(first->id))), "not_found");
}

TEST_P(EngineConformance, AnImageOfAContainerStays) {
  Docker& docker = parts->docker();
  ASSERT_EQ(said(pull(1)), "ok") << last_words;
  ASSERT_EQ(up({{"web", parts->service(1, Does::serves)}}, {"web"}), "ok") << last_words;
  const Container web = container("web");
  EXPECT_EQ(said(await(docker.remove_image(web.image_id))), "ok") << last_words;
  EXPECT_EQ(said(await(docker.image(web.image_id))), "ok") << last_words;
}

TEST_P(EngineConformance, CallsOfNoContainer) {
  Docker& docker = parts->docker();
  const std::string gone = "none-of-" + project;
  EXPECT_EQ(said(await(docker.start(gone))), "not_found") << last_words;
  EXPECT_EQ(said(await(docker.stop(gone))), "not_found") << last_words;
  EXPECT_EQ(said(await(docker.restart(gone))), "not_found") << last_words;
  EXPECT_EQ(said(await(docker.signal(gone, "HUP"))), "not_found") << last_words;
  EXPECT_EQ(said(await(docker.memory_used(gone))), "not_found") << last_words;
  EXPECT_EQ(said(await(docker.last_log_lines(gone, 5))), "not_found") << last_words;
  EXPECT_EQ(said(await(docker.exec({gone, {"true"}, {}}, [](std::string_view) {}))), "not_found")
      << last_words;
  EXPECT_EQ(said(await(docker.remove(gone))), "ok") << last_words;
  EXPECT_TRUE(containers().empty());
}

TEST_P(EngineConformance, AContainerIsStoppedStartedAndRemoved) {
  Docker& docker = parts->docker();
  ASSERT_EQ(said(pull(1)), "ok") << last_words;
  ASSERT_EQ(up({{"web", parts->service(1, Does::serves)}}, {"web"}), "ok") << last_words;
  const std::string id = container("web").id;
  EXPECT_EQ(events(2), (Lines{"web.1 create", "web.1 start"}));

  EXPECT_EQ(said(await(docker.start(id))), "ok") << last_words;
  EXPECT_EQ(said(await(docker.remove(id))), "conflict") << last_words;
  EXPECT_EQ(said(await(docker.exec({id, {"true"}, {}}, [](std::string_view) {}))), "ok")
      << last_words;
  EXPECT_EQ(said(await(docker.stop(id))), "ok") << last_words;
  EXPECT_EQ(events(3), (Lines{"web.1 kill", "web.1 die 0", "web.1 stop"}));
  const Container stopped = container("web");
  EXPECT_EQ(stopped.state, ContainerState::exited);
  EXPECT_EQ(stopped.exit_code, 0);
  EXPECT_EQ(stopped.pid, 0);
  EXPECT_GE(stopped.finished_at, stopped.started_at);

  // Stopped already: no event.
  EXPECT_EQ(said(await(docker.stop(id))), "ok") << last_words;
  EXPECT_EQ(said(await(docker.signal(id, "HUP"))), "conflict") << last_words;
  EXPECT_EQ(said(await(docker.exec({id, {"true"}, {}}, [](std::string_view) {}))), "conflict")
      << last_words;
  EXPECT_EQ(said(await(docker.last_log_lines(id, 5))), "ok") << last_words;
  EXPECT_EQ(said(await(docker.start(id))), "ok") << last_words;
  settle();
  EXPECT_EQ(events(1), (Lines{"web.1 start"}));
  EXPECT_EQ(container("web").state, ContainerState::running);
  EXPECT_NE(container("web").pid, 0);

  EXPECT_EQ(said(await(docker.restart(id))), "ok") << last_words;
  settle();
  EXPECT_EQ(events(5),
            (Lines{"web.1 kill", "web.1 die 0", "web.1 stop", "web.1 start", "web.1 restart"}));
  EXPECT_EQ(said(await(docker.stop(id))), "ok") << last_words;
  EXPECT_EQ(said(await(docker.restart(id))), "ok") << last_words;
  settle();
  EXPECT_EQ(said(await(docker.stop(id))), "ok") << last_words;
  EXPECT_EQ(said(await(docker.remove(id))), "ok") << last_words;
  EXPECT_EQ(said(await(docker.remove(id))), "ok") << last_words;
  EXPECT_EQ(events(9),
            (Lines{"web.1 kill", "web.1 die 0", "web.1 stop", "web.1 start", "web.1 restart",
                   "web.1 kill", "web.1 die 0", "web.1 stop", "web.1 destroy"}));
  EXPECT_TRUE(containers().empty());
}

TEST_P(EngineConformance, AContainerThatEndsIsStartedAgainAsItsPolicySays) {
  ASSERT_EQ(said(pull(1)), "ok") << last_words;
  Json once = parts->service(1, Does::ends_with_1);
  once["restart"] = "no";
  Json always = parts->service(1, Does::ends_with_1);
  always["restart"] = "unless-stopped";
  ASSERT_EQ(up({{"once", once}}, {"once"}), "ok") << last_words;
  EXPECT_EQ(events(3), (Lines{"once.1 create", "once.1 start", "once.1 die 1"}));
  const Container ended = container("once");
  EXPECT_EQ(ended.state, ContainerState::exited);
  EXPECT_EQ(ended.exit_code, 1);
  EXPECT_EQ(ended.restart_count, 0);
  EXPECT_EQ(ended.restart_policy, "no");

  ASSERT_EQ(up({{"always", always}}, {"always"}), "ok") << last_words;
  EXPECT_EQ(events(6), (Lines{"always.1 create", "always.1 start", "always.1 die 1",
                              "always.1 start", "always.1 die 1", "always.1 start"}));
  ASSERT_TRUE(wait_for("always", [](const Container& one) {
    return one.state == ContainerState::restarting && one.exit_code == 1 && one.restart_count >= 2;
  }));
  // That it is between two starts keeps nobody from stopping it, which is no event.
  const std::string id = container("always").id;
  EXPECT_EQ(said(await(parts->docker().stop(id))), "ok") << last_words;
  EXPECT_TRUE(
      wait_for("always", [](const Container& one) { return one.state == ContainerState::exited; }));
  // Somebody's start counts anew.
  const int before = container("always").restart_count;
  EXPECT_EQ(said(await(parts->docker().start(id))), "ok") << last_words;
  EXPECT_LT(container("always").restart_count, before);
}

}  // namespace
}  // namespace trimtab::conformance
