// Whose containers are, and which volumes are gone.
#include <gtest/gtest.h>

#include "agent/compose/compose_yaml.hpp"
#include "agent/execute/boot_files.hpp"
#include "agent/plan/ownership.hpp"
#include "agent/plan/volumes.hpp"

namespace trimtab {
namespace {

Rendering rendering(const std::string& text) {
  auto model = parse_json(text);
  EXPECT_TRUE(model) << text;
  Rendering result;
  if (model) result.model = std::move(*model);
  return result;
}

const OwnSigns shop{"shop", "/srv/shop", "/var/lib/trimtab/shop", {"known"}, {"proxy"}};

// As trimtab has Compose make it.
Container made_for_release(const std::string& name = "shop-web-1") {
  Container container;
  container.id = "new";
  container.name = name;
  container.project = "shop";
  container.service = "web";
  container.is_marked = true;
  container.is_counted = true;
  container.working_dir = "/srv/shop";
  container.config_files = "/var/lib/trimtab/shop/releases/7/compose.yaml";
  return container;
}

struct MakerCase {
  std::string name;
  std::function<void(Container&)> change;  // of what a release's container looks like
  Maker expected;
};

std::ostream& operator<<(std::ostream& out, const MakerCase& row) {
  return out << row.name;
}

class Makers : public testing::TestWithParam<MakerCase> {};

TEST_P(Makers, AreToldByIdLabelsAndName) {
  Container container = made_for_release();
  GetParam().change(container);
  EXPECT_EQ(maker_of(container, shop), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    All, Makers,
    testing::Values(
        MakerCase{"OfARelease", [](Container&) {}, Maker::trimtab},
        MakerCase{
            "OfTheUnit",
            [](Container& c) { c.config_files = "/var/lib/trimtab/shop/current/compose.yaml"; },
            Maker::trimtab},
        MakerCase{"ByTheOldCompose", [](Container& c) { c.name = "shop_web_1"; }, Maker::trimtab},
        MakerCase{"WhileItsPredecessorIsThere",
                  [](Container& c) { c.name = "94baf8e5c27a_shop-web-1"; }, Maker::trimtab},
        MakerCase{"WithANameThatAReleaseGives", [](Container& c) { c.name = "proxy"; },
                  Maker::trimtab},
        MakerCase{"KnownByItsId",
                  [](Container& c) {
                    c = Container();
                    c.id = "known";
                    c.name = "renamed";
                  },
                  Maker::trimtab},
        MakerCase{"ByHandFromTheDirectory",
                  [](Container& c) { c.config_files = "/srv/shop/compose.yaml"; }, Maker::hand},
        MakerCase{"ByHandFromAFolderOfTheDirectory",
                  [](Container& c) {
                    c.working_dir = "/srv/shop/apps/web";
                    c.config_files = "/srv/shop/apps/web/compose.yaml";
                  },
                  Maker::hand},
        MakerCase{"FromAnotherDirectory",
                  [](Container& c) {
                    c.working_dir = "/srv/shop2";
                    c.config_files = "/srv/shop2/compose.yaml";
                  },
                  Maker::other},
        MakerCase{"OfAnotherStacksRelease",
                  [](Container& c) {
                    c.working_dir = "/srv/staging";
                    c.config_files = "/var/lib/trimtab/shop2/releases/7/compose.yaml";
                  },
                  Maker::other},
        // `docker run` of an image that was committed from one of ours, or with all of its labels.
        MakerCase{"CopyWithAllLabels", [](Container& c) { c.name = "eager_noether"; },
                  Maker::other},
        MakerCase{"CopyOfAnotherNumber", [](Container& c) { c.number = 2; }, Maker::other},
        MakerCase{"WithoutComposesOwnLabels", [](Container& c) { c.is_marked = false; },
                  Maker::other},
        MakerCase{"OneOff", [](Container& c) { c.oneoff = true; }, Maker::other},
        MakerCase{"OfAnotherProject", [](Container& c) { c.project = "blog"; }, Maker::other},
        MakerCase{"OfNoService", [](Container& c) { c.service.clear(); }, Maker::other}),
    testing::PrintToStringParamName());

TEST(Ownership, WhatIsTakenOverHasAnyNameButNoCopyHas) {
  Container by_hand = made_for_release("old-web");
  by_hand.id = "old";
  by_hand.config_files = "/srv/shop/compose.yaml";
  Container elsewhere = made_for_release("their-web");
  elsewhere.id = "their";
  elsewhere.working_dir = "/srv/other";
  elsewhere.config_files = "/srv/other/compose.yaml";
  const std::set<std::string> alone{"old-web"};
  EXPECT_EQ(names_to_take_over({by_hand, elsewhere}, shop), alone);
  // Compose's own, from a release, takes its place: they are two for a moment.
  EXPECT_EQ(names_to_take_over({by_hand, made_for_release("94baf8e5c27a_shop-web-1")}, shop),
            alone);
  // `docker commit` and `docker run` hand all labels on.
  Container original = by_hand;
  original.id = "original";
  original.name = "shop-web-1";
  Container copy = by_hand;
  copy.id = "copy";
  copy.name = "backup";
  EXPECT_TRUE(names_to_take_over({original, copy}, shop).empty());
  // Which of these is the one, a person must say.
  EXPECT_TRUE(names_to_take_over({by_hand, copy}, shop).empty());
  EXPECT_EQ(oddly_named({original, by_hand, elsewhere}, shop).size(), 1U);
}

TEST(Ownership, ForeignContainersAreThoseOfTheLabelAlone) {
  Container foreign = made_for_release("debug");
  Container blog = made_for_release("debug");
  blog.project = "blog";
  Container one_off = made_for_release("debug");
  one_off.oneoff = true;
  const std::vector<Container> all{made_for_release(), foreign, blog, one_off};
  EXPECT_EQ(own_among(all, shop).size(), 1U);
  ASSERT_EQ(foreign_among(all, shop).size(), 1U);
  EXPECT_EQ(foreign_among(all, shop)[0].name, "debug");
}

TEST(Ownership, WhatWasMadeByHandIsNoReasonToRemoveIt) {
  Container by_hand = made_for_release();
  by_hand.config_files = "/srv/shop/compose.yaml";
  const Rendering with = rendering(R"({"services": {"web": {"image": "a"}}})");
  const Rendering without = rendering(R"({"services": {"db": {"image": "a"}}})");
  EXPECT_EQ(without_hand_made_rest({by_hand}, shop, with).size(), 1U);
  EXPECT_TRUE(without_hand_made_rest({by_hand}, shop, without).empty());
  EXPECT_EQ(without_hand_made_rest({made_for_release()}, shop, without).size(), 1U);
}

TEST(Ownership, ComposeIsNotAskedForAServiceThatAForeignContainerSeemsToBeOf) {
  const Container foreign = made_for_release("debug");
  const auto obstacle = foreign_obstacle({foreign}, {"db", "web"});
  ASSERT_TRUE(obstacle);
  EXPECT_EQ(obstacle->message,
            "the container debug has the labels of this stack's service web, but was not created "
            "for it, and Compose would replace it");
  EXPECT_EQ(obstacle->hint, "if nobody needs it, remove it: `docker rm -f debug`");
  EXPECT_FALSE(foreign_obstacle({foreign}, {"db"}));
  Container uncounted = foreign;
  uncounted.is_counted = false;
  EXPECT_FALSE(foreign_obstacle({uncounted}, {"web"}));
}

TEST(Ownership, ServicesAreTakenByWhatComposeCounts) {
  Container uncounted = made_for_release("debug");
  uncounted.is_counted = false;
  Container database = made_for_release("copy");
  database.service = "db";
  EXPECT_EQ(services_taken_by({uncounted, database}), std::set<std::string>{"db"});
}

TEST(Ownership, NamesAreThoseThatTheReleaseGives) {
  const Rendering release = rendering(
      R"({"services": {"web": {"image": "a"}, "db": {"image": "a", "container_name": "base"}}})");
  EXPECT_EQ(container_names(release), std::set<std::string>{"base"});
}

// ---- Volumes ----------------------------------------------------------------------------------

const std::string services = R"("services": {
  "db": {"volumes": [{"type": "volume", "source": "data", "target": "/data"},
                     {"type": "bind", "source": "/srv/x", "target": "/x"},
                     {"type": "volume", "target": "/cache"}]},
  "old": {"volumes": ["files:/files:rw"]},
  "new": {"volumes": ["later:/later", "theirs:/theirs"]}})";

TEST(Volumes, AreNamedAsComposeDoes) {
  const Rendering release = rendering("{" + services + R"(, "volumes": {
    "data": {"name": "production-data"}, "files": {}, "later": null,
    "theirs": {"external": true, "name": "theirs"}}})");
  const std::map<std::string, std::set<std::string>> expected{
      {"production-data", {"db"}}, {"shop_files", {"old"}}, {"shop_later", {"new"}}};
  EXPECT_EQ(named_volumes(release, "shop"), expected);
  EXPECT_EQ(volume_name(release, "shop", "theirs"), "theirs");
  const Rendering old_words =
      rendering(R"({"volumes": {"a": {"external": {"name": "b"}}, "c": {"external": true}}})");
  EXPECT_EQ(volume_name(old_words, "shop", "a"), "b");
  EXPECT_EQ(volume_name(old_words, "shop", "c"), "c");
}

TEST(Volumes, AreExternalToWhoMustNotMakeThem) {
  const Rendering release = rendering(R"({"services": {}, "volumes": {
    "data": {"name": "shop_data", "driver": "local"}, "later": {}, "files": null}})");
  EXPECT_EQ(dump_json(with_external_volumes(release, "shop", {"shop_data", "shop_files"})),
            R"({"services":{},"volumes":{"data":{"name":"shop_data","external":true},)"
            R"("later":{},"files":{"name":"shop_files","external":true}}})");
}

TEST(Volumes, AreLostWhereAServiceRanWithThem) {
  const Rendering rendered = rendering("{" + services + R"(, "volumes": {
    "data": {"name": "shop_data"}, "files": {}, "later": {}, "theirs": {"external": true}}})");
  ReleaseRecord release;
  release.project = "shop";
  release.seen = {{"db", {"1"}}};
  release.jobs = {"old"};
  using Lost = std::vector<LostVolume>;
  EXPECT_EQ(lost_volumes(release, rendered, {}),
            (Lost{{"shop_data", "db"}, {"shop_files", "old"}}));
  EXPECT_EQ(lost_volumes(release, rendered, {"shop_data"}), (Lost{{"shop_files", "old"}}));
  EXPECT_EQ(lost_volumes(release, rendered, {"shop_data", "shop_files"}), Lost{});
  // Compose makes those of services that it is not asked for, and of none.
  const Rendering next = rendering(R"({"services": {"web": {}}, "volumes": {
    "data": {"name": "shop_data"}, "files": {"name": "shop_files", "external": true}}})");
  EXPECT_EQ(made_anew(lost_volumes(release, rendered, {}), next, "shop"),
            (Lost{{"shop_data", "db"}}));
  EXPECT_EQ(made_anew({{"shop_data", "db"}}, rendering(R"({"services": {}})"), "shop"), Lost{});
  const LostVolume one{"shop_data", "db"};
  EXPECT_EQ(one.text(), "the volume shop_data, in which the service db keeps its data, is gone");
  EXPECT_EQ(one.hint(), "restore it; or, if it may start empty, `docker volume create shop_data`");
  const Rendering elsewhere = rendering("{" + services + R"(, "volumes": {"data": {
    "name": "shop_data", "driver_opts": {"type": "nfs", "o": "addr=10.0.0.1,password=secret"}}}})");
  EXPECT_EQ(
      lost_volumes(release, elsewhere, {"shop_files"}).front().hint(),
      "restore it; or, if it may start empty, `docker volume create shop_data` with the driver "
      "and the options that the compose file gives it");
}

// ---- What the unit boots ------------------------------------------------------------------------

TEST(BootFiles, NameWhatIsToRunAndMakeNoVolumeThatWasThere) {
  const Rendering release = rendering(R"({"services": {
      "db": {"volumes": [{"type": "volume", "source": "data", "target": "/data"}]},
      "import": {}, "migrate": {},
      "web": {"depends_on": {"migrate": {"condition": "service_completed_successfully"}}}},
    "volumes": {"data": {"name": "shop_data"}, "new": {"name": "shop_new"}}})");
  BootInput input;
  input.rendering = &release;
  input.project = "shop";
  input.jobs = {"import"};
  input.volumes = {"shop_data"};
  BootFiles files = boot_files(input);
  EXPECT_EQ(files.env, "TRIMTAB_SERVICES=db web\n");
  const Json yaml = parse_yaml(files.yaml).value();
  EXPECT_EQ(dump_json(json_object(yaml, "volumes")),
            R"({"data":{"name":"shop_data","external":true},"new":{"name":"shop_new"}})");
  EXPECT_EQ(json_object(yaml, "services"), json_object(release.model, "services"));
  input.taken = {"web"};
  EXPECT_EQ(boot_files(input).env, "TRIMTAB_SERVICES=db\n");
  input.taken = {"db", "web"};
  EXPECT_EQ(boot_files(input).env, "TRIMTAB_SERVICES=--help\n");
}

}  // namespace
}  // namespace trimtab
