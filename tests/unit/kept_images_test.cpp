// Images of releases that are kept no more go, also where it was cut off.
#include <gtest/gtest.h>

#include "agent/reconcile/kept_images.hpp"
#include "tests/lib/absent_docker.hpp"
#include "tests/lib/loop.hpp"
#include "tests/lib/temporary_folder.hpp"

namespace trimtab {
namespace {

const std::string digest = "acme/web@sha256:" + std::string(64, 'b');

// Has one image, which goes with its last name, as with containerd's store.
class OneImage final : public test::AbsentDocker {
 public:
  std::set<std::string> names{"trimtab.local/shop/web:1", digest};
  bool is_used = false;
  int answers = 1000;  // until it is away

  Task<Result<std::vector<std::string>>> tags_below(std::string prefix) override {
    if (--answers < 0) co_return away();
    std::vector<std::string> tags;
    for (const std::string& name : names) {
      if (name.starts_with(prefix)) tags.push_back(name);
    }
    co_return tags;
  }
  Task<Result<std::vector<Container>>> all_containers() override {
    if (--answers < 0) co_return away();
    Container container;
    container.image_id = "sha256:id";
    co_return std::vector<Container>(is_used ? 1 : 0, container);
  }
  Task<Result<Image>> image(std::string reference) override {
    if (--answers < 0) co_return away();
    const bool is_there = names.contains(reference) || (reference == "sha256:id" && !names.empty());
    if (!is_there) co_return Error{Errc::not_found, "no such image", {}};
    Image image;
    image.id = "sha256:id";
    for (const std::string& name : names) {
      (name.find('@') == std::string::npos ? image.repo_tags : image.repo_digests).push_back(name);
    }
    co_return image;
  }
  Task<Result<void>> remove_image(std::string reference) override {
    if (--answers < 0) co_return away();
    names.erase(reference);
    co_return Result<void>();
  }

 private:
  static Error away() { return Error{Errc::unavailable, "Docker does not answer", {}}; }
};

struct KeptImages : testing::Test {
  bool remove() {
    const auto tidy = test::await(loop, remove_retired_images(docker, store, "shop"));
    return tidy && *tidy;
  }

  test::TemporaryFolder folder;
  asio::io_context loop;
  Store store = *Store::open(loop.get_executor(), folder / "shop");
  OneImage docker;
};

TEST_F(KeptImages, GoWithTheirReleaseWhereverDockerGoesAway) {
  bool is_cut_off = true;
  for (int answers = 0; is_cut_off; ++answers) {
    SCOPED_TRACE(answers);
    docker.names = OneImage().names;
    docker.answers = answers;
    const bool is_tidy = remove();
    is_cut_off = docker.answers < 0;
    EXPECT_EQ(is_tidy, !is_cut_off);
    docker.answers = 1000;
    EXPECT_TRUE(remove());
    EXPECT_EQ(docker.names, std::set<std::string>{}) << "nobody knows of it any more";
  }
}

TEST_F(KeptImages, StayWhereAContainerUsesThem) {
  docker.is_used = true;
  EXPECT_FALSE(remove());
  EXPECT_EQ(docker.names.size(), 2U);
  docker.is_used = false;
  EXPECT_TRUE(remove());
  EXPECT_EQ(docker.names.size(), 0U);
}

TEST_F(KeptImages, KeepTheNamesThatSomebodyElseGaveThem) {
  docker.names.insert("somebody/web:latest");
  EXPECT_TRUE(remove());
  EXPECT_EQ(docker.names, (std::set<std::string>{digest, "somebody/web:latest"}));
}

}  // namespace
}  // namespace trimtab
