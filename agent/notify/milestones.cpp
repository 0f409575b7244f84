#include "agent/notify/milestones.hpp"

#include <fmt/core.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>

#include <vector>

#include "common/log.hpp"

namespace trimtab {
namespace {

void send_to_journal(const std::vector<std::string>& fields) {
  std::vector<iovec> parts;
  for (const std::string& field : fields) {
    // iovec is not const because readv() uses it too; sd_journal_sendv() only reads.
    parts.push_back({const_cast<char*>(field.data()), field.size()});
  }
  ::sd_journal_sendv(parts.data(), static_cast<int>(parts.size()));
}

}  // namespace

std::string_view message_id(Milestone milestone) {
  switch (milestone) {
    case Milestone::phase_begun:
      return "31798a4a5f494505a3b38039cc938cd6";
    case Milestone::deployed:
      return "3714f43f5e5e4c10bc3cac8ac80ab6fe";
    case Milestone::rejected:
      return "2711f20107894625a9db767b7113b92c";
    case Milestone::rolled_back:
      return "790d81e723da4eb491ceb4a1abddb929";
    case Milestone::failed:
      return "784fd75c591e4392abaf222ab885f067";
    case Milestone::superseded:
      return "77e3b0b9cec749b2be5ca726dd067ba2";
    case Milestone::waiting:
      return "9133695d835d4e3f91a8bc7a3aa6b30e";
    case Milestone::resumed:
      return "5956a0248f644c0f8712b5761bce56c2";
    case Milestone::operator_asked:
      return "6e78c33f2e3d403ebdaaaf2d4846ae08";
    case Milestone::unit_changed:
      return "bc425d7073ff44bf9147d400230e0257";
    case Milestone::note:
      return "21da7417b44c4c78845805a2757d3303";
  }
  return {};
}

void log_milestone(Milestone milestone, spdlog::level::level_enum level,
                   const MilestoneFields& fields, const std::string& message) {
  const std::string line = fields.stack + ": " + message;
  if (!spdlog::should_log(level)) return;
  if (!journal_reads_log()) {
    spdlog::log(level, "{}", line);
    return;
  }
  std::vector<std::string> journal{"MESSAGE=" + log_line(line),
                                   std::string("PRIORITY=") + syslog_priority(level),
                                   fmt::format("MESSAGE_ID={}", message_id(milestone)),
                                   "SYSLOG_IDENTIFIER=trimtabd", "TRIMTAB_STACK=" + fields.stack};
  if (fields.release != 0) journal.push_back(fmt::format("TRIMTAB_RELEASE={}", fields.release));
  if (!fields.phase.empty()) journal.push_back("TRIMTAB_PHASE=" + fields.phase);
  if (!fields.commit.empty()) journal.push_back("TRIMTAB_COMMIT=" + fields.commit);
  send_to_journal(journal);
}

}  // namespace trimtab
