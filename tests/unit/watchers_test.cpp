// The watchers of the sources: what is news, and that nothing else wakes anybody.
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <deque>
#include <vector>

#include "agent/model/facts.hpp"
#include "agent/sources/image_watcher.hpp"
#include "tests/lib/loop.hpp"

namespace trimtab {
namespace {

const Error away{Errc::unavailable, "registry.example cannot be reached", ""};
const Error denied{Errc::denied, "registry.example wants a login", ""};

// An answer that is what was known, value and error, is no news.
TEST(Fact, TellsWhatIsNews) {
  Fact<std::string> fact;
  EXPECT_TRUE(fact.succeed("a"));
  EXPECT_FALSE(fact.succeed("a"));
  EXPECT_TRUE(fact.succeed("b"));
  EXPECT_TRUE(fact.fail(away));
  EXPECT_FALSE(fact.fail(away));
  EXPECT_TRUE(fact.fail(denied));
  EXPECT_EQ(fact.failures, 3);
  EXPECT_TRUE(fact.succeed("b"));
  EXPECT_FALSE(fact.succeed("b"));
}

// Gives one answer after the other.
class ScriptedRegistry final : public Registry {
 public:
  explicit ScriptedRegistry(std::deque<Result<std::string>> answers)
      : answers_(std::move(answers)) {}

  Task<Result<std::string>> digest_of(ImageReference) override {
    Result<std::string> answer = std::move(answers_.front());
    answers_.pop_front();
    co_return answer;
  }
  Task<Result<std::string>> image_digest(ImageReference reference, Platform) override {
    co_return reference.digest;
  }
  Task<Result<ImageManifest>> manifest_of(ImageReference, Platform) override {
    co_return ImageManifest{};
  }
  Task<Result<std::optional<RegistryLogin>>> login_for(std::string) override {
    co_return std::optional<RegistryLogin>{};
  }
  void forget_login(const std::string&) override {}
  [[nodiscard]] bool has_said_all() const { return answers_.empty(); }

 private:
  std::deque<Result<std::string>> answers_;
};

TEST(ImageWatcher, TellsOfNewsAlone) {
  asio::io_context loop;
  ScriptedRegistry registry({Result<std::string>("sha256:1"), Result<std::string>("sha256:1"),
                             Result<std::string>("sha256:2"), Result<std::string>(away),
                             Result<std::string>(away), Result<std::string>("sha256:2")});
  std::map<std::string, Fact<std::string>> facts;
  TaskGroup group(loop.get_executor());
  std::vector<bool> news;
  ImageWatcher* asked = nullptr;
  const auto on_answer = [&](bool is_news) {
    news.push_back(is_news);
    if (!registry.has_said_all()) asked->poll_now();
  };
  ImageWatcher watcher(loop.get_executor(), registry, std::chrono::hours(1), facts, on_answer);
  asked = &watcher;
  watcher.watch({{"acme/web", parse_reference("acme/web").value()}});
  group.spawn("watch", watcher.run());
  while (news.size() < 6) loop.run_one();
  EXPECT_EQ(news, (std::vector<bool>{true, false, true, true, false, true}));
  group.cancel();
  test::run_loop(loop);
}

}  // namespace
}  // namespace trimtab
