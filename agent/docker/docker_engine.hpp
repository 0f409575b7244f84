// Docker over the Engine's HTTP API on its Unix socket.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/docker/docker.hpp"
#include "agent/docker/engine_json.hpp"
#include "common/http_client.hpp"

namespace trimtab {

// More than 15 members: it implements all calls of Docker on the same few exchange functions.
class DockerEngine final : public Docker {
 public:
  // Called before each exchange. If it fails, the call fails with its error and the socket is not
  // touched.
  using MayConnect = std::function<Task<Result<void>>()>;

  // Connects on the first call, not before. All calls must run on one event loop, which must
  // outlive this object.
  explicit DockerEngine(std::string socket_path, MayConnect may_connect = nullptr);

  Task<Result<EngineInfo>> info() override;
  Task<Result<std::vector<Container>>> project_containers(std::string project) override;
  Task<Result<std::vector<Container>>> all_containers() override;
  Task<Result<std::set<std::string>>> networks() override;
  Task<Result<std::set<std::string>>> volumes() override;
  Task<Result<Image>> image(std::string reference) override;
  Task<Result<std::vector<std::string>>> tags_below(std::string prefix) override;
  Task<Result<void>> pull(std::string repository, std::string digest, std::string platform,
                          std::optional<RegistryLogin> login,
                          std::function<void(const PullProgress&)> on_progress) override;
  Task<Result<void>> tag_image(std::string reference, std::string repository,
                               std::string tag) override;
  Task<Result<void>> remove_image(std::string reference) override;
  Task<Result<std::string>> last_log_lines(std::string container, int lines) override;
  Task<Result<void>> follow_logs(std::string container, LogRange range, bool follow,
                                 std::function<bool(std::string_view line)> on_line) override;
  Task<Result<int>> exec(ExecRequest request,
                         std::function<void(std::string_view line)> on_line) override;
  Task<Result<void>> start(std::string container) override;
  Task<Result<void>> stop(std::string container) override;
  Task<Result<void>> restart(std::string container) override;
  Task<Result<void>> signal(std::string container, std::string signal) override;
  Task<Result<ThrowawayResult>> run_throwaway(ThrowawayRequest request) override;
  Task<Result<std::uint64_t>> memory_used(std::string container) override;
  Task<Result<void>> remove(std::string container) override;
  Task<Result<void>> events(std::int64_t since_nano, std::function<void()> on_connected,
                            std::function<void(const EngineEvent&)> on_event) override;

 private:
  // Returns the path prefix of the negotiated version ("/v1.41"), negotiating it first if
  // necessary.
  Task<Result<std::string>> version_prefix();
  // Sends one request, on an idle connection if there is one.
  Task<Result<http::Response>> send(http::Request request, SteadyClock::duration timeout);
  // Sends a request below the version prefix. If the Engine refuses the version, renegotiates and
  // retries once.
  Task<Result<http::Response>> call(http::Request request, SteadyClock::duration timeout);
  Task<Result<http::Response>> call(std::string method, std::string path,
                                    SteadyClock::duration timeout);
  Task<Result<http::Response>> post(std::string path, Json body);
  // Returns the JSON response to a GET. `what` begins the text of an error.
  Task<Result<Json>> get(std::string path, std::string what);
  Task<Result<Json>> inspect(std::string container);
  // A call that changes something. Succeeds on statuses 2xx and `also_fine`.
  Task<Result<void>> change(std::string method, std::string path, std::string what, int also_fine,
                            SteadyClock::duration timeout);
  // `verb` is stop or restart. The timeout allows for the container's own stop grace period.
  Task<Result<void>> stop_gracefully(std::string container, std::string verb);
  // Streams a response on a connection of its own; as call() where the Engine refuses the version.
  Task<Result<http::Response>> stream(http::Request request, SteadyClock::duration idle,
                                      std::function<void()> on_open, http::OnChunk on_chunk);
  Task<Result<ThrowawayResult>> perform_throwaway(ThrowawayRequest request);
  // Returns the exit code of a command whose output has ended.
  Task<Result<int>> exec_result(std::string id);
  Error unreachable(const Error& error);
  Task<Result<void>> may_connect();

  std::string socket_path_;
  MayConnect may_connect_;
  std::optional<ApiVersion> version_;  // none: negotiate before the next call
  std::vector<http::Connection> idle_;
};

}  // namespace trimtab
