// Following logs that Docker breaks off.
#include "agent/api/log_stream.hpp"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <deque>

#include "tests/lib/absent_docker.hpp"
#include "tests/lib/loop.hpp"

namespace trimtab {
namespace {

using std::chrono::hours;

// One container, whose log comes in pieces: each is what one stream has until Docker breaks it off.
class BreakingDocker final : public test::AbsentDocker {
 public:
  struct Piece {
    std::string line;
    Result<void> end;
  };
  std::deque<Piece> pieces;
  std::vector<LogRange> asked;

  Task<Result<void>> follow_logs(std::string, LogRange range, bool,
                                 std::function<bool(std::string_view)> on_line) override {
    asked.push_back(range);
    if (pieces.empty()) {
      const Result<void> slept = co_await sleep_for(hours(1));
      co_return slept;
    }
    const Piece piece = std::move(pieces.front());
    pieces.pop_front();
    on_line(piece.line);
    co_return piece.end;
  }
};

// A client that hangs up once it has seen a text; "": never.
class Client final : public http::Stream {
 public:
  explicit Client(std::string last) : last_(std::move(last)) {}
  Task<bool> write(std::string bytes) override {
    seen += bytes;
    co_return last_.empty() || seen.find(last_) == std::string::npos;
  }
  std::string seen;

 private:
  std::string last_;
};

class FollowedLog : public ::testing::Test {
 protected:
  FollowedLog() {
    container_.id = "c1";
    container_.service = "web";
    container_.state = ContainerState::running;
    container_.started_at = wall_now() - hours(2);
    // Of an earlier run, all of which was read long ago.
    container_.finished_at = wall_now() - hours(3);
  }

  void follow(Client* client) {
    const FindContainers find = [this] { return found(); };
    LogRequest request;
    request.tail = 10;
    request.follow = true;
    auto stream = stream_logs(loop_.get_executor(), &docker_, find, request, client);
    test::await(loop_, finish(std::move(stream)));
  }

  static Task<bool> finish(Task<void> task) {
    co_await std::move(task);
    co_return true;
  }
  Task<Result<std::vector<Container>>> found() {
    ++looks_;
    if (looks_ == gone_at_look_) co_return Error{Errc::not_found, "no such stack", {}};
    co_return std::vector<Container>{container_};
  }

  asio::io_context loop_{1};
  BreakingDocker docker_;
  Container container_;
  int looks_ = 0;
  int gone_at_look_ = 0;  // 0: never
};

TEST_F(FollowedLog, GoesOnWhereDockerBrokeItOff) {
  const Error lost{Errc::unavailable, "lost the connection to Docker", {}};
  docker_.pieces = {{"one", {}}, {"two", lost}, {"three", {}}};
  Client client("three");
  const WallTime before = wall_now();
  follow(&client);
  EXPECT_EQ(client.seen,
            "web | one\nweb | two\nweb | (the log breaks off here: lost the connection to "
            "Docker)\nweb | three\n");
  ASSERT_EQ(docker_.asked.size(), 3U);
  EXPECT_FALSE(docker_.asked[0].since);
  for (std::size_t i = 1; i < 3; ++i) {
    ASSERT_TRUE(docker_.asked[i].since);
    EXPECT_GE(*docker_.asked[i].since, before) << "what was read is read twice";
  }
}

TEST_F(FollowedLog, EndsForGoodWhereItCannotBeReadOrTheContainerHasEnded) {
  const struct {
    Result<void> end;
    ContainerState state;
  } rows[] = {
      {Error{Errc::failed, "the logging driver cannot be read", {}}, ContainerState::running},
      {{}, ContainerState::exited},
  };
  for (const auto& row : rows) {
    docker_.pieces = {{"one", row.end}, {"two", {}}};
    docker_.asked.clear();
    container_.state = row.state;
    looks_ = 0;
    gone_at_look_ = 3;
    Client client("");
    follow(&client);
    EXPECT_EQ(docker_.asked.size(), 1U) << client.seen;
  }
}

}  // namespace
}  // namespace trimtab
