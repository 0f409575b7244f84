// Finding addresses while name servers do not answer.
#include <arpa/inet.h>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <netdb.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "common/http_client.hpp"
#include "common/resolver.hpp"

namespace {

// Name servers that answer only once they are let.
struct NameServers {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::string, int> asked;  // times that each silent name was looked up
  int silent = 0;                    // look-ups that wait
  bool answer = false;
};

NameServers& name_servers() {
  static NameServers servers;
  return servers;
}

bool is_silent(const char* name) {
  return name != nullptr && std::string(name).ends_with(".silent.test");
}

}  // namespace

// In place of the C library's, which it calls for all but names in silent.test.
extern "C" int getaddrinfo(const char* name, const char* service, const addrinfo* hints,
                           addrinfo** found) {
  if (is_silent(name)) {
    NameServers& servers = name_servers();
    std::unique_lock lock(servers.mutex);
    ++servers.asked[name];
    ++servers.silent;
    servers.changed.notify_all();
    servers.changed.wait(lock, [&] { return servers.answer; });
    --servers.silent;
    servers.changed.notify_all();
    return EAI_AGAIN;
  }
  using Function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const auto real = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  return real(name, service, hints, found);
}

namespace trimtab {
namespace {

using namespace std::chrono_literals;
using Addresses = std::vector<asio::ip::tcp::endpoint>;

class Resolver : public ::testing::Test {
 protected:
  Resolver() { name_servers().answer = false; }
  ~Resolver() override {
    let_answer();
    std::unique_lock lock(name_servers().mutex);
    name_servers().changed.wait(lock, [] { return name_servers().silent == 0; });
    name_servers().asked.clear();
  }

  static void let_answer() {
    const std::lock_guard lock(name_servers().mutex);
    name_servers().answer = true;
    name_servers().changed.notify_all();
  }

  static void wait_until_asked(int count) {
    std::unique_lock lock(name_servers().mutex);
    name_servers().changed.wait(lock, [&] { return name_servers().silent >= count; });
  }

  // Its result lies in `into` once there is one.
  template <class T>
  void begin(Task<T> task, std::optional<T>* into) {
    asio::co_spawn(loop_, store(std::move(task), into), asio::detached);
  }

  template <class T>
  static Task<void> store(Task<T> task, std::optional<T>* into) {
    into->emplace(co_await std::move(task));
  }

  // Until the condition holds, or for a time in which it must.
  template <class Condition>
  void run_until(Condition condition) {
    const auto end = SteadyClock::now() + 10s;
    while (!condition() && SteadyClock::now() < end) {
      loop_.restart();
      loop_.run_one_until(end);
    }
  }

  // `timeout`: of the whole exchange.
  static Task<Result<http::Response>> ask(std::string host, SteadyClock::duration timeout) {
    http::Endpoint endpoint;
    endpoint.host = std::move(host);
    endpoint.port = 1;
    http::Connection connection(endpoint);
    http::Request request;
    request.target = "/";
    http::Limits limits;
    limits.timeout = timeout;
    auto exchange = connection.exchange(std::move(request), limits);
    auto response = co_await std::move(exchange);
    co_return response;
  }

  asio::io_context loop_{1};
};

TEST_F(Resolver, ADeadlinePassesWhileANameHasNoAnswer) {
  std::optional<Result<http::Response>> late;
  begin(ask("registry.silent.test", 20ms), &late);
  run_until([&] { return late.has_value(); });
  ASSERT_TRUE(late) << "it waits for the name servers";
  EXPECT_EQ(late->error().code, Errc::timed_out) << late->error().text();
}

TEST_F(Resolver, ANameWithoutAnAnswerHoldsUpNoOther) {
  std::optional<Result<http::Response>> silent;
  std::optional<Result<http::Response>> other;
  begin(ask("registry.silent.test", 1h), &silent);
  begin(ask("localhost", 1h), &other);
  run_until([&] { return other.has_value(); });
  ASSERT_TRUE(other) << "it waits for the other name";
  EXPECT_NE(other->error().message.find("cannot connect to localhost"), std::string::npos)
      << other->error().text();
  EXPECT_FALSE(silent);
  let_answer();
  run_until([&] { return silent.has_value(); });
  ASSERT_TRUE(silent);
  EXPECT_EQ(silent->error().code, Errc::unavailable);
  EXPECT_EQ(silent->error().message.find("cannot resolve registry.silent.test: "), 0U)
      << silent->error().text();
}

TEST_F(Resolver, ANameIsLookedUpOnceAtATime) {
  std::optional<Result<Addresses>> first;
  std::optional<Result<Addresses>> second;
  begin(resolve("git.silent.test", 22), &first);
  begin(resolve("git.silent.test", 443), &second);
  loop_.poll();
  wait_until_asked(1);
  EXPECT_EQ(name_servers().asked.at("git.silent.test"), 1);
  let_answer();
  run_until([&] { return first && second; });
  ASSERT_TRUE(first && second);
  EXPECT_EQ(name_servers().asked.at("git.silent.test"), 1);
  // The failure is not kept.
  std::optional<Result<Addresses>> third;
  begin(resolve("git.silent.test", 443), &third);
  run_until([&] { return third.has_value(); });
  EXPECT_EQ(name_servers().asked.at("git.silent.test"), 2);
}

TEST_F(Resolver, MoreNamesThanThreadsWait) {
  constexpr int names = 20;
  constexpr int threads = 16;
  std::vector<std::optional<Result<Addresses>>> results(names);
  for (int i = 0; i < names; ++i) {
    begin(resolve(std::to_string(i) + ".silent.test", 443), &results[static_cast<std::size_t>(i)]);
  }
  loop_.poll();
  wait_until_asked(threads);
  EXPECT_EQ(name_servers().asked.size(), static_cast<std::size_t>(threads));
  let_answer();
  const auto all = [&] {
    return std::all_of(results.begin(), results.end(), [](const auto& one) { return one; });
  };
  run_until(all);
  EXPECT_TRUE(all());
}

TEST_F(Resolver, TheLoopMayEndBeforeAnAnswer) {
  auto loop = std::make_unique<asio::io_context>(1);
  std::optional<Result<Addresses>> result;
  asio::co_spawn(*loop, store(resolve("registry.silent.test", 443), &result), asio::detached);
  loop->poll();
  wait_until_asked(1);
  loop.reset();
  EXPECT_FALSE(result);
}

TEST_F(Resolver, FindsTheAddressesOfANameAndOfAnAddress) {
  for (const std::string host : {"localhost", "127.0.0.1", "::1"}) {
    std::optional<Result<Addresses>> result;
    begin(resolve(host, 443), &result);
    run_until([&] { return result.has_value(); });
    ASSERT_TRUE(result && *result) << host;
    for (const auto& endpoint : **result) {
      EXPECT_TRUE(endpoint.address().is_loopback()) << host;
      EXPECT_EQ(endpoint.port(), 443) << host;
    }
  }
}

}  // namespace
}  // namespace trimtab
