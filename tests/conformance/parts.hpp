// An Engine and a Compose, simulated or real, behind the daemon's seams, and what the suite needs
// of the world around them. Each program of the suite links one kind.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <functional>
#include <memory>

#include "agent/compose/compose.hpp"
#include "agent/docker/docker.hpp"
#include "common/task_scope.hpp"

namespace trimtab::conformance {

// What a service of the suite does once it is started.
enum class Does { serves, ends_with_1, has_no_such_command };

class Parts {
 public:
  virtual ~Parts() = default;
  virtual Docker& docker() = 0;
  virtual Compose& compose() = 0;
  virtual asio::io_context& loop() = 0;
  // Lets the loop run until the condition holds; false where it does not within a minute.
  virtual bool turn_until(std::function<bool()> condition) = 0;

  // A folder that is the test's own; its live/ is the stack's directory.
  virtual std::filesystem::path folder() = 0;
  // The registry has images 1 to 5. Tests may run beside each other: one alone has 3 and 4 and
  // removes them, and nobody pulls 5.
  virtual std::string repository() = 0;
  virtual std::string digest(int image) = 0;
  // A service of such an image, as a compose file has it.
  virtual Json service(int image, Does does) = 0;
  // As `docker volume rm`, and first those of the project's containers.
  virtual void remove_volume(const std::string& name) = 0;
  // Whether a container's first process, which runs, ends when it is told to.
  virtual bool heeds_stop(int process) = 0;
  // As `docker run -d` of image 1, with these labels.
  virtual void run_labelled(const std::string& name,
                            const std::map<std::string, std::string>& labels) = 0;
};

// By the name of a Compose that instantiates the suite.
std::unique_ptr<Parts> make_parts(const std::string& compose, const std::string& project);

class Conformance : public testing::TestWithParam<std::string> {
 protected:
  Conformance();
  ~Conformance() override;

  template <class T>
  T await(Task<T> task) {
    std::optional<T> result;
    std::exception_ptr failure;
    asio::co_spawn(parts->loop(), std::move(task), [&](std::exception_ptr error, T value) {
      failure = std::move(error);
      result.emplace(std::move(value));
    });
    if (!parts->turn_until([&] { return result.has_value(); })) {
      throw std::runtime_error("a call did not finish within a minute");
    }
    if (failure) std::rethrow_exception(failure);
    return std::move(*result);
  }
  // "ok", or the code of the error, of which a failed test shows the words.
  template <class T>
  std::string said(const Result<T>& result) {
    return result ? "ok" : told(result.error());
  }

  Result<void> pull(int image);
  [[nodiscard]] std::string pinned(int image) {
    return parts->repository() + "@" + parts->digest(image);
  }
  // Waits until each container that runs heeds a stop: one that has just started is killed by it
  // once its grace period is over.
  void settle();
  // A file of these services, with named volumes for what they mount.
  std::filesystem::path compose_file(const std::map<std::string, Json>& services);
  // Settles, too.
  std::string up(const std::map<std::string, Json>& services, std::vector<std::string> named,
                 bool force_recreate = false, std::optional<int> add_up_to = std::nullopt);
  // Those of the project.
  std::vector<Container> containers();
  Container container(const std::string& service);
  bool wait_for(const std::string& service, std::function<bool(const Container&)> condition);

  // Waits for as many events as are expected, and gives all that came since the last call: "web.1
  // start", where web.1 is the first container of web that the test has seen. When a health check
  // is made is chance. A "stop" comes after the "die" that it caused.
  std::vector<std::string> events(std::size_t expected);

  const std::string project;
  std::unique_ptr<Parts> parts;
  std::string last_words;

 private:
  std::string told(const Error& error);
  std::string name_of(const EngineEvent& event);

  std::vector<EngineEvent> seen_;
  std::size_t reported_ = 0;
  std::map<std::string, std::string> names_;  // by id
  std::map<std::string, int> counts_;         // by service
  std::optional<TaskGroup> watching_;
};

class EngineConformance : public Conformance {};
class ComposeConformance : public Conformance {};

}  // namespace trimtab::conformance
