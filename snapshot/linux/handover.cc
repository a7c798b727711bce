// SPDX-License-Identifier: Apache-2.0
#include <elf.h>
#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <optional>
#include <vector>

#include <snapshot/linux/frozen_thread.h>
#include <snapshot/linux/gadget.h>
#include <snapshot/linux/handover.h>
#include <snapshot/linux/maps_parser.h>
#include <snapshot/linux/proc_parser.h>
#include <snapshot/linux/proc_reader.h>
#include <snapshot/linux/remote_calls.h>

namespace doppel {
namespace {

constexpr std::uint64_t kMillisecond = 1'000'000;
constexpr std::uint64_t kSecond = 1'000 * kMillisecond;
/// How long the crash waits for threads to stand still. What sleeps uninterruptibly is left: it
/// runs no code of the program before it dies.
constexpr std::uint64_t kParkDeadline = 50 * kMillisecond;
constexpr std::uint64_t kSigchld = 1ull << (SIGCHLD - 1);
/// A program that starts threads faster than they are stopped is taken as it is.
constexpr int kMostPasses = 100;

/// What a text that ends with the process says; empty when it cannot be read.
std::string read_text(const TargetProcess& target, const char* name) {
  std::array<char, 8192> buffer;
  Result<std::span<char>> text = target.read_into(name, buffer);
  return text ? std::string(text->data(), text->size()) : std::string();
}

Address find_vdso(const TargetProcess& target) {
  const std::string text = read_text(target, "auxv");
  const std::vector<AuxEntry> auxv = parse_auxv(std::as_bytes(std::span(text)));
  return {find_aux(auxv, AT_SYSINFO_EHDR).value_or(0)};
}

/// Waits until the task has died, and leaves it unreaped. False when it has not by then.
bool await_death(Sys& sys, pid_t tid, std::uint64_t deadline_ns) {
  while (true) {
    // A tracer is told of stops whatever it waits for: "nothing" and "a stop" are not a death.
    const Result<Stop> stop = peek_stop(sys, tid);
    if (!stop && stop.error().code == Errc::gone) return true;  // reaped
    if (stop && stop->kind == StopKind::exited) return true;
    const std::uint64_t now = monotonic_ns();
    if (now >= deadline_ns) return false;
    // SIGCHLD is blocked and becomes pending with each death.
    (void)sys.sigtimedwait(kSigchld,
                           static_cast<std::int64_t>(std::min(deadline_ns - now, kMillisecond)));
  }
}

/// Only of a dead task: of a living one it would take a stop.
void reap(Sys& sys, pid_t tid) {
  siginfo_t info{};
  (void)sys.waitid(P_PID, tid, &info, WEXITED | WNOHANG | __WALL);
}

/// A process in its last moment. Its threads stay traced by the caller, whatever happens here.
class Crash {
 public:
  Crash(Sys& sys, const TargetProcess& target, const HandoverRequest& request, HandedOver& taken)
      : sys_(sys), target_(target), request_(request), taken_(taken) {}

  Crash(const Crash&) = delete;
  Crash& operator=(const Crash&) = delete;

  ~Crash() {
    for (FrozenThread& thread : threads_) thread.tracee().abandon();
  }

  Result<> prepare();
  Result<> park();
  Result<> make_holder();
  Result<> let_die();

  /// The signal has been taken away from the thread and must be given back.
  bool owes_signal() const { return owes_signal_; }

 private:
  Result<bool> order_new();

  void queue_signal() {
    queued_ = sys_.tgkill(target_.pid(), request_.thread, request_.info.si_signo) >= 0;
  }

  Tracee& crashed() { return threads_.front().tracee(); }

  Sys& sys_;
  const TargetProcess& target_;
  const HandoverRequest& request_;
  HandedOver& taken_;
  TraceSettings settings_;
  std::vector<FrozenThread> threads_;  // the crashed one first
  std::optional<Address> gadget_;
  bool owes_signal_ = false;
  bool queued_ = false;
};

/// What is needed, and what goes with the process.
Result<> Crash::prepare() {
  LastWords& words = taken_.last_words;
  words.stat = read_text(target_, "stat");
  words.status = read_text(target_, "status");
  words.cgroup = read_text(target_, "cgroup");
  words.limits = read_text(target_, "limits");
  const std::size_t threads = DOPPEL_TRY(target_.thread_count());
  CaptureArena arena = DOPPEL_TRY(CaptureArena::create(
      {.threads = threads + threads / 4 + 64, .copies = 1024, .copy_bytes = request_.copy_bytes}));
  taken_.arena.emplace(std::move(arena));
  const long memory = sys_.openat(target_.directory(), "mem", O_RDWR);
  DOPPEL_TRY(check(memory, "open the memory of", std::to_string(target_.pid())));
  taken_.memory.reset(static_cast<int>(memory));
  if (Result<ProcStatus> status = parse_status(words.status)) {
    settings_.shadow_stacks = status->shadow_stack();
  }
  return {};
}

/// Orders every thread that is not known yet to stop; the crashed one is first. True when there was
/// one.
Result<bool> Crash::order_new() {
  std::vector<pid_t> now = DOPPEL_TRY(target_.threads());
  if (threads_.empty()) {
    const auto crashed = std::find(now.begin(), now.end(), request_.thread);
    if (crashed == now.end()) return fail(Errc::gone, "look at the crashed thread");
    std::rotate(now.begin(), crashed, crashed + 1);
  }
  std::vector<pid_t> known;
  for (FrozenThread& thread : threads_) known.push_back(thread.record().tid);
  std::sort(known.begin(), known.end());
  std::uint32_t& used = taken_.arena->header().thread_count;
  bool any = false;
  for (const pid_t tid : now) {
    if (std::binary_search(known.begin(), known.end(), tid)) continue;
    if (used == taken_.arena->records().size()) {
      ++taken_.threads_left_out;
      continue;
    }
    ThreadRecord& record = taken_.arena->records()[used];
    record = ThreadRecord{};
    const std::string name = "task/" + std::to_string(tid) + "/stat";
    Result<std::span<char>> text =
        target_.read_into(name.c_str(), std::span<char>(record.stat, sizeof record.stat - 1));
    if (!text) continue;
    record.state = state_in_stat(record.stat);
    if (record.state == 'Z' || record.state == 'X') continue;
    record.tid = tid;
    record.was_running = record.state == 'R';
    threads_.push_back(FrozenThread::adopt(sys_, target_, tid, settings_, record,
                                           taken_.arena->xsave(used),
                                           taken_.arena->io_bitmap(used)));
    ++used;
    any = true;
    if (tid != request_.thread) (void)threads_.back().order();
  }
  return any;
}

/// All threads stand still, with their registers read.
Result<> Crash::park() {
  const std::uint64_t deadline = monotonic_ns() + kParkDeadline;
  std::size_t first = 0;
  for (int pass = 0; pass < kMostPasses; ++pass) {
    const bool any = DOPPEL_TRY(order_new());
    if (!any) break;
    for (std::size_t i = first; i < threads_.size(); ++i) {
      FrozenThread& thread = threads_[i];
      DOPPEL_TRY(thread.collect(deadline));
      if (thread.tracee().dead()) {
        // Seen here, reaped by let_die().
        if (i == 0) return fail(Errc::gone, "look at the crashed thread");
        continue;
      }
      if (thread.record().has_registers) {
        taken_.words.note(sys_, taken_.memory.get(), thread.record().tid,
                          thread.record().registers);
      }
    }
    first = threads_.size();
    // Equal counts mean the same threads: none that we know can start or end one.
    const Result<std::size_t> count = target_.thread_count();
    if (count && *count == threads_.size()) break;
  }
  if (!crashed().stopped() || crashed().stop().kind != StopKind::signal ||
      crashed().stop().signal != request_.info.si_signo) {
    return fail(Errc::gone, "look at the crashed thread");
  }
  taken_.times.parked_ns = monotonic_ns();
  // Only its descriptors tell of locks without delay, and they go with it.
  if (Result<ProcDir> process = ProcDir::open(sys_, target_.pid())) {
    Result<std::string> text = process->read_text("maps", 4u << 20);
    Result<std::vector<Region>> regions =
        text ? parse_maps(*text) : Result<std::vector<Region>>(std::vector<Region>{});
    if (regions) taken_.locks = find_mapped_locks(sys_, target_, *regions);
  }
  return {};
}

/// The one call that the crashed thread makes for us, and the task that it makes.
Result<> Crash::make_holder() {
  const ThreadRecord& record = threads_.front().record();
  const int memory = taken_.memory.get();
  gadget_ = find_own_gadget(sys_, memory, record.registers);
  if (!gadget_) gadget_ = find_vdso_gadget(sys_, memory, find_vdso(target_));
  if (!gadget_) return fail(Errc::unsupported, "find a system call instruction");
  const unsigned long suspend = request_.suspend_seccomp ? PTRACE_O_SUSPEND_SECCOMP : 0;
  DOPPEL_TRY(crashed().set_options(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE |
                                   PTRACE_O_TRACEFORK | suspend));
  owes_signal_ = true;
  crashed().drop_signal();
  // Should we be killed while it makes this call, it must not live on as if it had not crashed: it
  // has no stack, and no frame to find one by (the vdso's code goes on with `leave`).
  X86_64Registers deadly = record.registers;
  for (std::uint64_t* each : {&deadly.rsp, &deadly.rbp, &deadly.rbx, &deadly.r12, &deadly.r13,
                              &deadly.r14, &deadly.r15}) {
    *each = kNoStack;
  }
  RemoteCalls calls(crashed(), deadly, *gadget_, RemoteCalls::Of::ours);
  // Shared memory, so nothing is copied; shared descriptor table, so nothing is duplicated; no exit
  // signal.
  Result<long> called =
      calls.call({.number = SYS_clone, .a = CLONE_VM | CLONE_FILES, .b = kNoStack});
  // Its signal is pending again from here on, and it dies of that whatever becomes of us.
  queue_signal();
  const pid_t task = calls.new_task();
  taken_.arena->header().helper = task;
  if (task != 0) {
    Result<std::unique_ptr<MemoryHolder>> holder =
        MemoryHolder::adopt(sys_, task, *gadget_, request_.suspend_seccomp);
    if (!holder) return fail(std::move(holder.error()));
    taken_.holder = std::move(*holder);
  }
  if (!called) return fail(std::move(called.error()));
  DOPPEL_TRY(check(*called, "make the holder of the memory"));
  if (task == 0) return fail(Errc::unsupported, "learn the id of the holder of the memory");
  const int dumpable = DOPPEL_TRY(taken_.holder->dumpable());
  if (dumpable != 1) return fail(Errc::denied, "dump a process that forbade dumps");
  // The kernel's own core would take the time that this saves; and before 5.16 it would kill the
  // holder too (fs/coredump.c zap_threads).
  DOPPEL_TRY(taken_.holder->set_dumpable(0));
  taken_.times.handed_over_ns = monotonic_ns();
  return {};
}

/// The thread gets its signal back, with the record it came with, and the process dies of it.
Result<> Crash::let_die() {
  Tracee& thread = crashed();
  const int signal = request_.info.si_signo;
  const pid_t pid = target_.pid();
  if (owes_signal_ && !thread.dead()) {
    (void)thread.set_registers(threads_.front().record().registers);
    if (!queued_) queue_signal();
    if (!queued_) return fail(Errc::os, "give the signal back");
    for (int stops = 0; stops < 100; ++stops) {
      DOPPEL_TRY(thread.resume());
      DOPPEL_TRY(thread.wait(monotonic_ns() + 5 * kSecond));
      if (!thread.stopped()) break;
      if (thread.stop().kind == StopKind::signal && thread.stop().signal == signal) break;
      // One that was pending behind it: the process does not live to see it.
      thread.drop_signal();
    }
    siginfo_t info = request_.info;
    (void)sys_.ptrace(PTRACE_SETSIGINFO, request_.thread, nullptr, &info);
    owes_signal_ = false;
  }
  if (thread.stopped()) DOPPEL_TRY(thread.resume());
  const std::uint64_t deadline = monotonic_ns() + 5 * kSecond;
  for (FrozenThread& each : threads_) {
    const pid_t tid = each.record().tid;
    if (tid == pid || tid == 0) continue;
    if (!await_death(sys_, tid, deadline)) return fail(Errc::timeout, "wait for a thread to end");
    reap(sys_, tid);
  }
  // A thread that came in between is dead as well, and keeps the leader from being seen.
  while (!await_death(sys_, pid, monotonic_ns() + 20 * kMillisecond)) {
    if (monotonic_ns() > deadline) return fail(Errc::timeout, "wait for the process to end");
    const std::vector<pid_t> left = DOPPEL_TRY(target_.threads());
    for (const pid_t tid : left) {
      if (tid != pid && await_death(sys_, tid, 0)) reap(sys_, tid);
    }
  }
  taken_.times.dead_ns = monotonic_ns();
  return {};
}

}  // namespace

void pass_on_crash(Sys& sys, const TargetProcess& target, pid_t thread, int signal) {
  const auto resume = [&](pid_t tid, int with) {
    return sys.ptrace(PTRACE_CONT, tid, nullptr, reinterpret_cast<void*>(static_cast<long>(with)));
  };
  const auto send_on = [&](pid_t tid) {
    Result<Stop> stop = peek_stop(sys, tid);
    if (!stop || stop->kind == StopKind::none || stop->kind == StopKind::exited) return;
    const int own = stop->kind == StopKind::signal ? stop->signal : 0;
    // The thread is owed its signal in whatever stop it stands: at the end of a system call the
    // kernel sends it anew (kernel/ptrace.c ptrace_report_syscall()), and it stops once more.
    (void)resume(tid, tid == thread && own == 0 ? signal : own);
  };
  (void)resume(thread, signal);
  // Its death shows that the kernel ends them all: no other thread is to run before that. A leader
  // is not seen to be dead before the others are collected.
  const std::uint64_t start = monotonic_ns();
  while (!await_death(sys, thread, monotonic_ns() + 5 * kMillisecond)) {
    send_on(thread);
    const Result<std::vector<pid_t>> threads = target.threads();
    const std::uint64_t spent = monotonic_ns() - start;
    if (!threads || spent > 5 * kSecond) return;
    for (const pid_t tid : *threads) {
      if (tid == thread || tid == target.pid()) continue;
      if (await_death(sys, tid, 0)) {
        reap(sys, tid);
      } else if (spent > kSecond) {
        send_on(tid);
      }
    }
    if (spent > kSecond && thread != target.pid()) send_on(target.pid());
  }
}

Result<HandedOver> hand_over(Sys& sys, const TargetProcess& target,
                             const HandoverRequest& request) {
  HandedOver taken;
  taken.process = target.pid();
  taken.thread = request.thread;
  taken.info = request.info;
  taken.times.signal_ns = monotonic_ns();
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  taken.crashed_at_ns = static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
  Result<> result;
  bool owes = false;
  {
    Crash crash(sys, target, request, taken);
    result = [&]() -> Result<> {
      DOPPEL_TRY(crash.prepare());
      DOPPEL_TRY(crash.park());
      // ---- no thread of the process runs ----
      DOPPEL_TRY(crash.make_holder());
      // ---- the memory no longer depends on the process ----
      return {};
    }();
    if (!result && crash.owes_signal()) {
      taken.holder.reset();
      owes = true;
    }
    if (result || owes) {
      Result<> died = crash.let_die();
      if (result) result = std::move(died);
      if (result) return taken;
    }
  }
  taken.holder.reset();
  pass_on_crash(sys, target, request.thread, request.info.si_signo);
  return fail(std::move(result.error()));
}

}  // namespace doppel
