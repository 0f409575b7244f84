// One life of the daemon in the simulated world, and the promises that it must keep in it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/simulation/daemon.hpp"
#include "tests/simulation/service_manager.hpp"
#include "tests/simulation/story.hpp"
#include "tests/simulation/world.hpp"

namespace trimtab::simulation {

inline constexpr const char* web_image = "acme/web:latest";
// How long it may take until nothing more is to be expected.
inline constexpr WorldTime max_peace = std::chrono::hours(1);

class Life {
 public:
  // `directory` is emptied; it belongs to this life alone.
  Life(std::uint64_t seed, std::vector<StoryEvent> story, std::filesystem::path directory);
  ~Life();

  // Lives through the story, then through some hours in which nothing goes wrong. Gives the promise
  // that was broken, in words; nothing if all were kept.
  std::optional<std::string> run();

  void tell(const std::string& line) { world_.tell(line); }
  [[nodiscard]] const std::vector<std::string>& told() const { return world_.story(); }
  // That were begun.
  [[nodiscard]] std::uint64_t deployments() const { return deployments_; }

 private:
  void found();
  void happen(const StoryEvent& event);
  void by_operator(const StoryEvent& event);
  void to_containers(const StoryEvent& event);
  [[nodiscard]] bool is_beside_gate(const Container& container) const;
  void by_systemctl(const StoryEvent& event);
  void boot_unit();
  void start_what_is_stopped();
  void wear_out();
  // 0: there is none.
  [[nodiscard]] int choose_good_release(std::uint64_t detail) const;
  [[nodiscard]] bool compose_works() const;
  // A running container of web, made by the daemon.
  WorldContainer* find_web();
  void push(const std::string& subject, const std::string& mode, const std::string& tag);
  void start_daemon();
  void end_daemon(bool with_power);
  // Gives how much there was to do.
  std::size_t poll_daemon();
  // Until `end`, or until a promise is broken.
  void live_until(WorldTime end);
  // Until faults have ended, nothing more is to be expected, and the promises about rest are kept.
  void come_to_rest(WorldTime longest);
  void live_in_peace(WorldTime longest);
  [[nodiscard]] WorldTime peace_needed() const;

  void break_promise(const std::string& how);
  // At all times.
  void check_always();
  void follow_deployments();
  void check_way_back(int release);
  void follow_hook(const HookNews& news);
  void check_hooks(const Deployment& ended);
  void check_end(int deployment);
  void check_stops_beside_gate(const Deployment& ended);
  void check_good_ones();
  void check_rejections();
  void check_new_rejections();
  void check_target(const Deployment& deployment, const std::set<std::string>& rejected);
  [[nodiscard]] bool failed_by_itself(const Deployment& ended) const;
  [[nodiscard]] bool was_left_to_itself(const Release& release) const;
  [[nodiscard]] bool works_for_good(const Rendering& rendering) const;
  void check_operator();
  void check_volumes();
  void check_start_first();
  void check_what_failed_is_gone();
  void check_what_is_not_ours();
  void check_stop();
  // It is the stack's, and no hook's.
  [[nodiscard]] bool is_ours(const WorldContainer& container) const;
  [[nodiscard]] bool content_works(const Rendering& rendering) const;
  // Of the services that run: what their containers were made from.
  [[nodiscard]] std::map<std::string, std::string> what_runs() const;
  // At rest.
  void check_at_rest();
  void check_status();
  void check_convergence();
  void check_content();
  [[nodiscard]] Json wanted_service(Json service) const;
  void check_bounds();
  void check_containers();
  void check_no_hook_left();
  void check_tidiness();
  void check_unit();
  // No gate has looked at it then.
  [[nodiscard]] bool is_made_by_unit(const std::string& service) const;
  void check_what_is_booted();
  void check_rest_while_stopped();
  [[nodiscard]] std::string fault_of(const std::string& service, const std::string& wanted) const;
  [[nodiscard]] bool is_seen_as_it_is(const Container& truth) const;
  [[nodiscard]] bool tip_works() const;
  // Somebody has gone back from it, or from a commit with the same files.
  [[nodiscard]] bool is_tip_left() const;
  [[nodiscard]] bool is_vain() const;
  [[nodiscard]] std::string said() const;
  // Somebody has made what only a person can put right.
  [[nodiscard]] bool needs_a_person() const;
  // Somebody has stopped what a hook is to run in.
  [[nodiscard]] bool is_hook_without_place() const;

  // The deployment that goes on, or ended last, and what was rejected by then.
  struct Trial {
    std::optional<WallTime> since;
    int release = 0;
    DeploymentKind kind = DeploymentKind::deploy;
    int hands = 0;
    int stops_beside_gate = 0;
    int kills = 0;
    bool was_hindered = false;  // by a pause, or a full disk
    std::set<std::string> rejected;
  };

  // The hooks of a phase of a deployment, so far.
  struct HookLine {
    int last = -1;  // that was begun, by its number
    int done = 0;
    bool ends_well = false;
    int kills = 0;  // by its beginning
    int hands = 0;
  };

  World world_;
  std::optional<ServiceManager> systemd_;  // where it runs
  bool has_night_;
  std::vector<StoryEvent> story_;
  bool starts_first_;                          // web
  std::map<std::string, WorldTime> web_well_;  // ids of its containers that are, where it is; since
  std::unique_ptr<Daemon> daemon_;
  std::optional<std::string> broken_;
  std::set<int> seen_good_;
  std::map<std::string, int> volumes_made_;
  int version_ = 0;
  std::string env_mode_ = "fine";
  int excused_creations_ = 0;
  int idle_polls_ = 0;
  bool loses_power_ = false;  // the machine, when the daemon is killed next
  std::uint64_t deployments_ = 0;
  std::optional<WallTime> deploys_since_;  // the one that goes on
  int kills_ = 0;
  WorldTime faults_end_{0};  // those that end by themselves
  WorldTime peace_began_{0};
  int rounds_before_peace_ = 0;
  std::map<std::string, std::string> ran_before_;  // the deployment that goes on
  int deployed_release_ = 0;                       // by it
  int hands_ = 0;              // that were laid on containers, besides the daemon's
  int hands_before_ = 0;       // the deployment that goes on
  int people_ = 0;             // those of people among them
  int stops_beside_gate_ = 0;  // and of them those that a gate has nothing to do with
  int people_before_ = 0;
  bool is_paused_ = false;  // an operator has paused the stack, and not resumed
  WorldTime pause_applies_from_{0};
  std::optional<int> deeds_while_paused_;
  Trial trial_;
  std::set<std::string> gone_back_from_;  // commits, by operators, or since hands were laid on them
  std::set<std::string> stopped_manually_;     // ids of containers
  std::set<std::string> not_ours_;             // ids of containers that somebody else made
  std::set<std::string> worn_out_;             // ids of containers
  std::optional<WorldTime> hinders_way_back_;  // how long Compose fails once it goes back
  int chosen_ = 0;                             // a release to go back to, by an operator
  int flight_ = 0;                             // the deployment that goes on
  int flight_hands_ = 0;                       // by its beginning
  int flight_stops_beside_gate_ = 0;
  WorldTime flight_began_{0};
  int flight_kills_ = 0;
  int flight_deeds_ = 0;
  int went_back_ = 0;                                           // the deployment that did so last
  std::map<std::pair<int, std::string>, HookLine> hook_lines_;  // by deployment and phase
  bool flight_waits_ = false;           // to go back later; another deployment may take its place
  std::set<std::string> lost_volumes_;  // that somebody removed
  bool has_unit_ = false;               // the daemon has brought it up
  bool wants_enabled_ = true;           // the operators, the unit
  std::optional<WallTime> stopped_since_;  // with the unit
  WorldTime unit_is_known_from_{0};        // what became of it meanwhile, the daemon may not know
  std::optional<int> starts_while_stopped_;
};

}  // namespace trimtab::simulation
