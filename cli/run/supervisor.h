// SPDX-License-Identifier: Apache-2.0
//
// The loop behind `doppel run`: one thread that traces the service and everything it starts, looks
// at each stop without consuming it - were doppel killed at that moment, the kernel would deliver
// the signal as if nobody had looked - and passes on everything but a crash. It is the service's
// parent as well, and a good init.
#ifndef DOPPEL_CLI_RUN_SUPERVISOR_H_
#define DOPPEL_CLI_RUN_SUPERVISOR_H_

#include <sys/types.h>

#include <csignal>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <cli/console.h>
#include <cli/options.h>
#include <cli/run/crash_governor.h>
#include <cli/run/crash_scene.h>
#include <cli/run/dump_job.h>
#include <cli/run/event_log.h>
#include <cli/run/notify_relay.h>
#include <cli/run/restart_policy.h>
#include <snapshot/linux/target_process.h>

namespace doppel {

class Supervisor {
 public:
  Supervisor(const ServiceOptions& options, const Console& console, Sys& sys);
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;
  ~Supervisor();

  /// Runs until the service has ended for good and its dumps are written. A status as wait() gives
  /// it: the service's last, or an exit with the code of a message that was told.
  int run();

 private:
  class Haste;

  std::optional<Message> prepare();
  std::optional<Message> check_program() const;
  bool start_main(std::uint64_t since_ns);
  void main_ended(int status, std::uint64_t since_ns);

  void drain_tasks();
  void task_stopped(pid_t tid, int status);
  void task_ended(pid_t pid);
  void resume(pid_t tid, int signal) const;

  void crashed(pid_t tid, const siginfo_t& info, const std::string& status);
  DumpSize judge(const CrashScene& scene, std::uint64_t& repeats);
  void tell_crash(const CrashScene& scene, DumpSize size, std::uint64_t repeats) const;

  void take_signals();
  void forward(int signal, pid_t sender, bool from_terminal);
  void serve_job(std::size_t index);
  void wait_for_something();
  void say(const std::string& line) const;

  const ServiceOptions& options_;
  const Console& console_;
  Sys& sys_;
  EventLog events_;
  RestartPolicy policy_;
  CrashGovernor governor_;
  std::optional<NotifyRelay> notify_;
  std::vector<std::string> environment_;
  sigset_t old_mask_{};
  UniqueFd signals_;
  SeccompStanding seccomp_;

  pid_t main_ = 0;  ///< 0: it does not run
  Clock::time_point started_at_;
  std::uint64_t starts_ = 0;
  std::optional<Clock::time_point> restart_at_;
  std::uint64_t restart_since_ns_ = 0;
  bool finished_ = false;
  int last_status_ = 0;
  bool stopping_ = false;                         ///< no restart any more
  std::optional<Clock::time_point> interrupted_;  ///< Ctrl-C, which may or may not end it
  int seen_signal_ = 0;                           ///< the last that came to the service, and from
  pid_t seen_sender_ = 0;                         ///< whom
  Clock::time_point seen_at_;
  std::vector<std::unique_ptr<DumpJob>> jobs_;
};

}  // namespace doppel

#endif  // DOPPEL_CLI_RUN_SUPERVISOR_H_
