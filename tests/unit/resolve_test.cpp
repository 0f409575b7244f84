// Which image, which files, which content: what a release is made of.
#include <gtest/gtest.h>

#include "agent/resolve/images.hpp"
#include "agent/resolve/keys.hpp"
#include "agent/resolve/paths.hpp"
#include "agent/resolve/verdict.hpp"

namespace trimtab {
namespace {

Json json(const std::string& text) {
  auto parsed = parse_json(text);
  EXPECT_TRUE(parsed) << text;
  return parsed ? *parsed : Json();
}

std::string digest(char digit) {
  return "sha256:" + std::string(64, digit);
}

// ---- Images ---------------------------------------------------------------------------------

std::string line(const ImageNeed& need) {
  const char* const how = need.how == ImageNeed::How::ask      ? "ask"
                          : need.how == ImageNeed::How::keep   ? "keep"
                          : need.how == ImageNeed::How::pinned ? "pinned"
                                                               : "built";
  return need.service + " " + how + (need.watched ? " watched " : " ") + need.text +
         (need.platform.empty() ? "" : " " + need.platform);
}

struct ImageCase {
  const char* name;
  std::string service;  // its definition
  std::optional<std::vector<std::string>> watch;
  std::map<std::string, ImagePin> current;
  std::string expected;
};

TEST(Images, EachServiceNeedsItsOwnWayToAPin) {
  const std::map<std::string, ImagePin> pg{
      {"s", {"postgres:16", "postgres@" + digest('a'), false}}};
  const std::map<std::string, ImagePin> latest{{"s", {"app:latest", "app@" + digest('a'), false}}};
  const std::vector<ImageCase> rows{
      {"moving tag", R"({"image": "app:latest"})", std::nullopt, latest,
       "s ask watched app:latest"},
      {"no tag", R"({"image": "app"})", std::nullopt, {}, "s ask watched app"},
      {"tag with a digit, first time",
       R"({"image": "postgres:16"})",
       std::nullopt,
       {},
       "s ask postgres:16"},
      {"tag with a digit, same reference", R"({"image": "postgres:16"})", std::nullopt, pg,
       "s keep postgres:16"},
      {"tag with a digit, other reference", R"({"image": "postgres:17"})", std::nullopt, pg,
       "s ask postgres:17"},
      {"the host's own platform", R"({"image": "postgres:16", "platform": "linux/x86_64"})",
       std::nullopt, pg, "s keep postgres:16"},
      {"another platform than before", R"({"image": "postgres:16", "platform": "linux/386"})",
       std::nullopt, pg, "s ask postgres:16 linux/386"},
      {"the same other platform",
       R"({"image": "postgres:16", "platform": "linux/386"})",
       std::nullopt,
       {{"s", {"postgres:16", "postgres@" + digest('a'), false, digest('b'), "linux/386"}}},
       "s keep postgres:16 linux/386"},
      {"same text, other service",
       R"({"image": "postgres:16"})",
       std::nullopt,
       {{"other", {"postgres:16", "postgres@" + digest('a'), false}}},
       "s ask postgres:16"},
      {"watched by name", R"({"image": "postgres:16"})", {{"s"}}, pg, "s ask watched postgres:16"},
      {"moving tag, but others are watched",
       R"({"image": "app:latest"})",
       {{"web"}},
       latest,
       "s keep app:latest"},
      {"nothing is watched",
       R"({"image": "app:latest"})",
       {std::vector<std::string>{}},
       {},
       "s ask app:latest"},
      {"a digest",
       R"({"image": "app:1@)" + digest('b') + R"("})",
       {{"s"}},
       {},
       "s pinned app:1@" + digest('b')},
      {"only build", R"({"build": {"context": "."}})", std::nullopt, {}, "s built shop-s"},
      {"image and build",
       R"({"build": ".", "image": "acme/app:2"})",
       std::nullopt,
       {},
       "s ask acme/app:2"},
  };
  for (const ImageCase& row : rows) {
    const auto needs = image_needs(json(R"({"services": {"s": )" + row.service + "}}"), "shop",
                                   false, row.watch, row.current, {"linux", "amd64"});
    ASSERT_TRUE(needs) << row.name;
    ASSERT_EQ(needs->size(), 1U) << row.name;
    EXPECT_EQ(line(needs->front()), row.expected) << row.name;
  }
}

TEST(Images, NameThatCompose1GivesToWhatItBuilds) {
  const auto needs =
      image_needs(json(R"({"services": {"web": {"build": "."}}})"), "shop", true, {}, {}, {});
  ASSERT_TRUE(needs);
  EXPECT_EQ(needs->front().text, "shop_web");
}

TEST(Images, BadReferenceNamesItsService) {
  const auto needs = image_needs(json(R"({"services": {"web": {"image": "Acme/App"}}})"), "shop",
                                 false, {}, {}, {});
  ASSERT_FALSE(needs);
  EXPECT_EQ(needs.error().code, Errc::invalid);
  EXPECT_EQ(needs.error().message.rfind("service web: ", 0), 0U) << needs.error().message;
}

TEST(Images, PinningReplacesImageAndBuild) {
  Json model = json(R"({"services": {
    "web": {"image": "app:1", "build": ".", "pull_policy": "always", "environment": {"A": "$$x"}},
    "db": {"image": "postgres"}}})");
  pin_images(model, {{"web", {"app:1", "app@" + digest('a'), false}}});
  EXPECT_EQ(model, json(R"({"services": {
    "web": {"image": "app@)" +
                        digest('a') + R"(", "environment": {"A": "$$x"}},
    "db": {"image": "postgres"}}})"));
}

// ---- Paths ----------------------------------------------------------------------------------

TEST(KeptTags, ThoseThatNoReleaseNamesAreStale) {
  const std::string old_digest = "sha256:" + std::string(64, 'a');
  const std::string new_digest = "sha256:" + std::string(64, 'b');
  const ImagePin old_pin{"acme/api:latest", "acme/api@" + old_digest};
  const ImagePin new_pin{"acme/api:latest", "acme/api@" + new_digest};
  const ImagePin local{"built", "sha256:" + std::string(64, 'c'), true};
  const RetentionTag tag = retention_tag("shop", "api", old_pin);
  EXPECT_EQ(tag.repository, "trimtab.local/shop/api");
  EXPECT_EQ(tag.tag, "aaaaaaaaaaaa");

  Releases releases;
  releases[3].images = {{"api", new_pin}, {"web", local}};
  const std::vector<std::string> tags = {
      retention_tag("shop", "api", old_pin).text(), retention_tag("shop", "api", new_pin).text(),
      retention_tag("shop", "web", local).text(), retention_tag("shop", "gone", new_pin).text()};
  EXPECT_EQ(stale_tags(tags, "shop", releases), (std::vector<std::string>{tags[0], tags[3]}));
  releases[2].images = {{"api", old_pin}, {"gone", new_pin}};
  EXPECT_TRUE(stale_tags(tags, "shop", releases).empty());
}

TEST(KeptTags, HaveNamesThatDockerTakesWhateverTheServiceIsCalled) {
  const ImagePin pin{"acme/api:latest", "acme/api@sha256:" + std::string(64, 'a')};
  std::set<std::string> repositories;
  const std::vector<std::string> services{"api",      "Api",  "API",    "api_",        "api__v2",
                                          "api___v2", "a..b", "a-.b",   "a---b",       "web.front",
                                          "-api",     "_api", "name-a", "name-617069", "a_b.c-d"};
  for (const std::string& service : services) {
    const RetentionTag tag = retention_tag("shop", service, pin);
    const Result<ImageReference> reference = parse_reference(tag.text());
    EXPECT_TRUE(reference) << tag.text();
    EXPECT_TRUE(repositories.insert(tag.repository).second) << tag.repository;
  }
  EXPECT_EQ(retention_tag("shop", "web.front", pin).repository, "trimtab.local/shop/web.front");
  EXPECT_EQ(retention_tag("shop", "Api", pin).repository, "trimtab.local/shop/name-417069");
}

TEST(Paths, StagedOnesBecomeLiveOnes) {
  struct Row {
    const char* before;
    const char* after;
  };
  for (const Row& row : {
           Row{"/state/staging", "/"},
           Row{"/state/staging/srv/shop", "/srv/shop"},
           Row{"/state/staging/srv/shop/", "/srv/shop/"},
           Row{"/state/staging/srv/shop/nginx.conf:/etc/nginx/nginx.conf:ro",
               "/srv/shop/nginx.conf:/etc/nginx/nginx.conf:ro"},
           Row{"/state/staging:/app:rw", "/:/app:rw"},
           // Beside the checkout, as a compose file's ".." has it.
           Row{"/state/staging/srv/common.env", "/srv/common.env"},
           Row{"/state/staging2/nginx.conf", "/state/staging2/nginx.conf"},
           Row{"/state/staging-old:/x:rw", "/state/staging-old:/x:rw"},
           Row{"/state/stag", "/state/stag"},
           Row{"x/state/staging", "x/state/staging"},
           // As ${PWD} has it.
           Row{"cd /state/staging/srv/shop && ./run", "cd /srv/shop && ./run"},
           Row{"", ""},
       }) {
    Json model = Json::object();
    model["a"] = Json::array({row.before, 1, nullptr});
    take_root_off(model, "/state/staging");
    EXPECT_EQ(model["a"][0], row.after);
    EXPECT_EQ(model["a"][1], 1);
  }
}

TEST(Paths, KeysAreNoPaths) {
  Json model = json(R"({"/state/staging": {"deep": [{"source": "/state/staging/a"}]}})");
  take_root_off(model, "/state/staging");
  EXPECT_EQ(model, json(R"({"/state/staging": {"deep": [{"source": "/a"}]}})"));
}

constexpr const char* mounting_model = R"({
  "services": {
    "v1": {"volumes": ["/srv/shop/nginx.conf:/etc/nginx.conf:ro", "/srv/shop2/x:/x:rw", "data:/d"]},
    "v2": {"volumes": [{"type": "bind", "source": "/srv/shop/certs/", "target": "/c"},
                       {"type": "volume", "source": "data", "target": "/d"},
                       {"type": "bind", "source": "/etc/localtime", "target": "/t"}],
           "secrets": [{"source": "pw", "target": "/run/secrets/pw"}], "configs": ["conf"]},
    "all": {"volumes": ["/srv/shop:/app:ro"]},
    "none": {"image": "a"}},
  "secrets": {"pw": {"file": "/srv/shop/secrets/pw.txt"}, "unused": {"file": "/srv/shop/u"}},
  "configs": {"conf": {"file": "/srv/shop/conf.txt"}}})";

const std::vector<TreeEntry> tree{{"100644", "b1", "nginx.conf"},
                                  {"100644", "b2", "certs/site.pem"},
                                  {"100755", "b3", "certs.sh"},
                                  {"120000", "b4", "conf.txt"},
                                  {"100644", "b5", "src/nginx.conf"}};

TEST(Paths, WhatEachServiceMountsOfTheLiveDirectory) {
  const auto mounted = mounted_paths(json(mounting_model), "/srv/shop");
  const std::map<std::string, std::vector<std::string>> expected{
      {"all", {"."}},
      {"v1", {"nginx.conf"}},
      {"v2", {"conf.txt", "secrets/pw.txt", "certs"}},
  };
  EXPECT_EQ(mounted, expected);
}

TEST(Paths, OfThatWhatGitTracks) {
  const auto mounted = mounted_paths(json(mounting_model), "/srv/shop");
  const std::map<std::string, std::map<std::string, std::string>> expected{
      {"all",
       {{"nginx.conf", "b1"},
        {"certs/site.pem", "b2"},
        {"certs.sh", "b3"},
        {"conf.txt", "b4"},
        {"src/nginx.conf", "b5"}}},
      {"v1", {{"nginx.conf", "b1"}}},
      {"v2", {{"certs/site.pem", "b2"}, {"conf.txt", "b4"}}},
  };
  EXPECT_EQ(mounted_files(mounted, tree), expected);
}

TEST(Paths, FilesWhoseInodeAContainerHolds) {
  const auto mounted = mounted_paths(json(mounting_model), "/srv/shop");
  // A link is no regular file, a folder is mounted as such, and "." names no file.
  EXPECT_EQ(files_mounted_alone(mounted, tree), std::set<std::string>{"nginx.conf"});
}

// ---- Keys -----------------------------------------------------------------------------------

TEST(Keys, OrderOfKeysDoesNotCountButOrderOfItemsDoes) {
  const std::map<std::string, std::map<std::string, std::string>> none;
  const std::string key =
      content_key(json(R"({"services": {"a": {"x": 1, "y": [1, 2]}, "b": {}}})"), none);
  EXPECT_EQ(key, content_key(json(R"({"services": {"b": {}, "a": {"y": [1, 2], "x": 1}}})"), none));
  EXPECT_NE(key, content_key(json(R"({"services": {"a": {"x": 1, "y": [2, 1]}, "b": {}}})"), none));
  EXPECT_NE(key,
            content_key(json(R"({"services": {"a": {"x": "1", "y": [1, 2]}, "b": {}}})"), none));
}

TEST(Keys, MountedFilesAreContent) {
  const Json model = json(R"({"services": {}})");
  EXPECT_NE(content_key(model, {{"web", {{"a", "1"}}}}),
            content_key(model, {{"web", {{"a", "2"}}}}));
  EXPECT_NE(content_key(model, {{"web", {{"a", "1"}}}}),
            content_key(model, {{"db", {{"a", "1"}}}}));
}

TEST(Keys, EveryInputCounts) {
  const Inputs inputs{"c1", "{}", {{".env", "h1"}}, {{"app:latest", "d1"}}};
  const std::string key = inputs_key(inputs);
  EXPECT_EQ(key, inputs_key(Inputs(inputs)));
  Inputs other = inputs;
  other.commit = "c2";
  EXPECT_NE(inputs_key(other), key);
  other = inputs;
  other.settings = "{ }";
  EXPECT_NE(inputs_key(other), key);
  other = inputs;
  other.files[".env"] = "h2";
  EXPECT_NE(inputs_key(other), key);
  other = inputs;
  other.digests["app:latest"] = "d2";
  EXPECT_NE(inputs_key(other), key);
}

TEST(Keys, BytesThatAreNoUtf8GiveAKeyToo) {
  Json model = Json::object();
  model["services"]["web"]["environment"]["A"] = std::string("\xff\xfe");
  EXPECT_EQ(content_key(model, {}).size(), 64U);
}

// ---- Verdict --------------------------------------------------------------------------------

TEST(Verdict, WhatIsToBeDone) {
  struct Row {
    const char* name;
    Content asked;
    bool deployed;  // commit c1 with content k1 runs
    std::set<std::string> rejected;
    bool again;
    Verdict expected;
  };
  const std::vector<Row> rows{
      {"first deployment", {"c1", "k1"}, false, {}, false, Verdict::deploy},
      {"the same", {"c1", "k1"}, true, {}, false, Verdict::nothing},
      {"only other files", {"c2", "k1"}, true, {}, false, Verdict::record},
      {"new content", {"c2", "k2"}, true, {}, false, Verdict::deploy},
      {"same commit, new image", {"c1", "k2"}, true, {}, false, Verdict::deploy},
      {"rejected content", {"c2", "k2"}, true, {"k2"}, false, Verdict::rejected},
      {"other files on top of rejected content",
       {"c3", "k2"},
       true,
       {"k2"},
       false,
       Verdict::rejected},
      {"rejected content that an operator asks for",
       {"c2", "k2"},
       true,
       {"k2"},
       true,
       Verdict::deploy},
      {"rejected content, nothing deployed", {"c2", "k2"}, false, {"k2"}, false, Verdict::rejected},
      {"back to what runs", {"c3", "k1"}, true, {"k2"}, false, Verdict::record},
      {"what runs, asked for again", {"c1", "k1"}, true, {}, true, Verdict::nothing},
  };
  ReleaseRecord current;
  current.commit = "c1";
  current.content_key = "k1";
  for (const Row& row : rows) {
    EXPECT_EQ(assess(row.asked, row.deployed ? &current : nullptr, row.rejected, row.again),
              row.expected)
        << row.name;
  }
}

}  // namespace
}  // namespace trimtab
