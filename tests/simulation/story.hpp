// What happens in a life, as values: drawn from a seed, shortened by leaving events out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/simulation/virtual_clock.hpp"

namespace trimtab::simulation {

enum class Happening {
  push_good,
  push_unchanged,       // the files of the commit before
  push_that_ends,       // its container ends at once
  push_that_ails,       // its health check fails
  push_that_ends_late,  // after the gate, on probation
  push_without_services,
  push_before_image,  // CI pushes the image after the commit
  image_good,         // the tag moves
  image_that_ends,
  image_that_cannot_start,
  edit_env_good,
  edit_env_bad,
  deploy,
  roll_back,
  roll_back_to,  // a release that was good, whatever is known of it since
  pause,
  resume,
  remove_by_hand,
  stop_by_hand,
  kill_by_hand,
  wear_out,       // web's process ends by itself from then on, again and again
  run_beside,     // a container with the labels of web, made by somebody else
  remove_beside,  // all that were made so
  lose_volume,    // with the container that uses it
  bring_volume_back,
  restart_engine,
  remote_away,
  registry_away,
  compose_fails,
  hinder_way_back,  // Compose fails once it goes back
  kill_daemon,
  kill_between_changes,  // of files
  cut_power,             // what was not synced is lost
  cut_power_between_changes,
  fill_disk,
  rest,  // until whatever goes on has come to its end
  // Of some lives only, which draw none of those above less for them.
  starts_first,        // web is replaced start-first, from the first commit on
  kill_between_calls,  // of the Engine or Compose
  cut_power_between_calls,
  has_hooks,                 // the stack
  push_that_cannot_migrate,  // its hook fails, or does not end
  hooks_fail,
  hooks_hang,
  has_unit,  // systemd runs on this host, and boots the stack
  stop_unit,
  start_unit,
  restart_unit,
  disable_unit,  // and sometimes stop it at once
  enable_unit,   // and start it
  edit_unit,     // its file, or remove it
  systemd_away,
};
inline constexpr int happenings = static_cast<int>(Happening::systemd_away) + 1;

std::string_view to_string(Happening happening);

struct StoryEvent {
  WorldTime at{0};
  Happening what = Happening::push_good;
  std::uint64_t detail = 0;  // which service, for how long
};

// By time. The same seed gives the same story.
std::vector<StoryEvent> story_of(std::uint64_t seed);

}  // namespace trimtab::simulation
