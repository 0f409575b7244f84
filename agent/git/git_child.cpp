#include "agent/git/git_child.hpp"

#include <fmt/core.h>

#include "agent/git/git_errors.hpp"
#include "common/text.hpp"

namespace trimtab {

namespace {

// Enough for the file list of a large repository.
constexpr std::size_t max_output = 64 * 1024 * 1024;

}  // namespace

Task<Result<Exit>> run_git(GitCall call) {
  Command command;
  command.argv = {"git"};
  command.argv.insert(command.argv.end(), call.arguments.begin(), call.arguments.end());
  command.environment = std::move(call.environment);
  command.directory = std::move(call.directory);
  command.input = std::move(call.input);
  command.timeout = call.timeout;
  command.output_limit = max_output;
  // Standard error includes messages of the server, which are shown to users; nobody reads more
  // than this.
  command.error_limit = 64 * 1024;
  auto exit = co_await run(std::move(command));
  if (exit && exit->out_truncated) {
    co_return Error{
        Errc::too_large,
        fmt::format("git {} printed more than {}", call.arguments.front(), human_size(max_output)),
        {}};
  }
  co_return exit;
}

Task<Result<std::string>> git_output(std::string what, GitCall call) {
  auto exit = co_await run_git(std::move(call));
  if (!exit) co_return exit.error().context("cannot " + what);
  if (!exit->ok()) co_return explain_local_failure(what, exit->err);
  co_return std::move(exit->out);
}

std::vector<std::string> fields(const std::string& output, char separator) {
  auto parts = split(output, separator);
  if (parts.back().empty()) parts.pop_back();
  return parts;
}

bool is_object_id(std::string_view text) {
  return (text.size() == 40 || text.size() == 64) &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace trimtab
