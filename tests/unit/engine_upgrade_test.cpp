// An Engine that is replaced, between any two calls, by one that speaks another API version.
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <map>
#include <string>
#include <vector>

#include "agent/docker/docker_engine.hpp"
#include "common/http_server.hpp"
#include "tests/lib/loop.hpp"
#include "tests/lib/temporary_folder.hpp"

namespace trimtab {
namespace {

// Answers each call once, in the API version that it speaks then, after which it speaks another.
class ReplacedEngine {
 public:
  explicit ReplacedEngine(const std::string& socket)
      : server_(
            loop_.get_executor(), *http::listen_unix(socket, 0600, ""), http::ServerLimits(),
            [](const http::Peer&) { return true; },
            [this](http::Request request, http::Peer) { return reply(std::move(request)); }) {
    asio::co_spawn(loop_, server_.run(), asio::detached);
  }

  // Runs the task to its end, and then the server's sessions.
  template <class T>
  T await(Task<T> task) {
    std::optional<T> result;
    asio::co_spawn(loop_, finish(std::move(task), &result), asio::detached);
    test::run_loop(loop_);
    return std::move(result).value();
  }

  void answer(const std::string& call, int status, const std::string& body) {
    answers_[call] = {status, body};
  }
  [[nodiscard]] int refused() const { return refused_; }

 private:
  template <class T>
  Task<void> finish(Task<T> task, std::optional<T>* into) {
    into->emplace(co_await std::move(task));
    server_.stop();
    co_await server_.idle();
  }

  Task<http::Reply> reply(http::Request request) {
    http::Reply reply;
    const std::string version = is_newer_ ? "1.44" : "1.43";
    reply.response.status = 200;
    if (request.target == "/version") {
      reply.response.body =
          R"({"ApiVersion": ")" + version + R"(", "MinAPIVersion": ")" + version + R"("})";
      co_return reply;
    }
    const std::string prefix = "/v" + version;
    if (!request.target.starts_with(prefix + "/")) {
      ++refused_;
      reply.response.status = 400;
      reply.response.body = R"({"message": "client version is not supported"})";
      co_return reply;
    }
    is_newer_ = !is_newer_;
    const std::string path = request.target.substr(prefix.size());
    const auto found = answers_.find(request.method + " " + path.substr(0, path.find('?')));
    if (found == answers_.end()) {
      reply.response.status = 404;
      co_return reply;
    }
    reply.response.status = found->second.first;
    reply.response.body = found->second.second;
    co_return reply;
  }

  asio::io_context loop_{1};
  std::map<std::string, std::pair<int, std::string>> answers_;
  bool is_newer_ = false;
  int refused_ = 0;
  http::Server server_;
};

const std::string line_of_log("\1\0\0\0\0\0\0\3hi\n", 11);

class AnUpgrade : public ::testing::Test {
 protected:
  test::TemporaryFolder folder_;
  ReplacedEngine server_{folder_ / "docker.sock"};
  DockerEngine engine_{folder_ / "docker.sock"};
  std::vector<std::string> lines_;
  std::function<bool(std::string_view)> keep_ = [this](std::string_view line) {
    lines_.emplace_back(line);
    return true;
  };
};

TEST_F(AnUpgrade, IsNotNoticedByACommand) {
  server_.answer("POST /containers/web/exec", 201, R"({"Id": "e"})");
  server_.answer("POST /exec/e/start", 200, line_of_log);
  server_.answer("GET /exec/e/json", 200, R"({"Running": false, "ExitCode": 3})");
  const auto ended = server_.await(
      engine_.exec({"web", {"pg_dump"}, {}}, [this](std::string_view line) { keep_(line); }));
  ASSERT_TRUE(ended) << ended.error().text();
  EXPECT_EQ(*ended, 3);
  EXPECT_EQ(lines_, std::vector<std::string>{"hi"});
  EXPECT_EQ(server_.refused(), 2);
}

TEST_F(AnUpgrade, IsNotNoticedByATrial) {
  server_.answer("GET /containers/web/json", 200,
                 R"({"NetworkSettings": {"Networks": {"a": {}, "b": {}}}})");
  server_.answer("POST /containers/create", 201, "{}");
  server_.answer("POST /networks/a/connect", 200, "");
  server_.answer("POST /networks/b/connect", 200, "");
  server_.answer("POST /containers/trial/start", 204, "");
  server_.answer("POST /containers/trial/wait", 200, R"({"StatusCode": 1})");
  server_.answer("GET /containers/trial/json", 200, R"({"Config": {}})");
  server_.answer("GET /containers/trial/logs", 200, line_of_log);
  ThrowawayRequest request;
  request.name = "trial";
  request.like = "web";
  request.image = "nginx";
  request.argv = {"nginx", "-t"};
  const auto ended = server_.await(engine_.run_throwaway(request));
  ASSERT_TRUE(ended) << ended.error().text();
  EXPECT_EQ(ended->exit_code, 1);
  EXPECT_EQ(ended->output, "hi");
}

TEST_F(AnUpgrade, IsNotNoticedByAStream) {
  server_.answer("GET /containers/web/json", 200, R"({"Config": {}})");
  server_.answer("GET /containers/web/logs", 200, line_of_log);
  const auto ended = server_.await(engine_.follow_logs("web", {10, {}}, true, keep_));
  ASSERT_TRUE(ended) << ended.error().text();
  EXPECT_EQ(lines_, std::vector<std::string>{"hi"});
}

}  // namespace
}  // namespace trimtab
