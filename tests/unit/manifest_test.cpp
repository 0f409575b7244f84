#include "agent/model/manifest.hpp"

#include <gtest/gtest.h>

namespace trimtab {
namespace {

const std::string digest_a = "sha256:" + std::string(64, 'a');
const std::string digest_b = "sha256:" + std::string(64, 'b');
const std::string digest_c = "sha256:" + std::string(64, 'c');

TEST(Manifest, NamesOfMachinesAreThoseOfImages) {
  EXPECT_EQ(platform_of_host("linux", "x86_64").text(), "linux/amd64");
  EXPECT_EQ(platform_of_host("linux", "aarch64").text(), "linux/arm64");
  EXPECT_EQ(platform_of_host("linux", "armv7l").text(), "linux/arm");
  EXPECT_EQ(platform_of_host("linux", "riscv64").text(), "linux/riscv64");
}

TEST(Manifest, AHostRunsItsOwnArchitectureAndThatBeforeIt) {
  const Platform amd{"linux", "amd64"};
  const Platform arm{"linux", "arm64"};
  EXPECT_TRUE(runs_on(amd, amd));
  EXPECT_TRUE(runs_on({"linux", "386"}, amd));
  EXPECT_TRUE(runs_on({"linux", "arm"}, arm));
  EXPECT_FALSE(runs_on(arm, amd));
  EXPECT_FALSE(runs_on(amd, arm));
  EXPECT_FALSE(runs_on({"windows", "amd64"}, amd));
}

std::string index_of(const std::vector<std::pair<std::string, std::string>>& entries) {
  std::string text = R"({"manifests": [)";
  for (const auto& [digest, architecture] : entries) {
    if (text.back() == '}') text += ",";
    text += R"({"digest": ")" + digest + R"(", "platform": {"os": "linux", "architecture": ")" +
            architecture + R"("}})";
  }
  return text + "]}";
}

TEST(Manifest, AnIndexGivesTheHostsImageOrSaysForWhichItIs) {
  const auto text = index_of({{digest_a, "386"}, {digest_b, "amd64"}, {digest_c, "arm64"}});
  ASSERT_TRUE(is_index(text));
  const auto index = parse_index(text);
  ASSERT_TRUE(index);
  EXPECT_EQ(*digest_for(*index, {"linux", "amd64"}), digest_b);
  EXPECT_EQ(*digest_for(*index, {"linux", "arm64"}), digest_c);

  const auto small = parse_index(index_of({{digest_a, "386"}, {digest_c, "unknown"}}));
  EXPECT_EQ(*digest_for(*small, {"linux", "amd64"}), digest_a);
  const auto none = digest_for(*small, {"linux", "arm64"});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Errc::invalid);
  EXPECT_EQ(none.error().message, "it is for linux/386, not for linux/arm64");
  const auto empty = digest_for(ManifestIndex{}, {"linux", "amd64"});
  EXPECT_EQ(empty.error().message, "it is for no platform, not for linux/amd64");
}

TEST(Manifest, AnIndexGivesTheVariantThatIsWanted) {
  const auto index = parse_index(
      R"({"manifests": [{"digest": ")" + digest_a +
      R"(", "platform": {"os": "linux", "architecture": "arm", "variant": "v6"}}, {"digest": ")" +
      digest_b +
      R"(", "platform": {"os": "linux", "architecture": "arm", "variant": "v7"}}, {"digest": ")" +
      digest_c + R"(", "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}}]})");
  ASSERT_TRUE(index);
  EXPECT_EQ(*digest_for(*index, {"linux", "arm"}), digest_a);
  EXPECT_EQ(*digest_for(*index, {"linux", "arm", "v7"}), digest_b);
  EXPECT_EQ(*digest_for(*index, {"linux", "arm64"}), digest_c);
  EXPECT_EQ(*digest_for(*index, {"linux", "arm64", "v8"}), digest_c);
  const auto none = digest_for(*index, {"linux", "arm", "v5"});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().message,
            "it is for linux/arm/v6, linux/arm/v7, linux/arm64/v8, not for linux/arm/v5");
}

TEST(Manifest, APlatformIsReadAsDockerReadsIt) {
  const Platform host{"linux", "amd64"};
  const std::vector<std::pair<std::string, std::string>> rows{
      {"linux/386", "linux/386"},     {"linux/arm/v7", "linux/arm/v7"},
      {"Linux/AMD64", "linux/amd64"}, {"linux/x86_64", "linux/amd64"},
      {"aarch64", "linux/arm64"},     {"arm64/v8", "arm64/v8"},
      {"linux", "linux/amd64"},       {"windows", "windows/amd64"},
      {"linux/armhf", "linux/arm/v7"}};
  for (const auto& [text, expected] : rows) {
    EXPECT_EQ(parse_platform(text, host).text(), expected) << text;
  }
}

TEST(Manifest, AnImageHasTheSizesOfItsManifestAndTheNamesOfItsConfiguration) {
  const std::string text = R"({"config": {"digest": ")" + digest_a +
                           R"(", "size": 9}, "layers": [{"size": 100}, {"size": 20}, {}]})";
  EXPECT_FALSE(is_index(text));
  const auto manifest = parse_manifest(text);
  ASSERT_TRUE(manifest);
  EXPECT_EQ(manifest->config, digest_a);
  const auto image = parse_image_config(R"({"os": "linux", "architecture": "arm64",
      "rootfs": {"diff_ids": ["sha256:1", "sha256:2"]}})",
                                        *manifest);
  ASSERT_TRUE(image);
  EXPECT_EQ(image->platform.text(), "linux/arm64");
  EXPECT_EQ(image->layers, (std::vector<ImageLayer>{{"sha256:1", 100}, {"sha256:2", 20}, {"", 0}}));
}

TEST(Manifest, MalformedDocumentsAreErrors) {
  for (const char* text : {"", "[]", "null", "{}", R"({"config": {"digest": "x"}})",
                           R"({"config": [], "layers": {}})"}) {
    EXPECT_FALSE(parse_manifest(text)) << text;
  }
  for (const char* text : {"", "[]", R"({"manifests": [{"digest": "x"}]})"}) {
    EXPECT_FALSE(parse_index(text)) << text;
  }
  EXPECT_FALSE(parse_image_config("[]", ManifestDocument{}));
  std::string many = R"({"config": {"digest": ")" + digest_a + R"("}, "layers": [{})";
  for (int i = 0; i < 1000; ++i) many += ",{}";
  EXPECT_FALSE(parse_manifest(many + "]}"));
}

}  // namespace
}  // namespace trimtab
