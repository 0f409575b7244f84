// The log lines that matter to users: one per step. In the journal they carry fields, so that
// `journalctl -u trimtabd TRIMTAB_STACK=shop` and MESSAGE_ID= select them.
#pragma once

#include <spdlog/common.h>

#include <string>
#include <string_view>

namespace trimtab {

enum class Milestone {
  phase_begun,
  deployed,
  rejected,
  rolled_back,
  failed,
  superseded,
  waiting,  // for Docker, a registry, an image, a remote
  resumed,  // what a previous process of the daemon had begun
  operator_asked,
  unit_changed,
  note,
};

// 128-bit id in hexadecimal; must never change. Source: sd_journal_print(3).
std::string_view message_id(Milestone milestone);

struct MilestoneFields {
  std::string stack;
  int release = 0;     // 0: none
  std::string phase;   // "": none
  std::string commit;  // "": none
};

// Logs "shop: MESSAGE" at this level.
void log_milestone(Milestone milestone, spdlog::level::level_enum level,
                   const MilestoneFields& fields, const std::string& message);

}  // namespace trimtab
