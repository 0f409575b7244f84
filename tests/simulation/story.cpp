#include "tests/simulation/story.hpp"

#include <algorithm>
#include <random>

namespace trimtab::simulation {

using namespace std::chrono_literals;

std::string_view to_string(Happening happening) {
  switch (happening) {
    case Happening::push_good:
      return "a good commit is pushed";
    case Happening::push_unchanged:
      return "a commit is pushed that changes no file";
    case Happening::push_that_ends:
      return "a commit is pushed whose web ends at once";
    case Happening::push_that_ails:
      return "a commit is pushed whose web becomes unhealthy";
    case Happening::push_that_ends_late:
      return "a commit is pushed whose web ends after the gate";
    case Happening::push_without_services:
      return "a commit is pushed without services";
    case Happening::push_before_image:
      return "a commit is pushed before its image";
    case Happening::image_good:
      return "the tag of web moves to a good image";
    case Happening::image_that_ends:
      return "the tag of web moves to an image that ends at once";
    case Happening::image_that_cannot_start:
      return "the tag of web moves to an image without its command";
    case Happening::edit_env_good:
      return ".env is edited and good";
    case Happening::edit_env_bad:
      return ".env is edited, and web ends at once with it";
    case Happening::deploy:
      return "an operator deploys";
    case Happening::roll_back:
      return "an operator goes back";
    case Happening::roll_back_to:
      return "an operator goes back to a release of their choice";
    case Happening::pause:
      return "an operator pauses";
    case Happening::resume:
      return "an operator resumes";
    case Happening::remove_by_hand:
      return "somebody removes a container";
    case Happening::stop_by_hand:
      return "somebody stops a container";
    case Happening::kill_by_hand:
      return "a process is killed";
    case Happening::wear_out:
      return "the process of web begins to end by itself";
    case Happening::run_beside:
      return "somebody runs a container with the labels of web";
    case Happening::remove_beside:
      return "somebody removes what they ran with the labels of web";
    case Happening::lose_volume:
      return "somebody removes db and its volume";
    case Happening::bring_volume_back:
      return "somebody brings the volume of db back";
    case Happening::restart_engine:
      return "Docker is restarted";
    case Happening::remote_away:
      return "the remote is away";
    case Happening::registry_away:
      return "the registry is away";
    case Happening::compose_fails:
      return "Compose fails";
    case Happening::hinder_way_back:
      return "Compose fails the next time that it goes back";
    case Happening::kill_daemon:
      return "the daemon is killed";
    case Happening::kill_between_changes:
      return "the daemon is killed between two changes of files";
    case Happening::cut_power:
      return "the power is cut";
    case Happening::cut_power_between_changes:
      return "the power is cut between two changes of files";
    case Happening::fill_disk:
      return "the disk is full";
    case Happening::rest:
      return "for a while nothing happens";
    case Happening::starts_first:
      return "web is replaced start-first";
    case Happening::kill_between_calls:
      return "the daemon is killed between two calls";
    case Happening::cut_power_between_calls:
      return "the power is cut between two calls";
    case Happening::has_hooks:
      return "the stack has hooks";
    case Happening::push_that_cannot_migrate:
      return "a commit is pushed whose migration fails or hangs";
    case Happening::hooks_fail:
      return "hooks fail";
    case Happening::hooks_hang:
      return "hooks hang";
    case Happening::has_unit:
      return "systemd boots the stack";
    case Happening::stop_unit:
      return "an operator stops the unit";
    case Happening::start_unit:
      return "an operator starts the unit";
    case Happening::restart_unit:
      return "an operator restarts the unit";
    case Happening::disable_unit:
      return "an operator disables the unit";
    case Happening::enable_unit:
      return "an operator enables the unit and starts it";
    case Happening::edit_unit:
      return "somebody edits or removes the unit's file";
    case Happening::systemd_away:
      return "systemd does not answer";
  }
  return "";
}

namespace {

constexpr int drawn_happenings = static_cast<int>(Happening::rest) + 1;

// How often in comparison with the others: most of a life are deployments.
int weight_of(Happening happening) {
  switch (happening) {
    case Happening::push_good:
      return 24;
    case Happening::image_good:
      return 16;
    case Happening::kill_between_changes:
    case Happening::cut_power_between_changes:
      return 8;
    case Happening::push_that_ends:
    case Happening::push_that_ails:
    case Happening::push_that_ends_late:
    case Happening::push_before_image:
    case Happening::image_that_ends:
    case Happening::edit_env_good:
    case Happening::deploy:
    case Happening::roll_back:
      return 4;
    case Happening::resume:
    case Happening::remove_beside:
    case Happening::bring_volume_back:
      return 8;  // what they end keeps everything else from happening
    case Happening::lose_volume:
    case Happening::rest:
      return 1;
    default:
      return 2;
  }
}

// At times at which something happens anyway.
void add_some(std::vector<StoryEvent>* story, const std::vector<Happening>& kinds,
              std::mt19937_64& dice) {
  for (std::uint64_t count = dice() % 8; count > 0; --count) {
    const auto beside = story->begin() + static_cast<std::ptrdiff_t>(dice() % story->size());
    const StoryEvent event{beside->at, kinds[dice() % kinds.size()], dice()};
    story->insert(beside + 1, event);
  }
}

// What is stopped is often started soon: a stack that is down is one that nothing happens to.
void add_unit(std::vector<StoryEvent>* story, std::mt19937_64& dice) {
  add_some(story, {Happening::kill_between_calls, Happening::cut_power_between_calls}, dice);
  add_some(story,
           {Happening::stop_unit, Happening::start_unit, Happening::enable_unit,
            Happening::disable_unit},
           dice);
  add_some(story,
           {Happening::stop_unit, Happening::start_unit, Happening::start_unit,
            Happening::restart_unit, Happening::edit_unit, Happening::systemd_away},
           dice);
  story->insert(story->begin(), {WorldTime(0s), Happening::has_unit, 0});
}

// What is special about this life, and the faults that go with it.
void add_peculiarities(std::vector<StoryEvent>* story, std::mt19937_64& dice) {
  const bool starts_first = dice() % 4 == 0;
  const bool has_hooks = dice() % 6 == 0;
  if (starts_first || has_hooks) {
    add_some(story, {Happening::kill_between_calls, Happening::cut_power_between_calls}, dice);
  }
  if (has_hooks) {
    add_some(story,
             {Happening::push_that_cannot_migrate, Happening::hooks_fail, Happening::hooks_hang},
             dice);
    story->insert(story->begin(), {WorldTime(0s), Happening::has_hooks, 0});
  }
  if (starts_first) {
    story->insert(story->begin(), {WorldTime(0s), Happening::starts_first, 0});
  }
  if (dice() % 4 == 0) add_unit(story, dice);
}

Happening draw(std::uint64_t dice) {
  int sum = 0;
  for (int i = 0; i < drawn_happenings; ++i) sum += weight_of(static_cast<Happening>(i));
  int left = static_cast<int>(dice % static_cast<std::uint64_t>(sum));
  for (int i = 0; i < drawn_happenings; ++i) {
    left -= weight_of(static_cast<Happening>(i));
    if (left < 0) return static_cast<Happening>(i);
  }
  return Happening::push_good;
}

}  // namespace

std::vector<StoryEvent> story_of(std::uint64_t seed) {
  std::mt19937_64 dice(seed * 2 + 1);
  std::vector<StoryEvent> story;
  WorldTime at = 0s;
  const std::uint64_t length = 4 + dice() % 160;
  for (std::uint64_t i = 0; i < length; ++i) {
    // Often in the middle of what came before, sometimes long after it.
    const std::uint64_t kind = dice() % 32;
    at += kind == 0   ? WorldTime(1s) * (dice() % 1800)
          : kind < 16 ? WorldTime(1s) * (dice() % 100)
                      : WorldTime(1ms) * (dice() % 40'000);
    StoryEvent event;
    event.at = at;
    event.what = draw(dice());
    event.detail = dice();
    story.push_back(event);
  }
  add_peculiarities(&story, dice);
  return story;
}

}  // namespace trimtab::simulation
