// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <cli/error_sentence.h>
#include <cli/render/quantity.h>
#include <cli/run/retention.h>
#include <cli/run/service.h>
#include <cli/run/service_environment.h>
#include <cli/run/supervisor.h>
#include <snapshot/linux/fatal_signal.h>
#include <snapshot/linux/handover.h>
#include <snapshot/linux/permission_check.h>
#include <snapshot/linux/proc_parser.h>
#include <snapshot/linux/proc_reader.h>
#include <snapshot/linux/shedding.h>
#include <snapshot/linux/urgency.h>
#include <snapshot/support/error_text.h>

namespace doppel {
namespace {

using namespace std::chrono_literals;

std::uint64_t since_us(std::uint64_t from_ns, std::uint64_t to_ns) {
  return to_ns > from_ns ? (to_ns - from_ns) / 1000 : 0;
}

int exit_status(int code) {
  return code << 8;
}

std::string signal_text(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return name != nullptr ? std::string("SIG") + name : fmt::format("signal {}", signal);
}

/// Signals that are ours to forward: all but the faults of our own, and job control, which stops us
/// together with the service.
sigset_t watched_signals() {
  sigset_t set;
  sigfillset(&set);
  for (const int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGSYS, SIGKILL,
                           SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT}) {
    sigdelset(&set, signal);
  }
  return set;
}

std::vector<std::string> own_environment() {
  std::vector<std::string> result;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    result.emplace_back(*entry);
  }
  return result;
}

bool is_program(Sys& sys, const std::string& path) {
  struct stat facts{};
  return sys.fstatat(AT_FDCWD, path.c_str(), &facts, 0) >= 0 && S_ISREG(facts.st_mode) &&
         sys.invoke(SYS_faccessat, AT_FDCWD, reinterpret_cast<long>(path.c_str()), X_OK) >= 0;
}

/// A program that gains privilege when it is started.
bool gains_privilege(Sys& sys, const std::string& path) {
  struct stat facts{};
  if (sys.fstatat(AT_FDCWD, path.c_str(), &facts, 0) < 0) return false;
  if ((facts.st_mode & S_ISUID) != 0 && facts.st_uid != ::geteuid()) return true;
  if ((facts.st_mode & S_ISGID) != 0 && (facts.st_mode & S_IXGRP) != 0) return true;
  return sys.invoke(SYS_getxattr, reinterpret_cast<long>(path.c_str()),
                    reinterpret_cast<long>("security.capability"), 0, 0) > 0;
}

}  // namespace

Supervisor::Supervisor(const ServiceOptions& options, const Console& console, Sys& sys)
    : options_(options),
      console_(console),
      sys_(sys),
      events_(sys),
      policy_(options.restart, options.limit),
      environment_(own_environment()) {}

Supervisor::~Supervisor() {
  jobs_.clear();
}

void Supervisor::say(const std::string& line) const {
  if (!options_.quiet) console_.err("doppel: " + line + "\n");
}

void Supervisor::resume(pid_t tid, int signal) const {
  (void)sys_.ptrace(PTRACE_CONT, tid, nullptr, reinterpret_cast<void*>(static_cast<long>(signal)));
}

// ---- the beginning ----

std::optional<Message> Supervisor::check_program() const {
  const auto path = std::find_if(environment_.begin(), environment_.end(),
                                 [](const std::string& each) { return each.starts_with("PATH="); });
  const std::string search =
      path == environment_.end() ? "/bin:/usr/bin" : path->substr(std::strlen("PATH="));
  const std::string program =
      find_program(options_.command.front(), search,
                   [this](const std::string& each) { return is_program(sys_, each); });
  const Result<SelfFacts> self = read_self(sys_);
  const bool privileged =
      self && has_capability(self->status.capabilities_effective, kCapSysPtrace);
  if (privileged || program.empty()) return std::nullopt;
  if (gains_privilege(sys_, program)) {
    return Message{.exit = ExitCode::not_permitted,
                   .what = "run " + program + ": not permitted",
                   .why =
                       "a program that gains privilege when it starts would run without it "
                       "under a tracer without CAP_SYS_PTRACE",
                   .next = "run doppel as root, or the program without doppel"};
  }
  if (options_.follow) {
    say("set-id programs started by the service run without their privilege (doppel has no "
        "CAP_SYS_PTRACE); --no-follow leaves its children alone");
  }
  return std::nullopt;
}

std::optional<Message> Supervisor::prepare() {
  if (options_.json_events) {
    if (Result<> opened = events_.open(*options_.json_events); !opened) {
      return output_sentence(opened.error(), *options_.json_events, "--json-events");
    }
  }
  if (auto message = check_program()) return message;
  const sigset_t watched = watched_signals();
  pthread_sigmask(SIG_BLOCK, &watched, &old_mask_);
  std::uint64_t mask = 0;
  for (int signal = 1; signal <= 64; ++signal) {
    if (sigismember(&watched, signal) == 1) mask |= 1ull << (signal - 1);
  }
  signals_.reset(static_cast<int>(sys_.invoke(SYS_signalfd4, -1, reinterpret_cast<long>(&mask),
                                              sizeof mask, SFD_CLOEXEC | SFD_NONBLOCK)));
  if (!signals_) {
    return Message{
        .exit = ExitCode::failed, .what = "cannot receive signals", .why = "", .next = ""};
  }
  // Orphans of the service, and holders of memory, come to us and not to the machine's init.
  (void)sys_.prctl(PR_SET_CHILD_SUBREAPER, 1);
  if (Result<SelfFacts> self = read_self(sys_)) {
    seccomp_ = {.may_suspend = can_suspend_seccomp(sys_, *self),
                .own_filters = self->status.seccomp_filters.value_or(0)};
  }
  for (const std::string& each : environment_) {
    if (!each.starts_with("NOTIFY_SOCKET=")) continue;
    Result<NotifyRelay> relay = NotifyRelay::open(sys_, each.substr(std::strlen("NOTIFY_SOCKET=")));
    if (relay) notify_.emplace(std::move(*relay));
  }
  return std::nullopt;
}

bool Supervisor::start_main(std::uint64_t since_ns) {
  unsigned long trace = PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
  if (options_.follow) trace |= PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK;
  const ServiceStart start{.command = options_.command,
                           .environment = environment_,
                           .notify = notify_ ? notify_->address() : std::string(),
                           .trace_options = trace,
                           .mask = old_mask_};
  restart_at_.reset();
  Result<StartedService> started = start_service(sys_, start);
  if (!started) {
    const int error = started.error().os;
    const bool not_found = error == ENOENT;
    console_.err(fmt::format("doppel: cannot run {}: {}\n", options_.command.front(),
                             error_text(started.error())));
    last_status_ = exit_status(not_found ? 127 : 126);
    events_.write("gave_up", since_us(since_ns, monotonic_ns()), 0,
                  [&](JsonWriter& json) { json.text("why", error_text(started.error())); });
    finished_ = true;
    return false;
  }
  main_ = started->pid;
  started_at_ = Clock::now();
  ++starts_;
  const std::uint64_t t_us = starts_ == 1 ? 0 : since_us(since_ns, monotonic_ns());
  events_.write(starts_ == 1 ? "started" : "restarted", t_us, main_, [&](JsonWriter& json) {
    json.number("start", starts_);
    json.boolean("watched", !started->unwatched);
  });
  if (started->unwatched) {
    say(fmt::format("{} ({}) is not watched: {}; its crashes are not dumped",
                    options_.command.front(), main_, error_text(*started->unwatched)));
  }
  // A manager's watchdog must not fire for the time in between.
  if (notify_ && starts_ > 1) notify_->say("WATCHDOG=1");
  return true;
}

int Supervisor::run() {
  if (auto message = prepare()) return exit_status(static_cast<int>(console_.complain(*message)));
  if (!start_main(0)) return last_status_;
  while (true) {
    drain_tasks();
    if (restart_at_ && Clock::now() >= *restart_at_) start_main(restart_since_ns_);
    if (finished_ && jobs_.empty()) break;
    wait_for_something();
  }
  return last_status_;
}

// ---- the end of an instance ----

void Supervisor::main_ended(int status, std::uint64_t since_ns) {
  const auto now = Clock::now();
  main_ = 0;
  last_status_ = status;
  const bool interrupted = interrupted_ && now - *interrupted_ < 10s;
  if (stopping_ || interrupted) {
    finished_ = true;
    return;
  }
  const auto lived = std::chrono::duration_cast<std::chrono::milliseconds>(now - started_at_);
  const RestartPolicy::Decision decision = policy_.decide(status, now, lived);
  if (decision.gave_up) {
    say(fmt::format("{} was restarted {} times within {}; giving up", options_.command.front(),
                    options_.limit.count, duration_text(options_.limit.within)));
    events_.write("gave_up", since_us(since_ns, monotonic_ns()), 0, [&](JsonWriter& json) {
      json.text("why", "too many restarts");
      json.number("restarts", options_.limit.count);
    });
  }
  if (!decision.restart) {
    finished_ = true;
    return;
  }
  restart_since_ns_ = since_ns;
  if (decision.delay > 0ms) {
    restart_at_ = now + decision.delay;
  } else {
    start_main(since_ns);
  }
}

// ---- tasks ----

void Supervisor::drain_tasks() {
  while (true) {
    siginfo_t info{};
    const long value =
        sys_.waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WNOWAIT | WNOHANG | __WALL);
    if (value == -EINTR) continue;
    if (value < 0 || info.si_pid == 0) return;
    if (info.si_code == CLD_TRAPPED) {
      task_stopped(info.si_pid, info.si_status);
    } else if (info.si_code == CLD_STOPPED) {
      // A child of ours that is not traced; nobody waits for it to stop.
      siginfo_t ignored{};
      (void)sys_.waitid(P_PID, info.si_pid, &ignored, WSTOPPED | WNOHANG | __WALL);
    } else {
      task_ended(info.si_pid);
    }
  }
}

void Supervisor::task_stopped(pid_t tid, int status) {
  const int signal = status & 0x7f;
  switch (status >> 8) {
    case 0:
      break;
    case PTRACE_EVENT_STOP:
      if (signal != SIGTRAP) {
        // Job control: it stays stopped until SIGCONT, as it would without us.
        (void)sys_.ptrace(PTRACE_LISTEN, tid, nullptr, nullptr);
        return;
      }
      if (!options_.follow) {
        // A process made by clone() with its own idea of an exit signal looks like a thread.
        const Result<std::string> text =
            read_system_file(sys_, ("/proc/" + std::to_string(tid) + "/status").c_str());
        const Result<ProcStatus> facts =
            text ? parse_status(*text) : Result<ProcStatus>(fail(Errc::gone, "look at a thread"));
        if (facts && facts->thread_group != main_) {
          (void)sys_.ptrace(PTRACE_DETACH, tid, nullptr, nullptr);
          return;
        }
      }
      resume(tid, 0);
      return;
    default:
      resume(tid, 0);
      return;
  }
  // ---- a signal on its way to the thread ----
  siginfo_t info{};
  if (dumps_core(signal) && sys_.ptrace(PTRACE_GETSIGINFO, tid, nullptr, &info) >= 0) {
    const Result<std::string> text =
        read_system_file(sys_, ("/proc/" + std::to_string(tid) + "/status").c_str());
    const std::optional<SignalActions> actions = text ? parse_signal_actions(*text) : std::nullopt;
    if (actions && is_crash(signal, info.si_code, *actions)) {
      crashed(tid, info, *text);
      return;
    }
  } else if (tid == main_ && (signal == SIGTERM || signal == SIGINT || signal == SIGHUP) &&
             sys_.ptrace(PTRACE_GETSIGINFO, tid, nullptr, &info) >= 0 && info.si_code <= 0) {
    seen_signal_ = signal;
    seen_sender_ = info.si_pid;
    seen_at_ = Clock::now();
  }
  resume(tid, signal);
}

/// Threads, traced children, orphans, the service itself, writers.
void Supervisor::task_ended(pid_t pid) {
  for (std::size_t i = 0; i < jobs_.size(); ++i) {
    if (jobs_[i]->writer() == pid) {
      // What it said before its end is read first; then it is collected.
      serve_job(i);
      return;
    }
  }
  int status = 0;
  const long value =
      sys_.invoke(SYS_wait4, pid, reinterpret_cast<long>(&status), WNOHANG | __WALL, 0);
  if (value == pid && pid == main_) main_ended(status, monotonic_ns());
}

// ---- a crash ----

DumpSize Supervisor::judge(const CrashScene& scene, std::uint64_t& repeats) {
  const Result<std::string> signature = signature_of(sys_, scene);
  // Not known to be a repeat: dumped whole.
  if (!signature) return DumpSize::full;
  const DumpSize size = governor_.decide(*signature, Clock::now());
  repeats = governor_.count(*signature);
  return size;
}

void Supervisor::tell_crash(const CrashScene& scene, DumpSize size, std::uint64_t repeats) const {
  events_.write("crashed", 0, scene.pid, [&](JsonWriter& json) {
    json.text("signal", signal_text(scene.info.si_signo));
    json.signed_number("code", scene.info.si_code);
    if (scene.info.si_code > 0) {
      json.hex("address", reinterpret_cast<std::uint64_t>(scene.info.si_addr));
    } else {
      json.signed_number("sender", scene.info.si_pid);
    }
    json.signed_number("tid", scene.tid);
    json.text("comm", scene.comm);
    json.text("executable", scene.executable);
    json.boolean("main", scene.pid == main_);
    json.text("dump", dump_size_name(size));
    json.number("repeats", repeats);
  });
}

/// While a service is down, what brings it back goes before everything ordinary.
class Supervisor::Haste {
 public:
  Haste(Sys& sys, pid_t crashed)
      : sys_(sys), nice_(::getpriority(PRIO_PROCESS, 0)), processor_(sys) {
    hasten(sys, 0);
    processor_.share(crashed);
  }

  Haste(const Haste&) = delete;
  Haste& operator=(const Haste&) = delete;

  ~Haste() { calm(sys_, 0, nice_); }

 private:
  Sys& sys_;
  int nice_;
  SameProcessor processor_;
};

void Supervisor::crashed(pid_t tid, const siginfo_t& info, const std::string& status) {
  std::optional<Haste> haste(std::in_place, sys_, tid);
  const std::uint64_t seen_ns = monotonic_ns();
  // Whatever hinders us, the signal is passed on; and that there will be no dump is said.
  const auto let_go = [&](const Error& error) {
    resume(tid, info.si_signo);
    events_.write("dump_failed", since_us(seen_ns, monotonic_ns()), tid,
                  [&](JsonWriter& json) { json.text("why", error_text(error)); });
    say(fmt::format("thread {} crashed: {}; no dump: {}", tid, signal_text(info.si_signo),
                    error_text(error)));
  };
  Result<ProcStatus> facts = parse_status(status);
  if (!facts) return let_go(facts.error());
  Result<TargetProcess> target = TargetProcess::open(sys_, facts->thread_group);
  if (!target) return let_go(target.error());
  CrashScene scene = look_at_crash(sys_, *target, tid, info, std::move(*facts));
  scene.seen_ns = seen_ns;
  std::uint64_t repeats = 0;
  const DumpSize size = judge(scene, repeats);
  if (size == DumpSize::counted) {
    // In a crash loop the kernel's own core would be what delays the restart.
    const rlimit no_core{1, RLIM_INFINITY};
    rlimit limit{};
    if (prlimit(scene.pid, RLIMIT_CORE, nullptr, &limit) == 0) {
      limit.rlim_cur = std::min(no_core.rlim_cur, limit.rlim_max);
      (void)prlimit(scene.pid, RLIMIT_CORE, &limit, nullptr);
    }
    tell_crash(scene, size, repeats);
    say(fmt::format("{} ({}) crashed: {}, number {} of its kind; not dumped", scene.comm, scene.pid,
                    signal_text(info.si_signo), repeats));
    pass_on_crash(sys_, *target, tid, info.si_signo);
    return;
  }
  const auto give_up = [&](const std::string& why) {
    tell_crash(scene, size, repeats);
    events_.write("dump_failed", since_us(scene.seen_ns, monotonic_ns()), scene.pid,
                  [&](JsonWriter& json) { json.text("why", why); });
    say(fmt::format("{} ({}) crashed: {}; no dump: {}", scene.comm, scene.pid,
                    signal_text(info.si_signo), why));
  };
  if (const auto why = hinders_handover(sys_, scene, seccomp_)) {
    give_up(*why);
    pass_on_crash(sys_, *target, tid, info.si_signo);
    return;
  }
  Result<HandedOver> taken =
      hand_over(sys_, *target,
                {.thread = tid,
                 .info = info,
                 .suspend_seccomp = scene.status.seccomp != Seccomp::none && seccomp_.may_suspend});
  if (!taken) {
    if (taken.error().code != Errc::gone) give_up(error_text(taken.error()));
    return;
  }
  taken->times.signal_ns = scene.seen_ns;
  AllClear clear = shed(sys_, *target, *taken);
  const std::uint64_t clear_ns = monotonic_ns();
  // ---- nothing of it is left but its memory: now its parent may see it dead ----
  int ended = 0;
  (void)sys_.invoke(SYS_wait4, scene.pid, reinterpret_cast<long>(&ended), WNOHANG | __WALL, 0);
  const std::uint64_t reaped_ns = monotonic_ns();
  const bool was_main = scene.pid == main_;
  tell_crash(scene, size, repeats);
  const HandoverTimes times = taken->times;
  events_.write("handed_over", since_us(scene.seen_ns, times.handed_over_ns), scene.pid,
                [&](JsonWriter& json) {
                  json.number("parked_us", since_us(scene.seen_ns, times.parked_ns));
                  json.number("dead_us", since_us(scene.seen_ns, times.dead_ns));
                });
  events_.write("reaped", since_us(scene.seen_ns, reaped_ns), scene.pid,
                [&](JsonWriter& json) { json.signed_number("status", ended); });
  // A start is not hastened: what is started would inherit the better nice value.
  haste.reset();
  if (was_main) main_ended(ended, scene.seen_ns);
  verify_clear(sys_, *taken, clear);
  events_.write("all_clear", since_us(scene.seen_ns, clear_ns), scene.pid, [&](JsonWriter& json) {
    json.boolean("all", clear.all());
    json.begin_array("held");
    for (const std::string& each : clear.held) json.text(each);
    json.end_array();
    json.begin_array("given_up");
    for (const GivenUp& each : clear.given_up) json.text(each.what);
    json.end_array();
  });
  Result<std::unique_ptr<DumpJob>> job = DumpJob::start(sys_, options_,
                                                        {.size = size,
                                                         .comm = scene.comm,
                                                         .watch_memory_of = main_,
                                                         .repeats = repeats,
                                                         .all_clear_ns = clear_ns,
                                                         .reaped_ns = reaped_ns},
                                                        std::move(*taken), std::move(clear));
  if (!job) {
    give_up(error_text(job.error()));
    return;
  }
  jobs_.push_back(std::move(*job));
  say(fmt::format("{} ({}) crashed: {}; {}the dump is being written", scene.comm, scene.pid,
                  signal_text(info.si_signo),
                  was_main && main_ != 0 ? fmt::format("restarted as {}; ", main_) : ""));
}

// ---- dumps ----

void Supervisor::serve_job(std::size_t index) {
  DumpJob& job = *jobs_[index];
  if (!job.serve()) return;
  const DumpReport& report = job.report();
  const std::uint64_t t_us = since_us(job.times().signal_ns, monotonic_ns());
  if (report.written) {
    events_.write("dump_written", t_us, job.process(), [&](JsonWriter& json) {
      json.text("path", report.path);
      json.number("dump_bytes", report.dump_bytes);
      json.number("memory_bytes", report.memory_bytes);
      json.number("write_ms", report.write_ms);
      json.number("threads", report.threads);
      json.boolean("losses", report.losses);
      if (report.cut_short)
        json.text("cut_short", report.why);
      else
        json.null("cut_short");
    });
    say(fmt::format("dump of {} ({}): {} ({}{})", job.order().comm, job.process(), report.path,
                    size_text(report.dump_bytes),
                    report.why[0] != '\0' ? fmt::format("; {}", report.why) : ""));
    if (options_.keep) {
      const Result<std::size_t> removed =
          remove_surplus(sys_, options_.dump_directory, job.order().comm, *options_.keep);
      if (!removed) say(fmt::format("--keep: {}", error_text(removed.error())));
    }
  } else {
    events_.write("dump_failed", t_us, job.process(),
                  [&](JsonWriter& json) { json.text("why", report.why); });
    say(fmt::format("no dump of {} ({}): {}", job.order().comm, job.process(), report.why));
  }
  jobs_.erase(jobs_.begin() + static_cast<std::ptrdiff_t>(index));
}

// ---- signals ----

void Supervisor::forward(int signal, pid_t sender, bool from_terminal) {
  if (signal == SIGTERM) stopping_ = true;
  if (signal == SIGINT || signal == SIGQUIT) interrupted_ = Clock::now();
  const bool ends = signal == SIGTERM || signal == SIGINT || signal == SIGQUIT;
  if (main_ == 0) {
    if (!ends) return;
    restart_at_.reset();
    // Nothing runs that it could be meant for but the dumps.
    if (finished_) {
      for (const auto& job : jobs_) job->cut_short();
    }
    finished_ = true;
    return;
  }
  // The terminal sent it to the whole group, the service included; and so did whoever sent the same
  // to the service itself just now.
  if (from_terminal) return;
  if (signal == seen_signal_ && sender == seen_sender_ && Clock::now() - seen_at_ < 1s) return;
  (void)sys_.kill(main_, signal);
}

void Supervisor::take_signals() {
  std::array<signalfd_siginfo, 16> infos;
  while (true) {
    const long got = sys_.read(signals_.get(), infos.data(), sizeof infos);
    if (got <= 0) return;
    const auto count = static_cast<std::size_t>(got) / sizeof(signalfd_siginfo);
    for (std::size_t i = 0; i < count; ++i) {
      const int signal = static_cast<int>(infos[i].ssi_signo);
      if (signal == SIGCHLD || signal == SIGPIPE) continue;
      forward(signal, static_cast<pid_t>(infos[i].ssi_pid), infos[i].ssi_code == SI_KERNEL);
    }
  }
}

void Supervisor::wait_for_something() {
  std::vector<pollfd> fds = {{signals_.get(), POLLIN, 0}};
  if (notify_) fds.push_back({notify_->fd(), POLLIN, 0});
  const std::size_t first_job = fds.size();
  for (const auto& job : jobs_) fds.push_back({job->fd(), POLLIN, 0});
  int timeout = -1;
  if (restart_at_) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(*restart_at_ - Clock::now()).count();
    timeout = static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
  }
  if (sys_.poll(fds.data(), static_cast<unsigned>(fds.size()), timeout) <= 0) return;
  // What came to the service first, so that it is known what needs no forwarding.
  drain_tasks();
  if (fds[0].revents != 0) take_signals();
  if (notify_ && fds[1].revents != 0) notify_->relay();
  // By descriptor: jobs come and go meanwhile.
  for (std::size_t i = first_job; i < fds.size(); ++i) {
    const auto job = std::find_if(jobs_.begin(), jobs_.end(),
                                  [&](const auto& each) { return each->fd() == fds[i].fd; });
    if (fds[i].revents != 0 && job != jobs_.end()) {
      serve_job(static_cast<std::size_t>(job - jobs_.begin()));
    }
  }
}

}  // namespace doppel
