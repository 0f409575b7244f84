#include "cli/init_questions.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "common/text.hpp"

namespace trimtab::cli {

namespace {

Result<std::string> read_answer(const std::string& prompt) {
  std::fputs(prompt.c_str(), stdout);
  std::fflush(stdout);
  std::string line;
  if (std::getline(std::cin, line)) return std::string(trim(printable(line)));
  std::fputs("\n", stdout);
  return Error{Errc::cancelled, "stopped: the input ended", {}};
}

}  // namespace

Questions::Questions(bool yes)
    : yes_(yes), interactive_(::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1) {}

Result<std::string> Questions::ask(const Question& question) const {
  const bool take_proposal = yes_ && !question.proposal.empty();
  if (!question.given.empty() || take_proposal) {
    const std::string& answer = question.given.empty() ? question.proposal : question.given;
    const std::string wrong = question.complaint(answer);
    if (wrong.empty()) return answer;
    return Error{Errc::invalid, question.option + ": " + wrong, {}};
  }
  if (!interactive_) {
    Error error{Errc::invalid, question.option + " is missing, and there is no terminal to ask on",
                "use " + question.option};
    if (!question.proposal.empty())
      error.hint += fmt::format(", or --yes to accept \"{}\"", question.proposal);
    return error;
  }
  const std::string prompt =
      question.words + (question.proposal.empty() ? "" : " [" + question.proposal + "]") + ": ";
  while (true) {
    auto answer = read_answer(prompt);
    if (!answer) return answer.error();
    if (answer->empty()) *answer = question.proposal;
    if (answer->empty()) continue;
    const std::string wrong = question.complaint(*answer);
    if (wrong.empty()) return answer;
    std::printf("  %s\n", printable(wrong).c_str());
  }
}

Result<bool> Questions::confirm(const std::string& words) const {
  const auto answer = read_answer(words + " (yes/no): ");
  if (!answer) return answer.error();
  return *answer == "yes";
}

Result<void> Questions::wait(const std::string& words) const {
  const auto answer = read_answer(words);
  if (!answer) return answer.error();
  return {};
}

}  // namespace trimtab::cli
