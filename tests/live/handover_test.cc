// SPDX-License-Identifier: Apache-2.0
//
// The hand-over on real processes: what crashes is dead and free of everything it claimed when its
// parent sees it, and its memory is what it was.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cstring>
#include <functional>
#include <map>
#include <set>

#include <snapshot/linux/fatal_signal.h>
#include <snapshot/linux/handover.h>
#include <snapshot/linux/held_snapshot.h>
#include <snapshot/linux/shedding.h>
#include <tests/live/capturing.h>
#include <tests/support/faulty_sys.h>
#include <tests/support/live_target.h>
#include <tests/support/temp_dir.h>

namespace doppel {
namespace {

/// A crasher that this thread traces, as `doppel run` does.
class Watched {
 public:
  explicit Watched(const std::vector<std::string>& arguments, Sys& sys = Sys::real())
      : sys_(sys), target_("crasher", arguments) {
    sigemptyset(&set_);
    sigaddset(&set_, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &set_, &before_);
    // The holder's zombie must not become init's business while the test looks for it.
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    const std::vector<int> tids = numbers_in("/proc/" + std::to_string(target_.pid()) + "/task");
    for (const int tid : tids) {
      EXPECT_EQ(ptrace(PTRACE_SEIZE, tid, 0,
                       PTRACE_O_TRACECLONE | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC),
                0);
    }
  }

  ~Watched() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

  LiveTarget& target() { return target_; }

  pid_t pid() const { return target_.pid(); }

  /// Lets it run until a thread stops for a fatal signal.
  HandoverRequest await_crash() {
    while (true) {
      siginfo_t info{};
      if (waitid(P_ALL, 0, &info, WSTOPPED | WEXITED | WNOWAIT | __WALL) != 0) return {};
      if (info.si_code != CLD_TRAPPED) return {};
      const int signal = info.si_status & 0x7f;
      const int event = info.si_status >> 8;
      siginfo_t record{};
      ptrace(PTRACE_GETSIGINFO, info.si_pid, 0, &record);
      const auto actions =
          parse_signal_actions(read_text("/proc/" + std::to_string(info.si_pid) + "/status"));
      if (event == 0 && actions && is_crash(signal, record.si_code, *actions)) {
        return {.thread = info.si_pid, .info = record};
      }
      ptrace(PTRACE_CONT, info.si_pid, 0, event == 0 ? signal : 0);
    }
  }

  Result<HandedOver> crash(const std::string& how) {
    target_.command("crash " + how);
    const HandoverRequest request = await_crash();
    if (request.thread == 0) return fail(Errc::gone, "wait for the crash");
    Result<TargetProcess> process = TargetProcess::open(sys_, pid());
    if (!process) return fail(std::move(process.error()));
    process_ = std::make_unique<TargetProcess>(std::move(*process));
    return hand_over(sys_, *process_, request);
  }

  const TargetProcess& process() const { return *process_; }

  int reap() {
    // After a failure its other threads are still to be collected, and the leader is not seen
    // before.
    for (int status = 0;;) {
      const pid_t ended = waitpid(-1, &status, __WALL);
      if (ended == pid() || ended < 0) return status;
    }
  }

 private:
  Sys& sys_;
  LiveTarget target_;
  std::unique_ptr<TargetProcess> process_;
  sigset_t set_{}, before_{};
};

/// No task is left behind. What was ended while the process still lived became ours with its death,
/// as it becomes init's elsewhere, and is collected like any orphan.
bool no_children_left() {
  siginfo_t info{};
  while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | __WALL) == 0) {
    if (info.si_pid == 0) return false;
  }
  return errno == ECHILD;
}

void expect_words(const Snapshot& snapshot, LiveTarget& target) {
  const std::uint64_t words = target.number("words");
  for (std::uint64_t i = 0; i < target.number("words_count"); ++i) {
    ASSERT_EQ(word_at(snapshot, words + 8 * i), mix(i)) << i;
  }
}

struct CrashCase {
  const char* how;
  int signal;
};

class HandoverOf : public testing::TestWithParam<CrashCase> {};

TEST_P(HandoverOf, KeepsMemoryAndStatus) {
  Watched watched({"3"});
  Result<HandedOver> taken = watched.crash(GetParam().how);
  DOPPEL_ASSERT_OK(taken);
  const AllClear clear = shed(Sys::real(), watched.process(), *taken);
  const int status = watched.reap();
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), GetParam().signal);
  EXPECT_FALSE(WCOREDUMP(status));
  Result<HeldFiles> files = open_held_files(Sys::real(), *taken);
  DOPPEL_ASSERT_OK(files);
  {
    Result<Snapshot> snapshot = make_held_snapshot(Sys::real(), *taken, std::move(*files), clear);
    DOPPEL_ASSERT_OK(snapshot);
    EXPECT_TRUE(check_image(snapshot->image).has_value());
    expect_words(*snapshot, watched.target());
    ASSERT_TRUE(snapshot->image.fault.has_value());
    EXPECT_EQ(snapshot->image.fault->number, static_cast<std::uint32_t>(GetParam().signal));
    EXPECT_EQ(snapshot->image.threads.size(), 4u);
    EXPECT_EQ(snapshot->image.threads.front().id, taken->thread);
    EXPECT_EQ(snapshot->image.process.comm, "crasher");
    EXPECT_FALSE(snapshot->image.modules.empty());
    for (const Thread& thread : snapshot->image.threads) {
      EXPECT_TRUE(thread.registers.complete);
      EXPECT_NE(thread.registers.general.rip, 0u);
    }
  }
  taken->holder.reset();
  EXPECT_TRUE(no_children_left());
}

INSTANTIATE_TEST_SUITE_P(Crashes, HandoverOf,
                         testing::Values(CrashCase{"segv", SIGSEGV}, CrashCase{"abort", SIGABRT},
                                         CrashCase{"fpe", SIGFPE}, CrashCase{"ill", SIGILL},
                                         CrashCase{"trap", SIGTRAP}, CrashCase{"overflow", SIGSEGV},
                                         CrashCase{"raise", SIGSEGV}, CrashCase{"jump", SIGSEGV},
                                         CrashCase{"sp", SIGSEGV}, CrashCase{"quit", SIGQUIT},
                                         CrashCase{"worker", SIGSEGV}, CrashCase{"all", SIGSEGV}),
                         [](const auto& each) { return std::string(each.param.how); });

TEST(Handover, PutsRightWhatTheDeathOverwrites) {
  Watched watched({"2"});
  Result<HandedOver> taken = watched.crash("segv");
  DOPPEL_ASSERT_OK(taken);
  const AllClear clear = shed(Sys::real(), watched.process(), *taken);
  watched.reap();
  LiveTarget& target = watched.target();
  const auto read_now = [&](const char* fact) {
    std::int32_t word = -1;
    EXPECT_EQ(pread(taken->memory.get(), &word, 4, static_cast<off_t>(target.number(fact))), 4);
    return word;
  };
  // The kernel has been there: else this test shows nothing.
  EXPECT_EQ(read_now("tid_word"), 0);
  EXPECT_NE(read_now("robust"), static_cast<std::int32_t>(target.number("robust_value")));
  Result<HeldFiles> files = open_held_files(Sys::real(), *taken);
  DOPPEL_ASSERT_OK(files);
  Result<Snapshot> snapshot = make_held_snapshot(Sys::real(), *taken, std::move(*files), clear);
  DOPPEL_ASSERT_OK(snapshot);
  EXPECT_EQ(read_now("tid_word"), static_cast<std::int32_t>(target.number("tid_value")));
  EXPECT_EQ(read_now("robust"), static_cast<std::int32_t>(target.number("robust_value")));
}

bool port_is_free(int type, int port) {
  const UniqueFd fd(socket(AF_INET, type | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
}

bool abstract_is_free(const std::string& name) {
  const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  return bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) == 0;
}

bool flock_is_free(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDWR | O_CLOEXEC));
  return flock(fd.get(), LOCK_EX | LOCK_NB) == 0;
}

bool record_lock_is_free(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDWR | O_CLOEXEC));
  struct flock lock{};
  lock.l_type = F_WRLCK;
  return fcntl(fd.get(), F_OFD_SETLK, &lock) == 0;
}

/// Every claim, and whether it is free.
std::map<std::string, bool> look_at_claims(LiveTarget& target, const std::string& directory) {
  std::map<std::string, bool> free;
  free["tcp"] = port_is_free(SOCK_STREAM, static_cast<int>(std::stol(target.fact("tcp"))));
  free["udp"] = port_is_free(SOCK_DGRAM, static_cast<int>(std::stol(target.fact("udp"))));
  free["abstract"] = abstract_is_free(target.fact("abstract"));
  free["flock"] = flock_is_free(directory + "/flock");
  free["flock on a mapped file"] = flock_is_free(directory + "/flock_mapped");
  free["posix lock"] = record_lock_is_free(directory + "/posix");
  free["ofd lock on a mapped file"] = record_lock_is_free(directory + "/ofd_mapped");
  shmid_ds segment{};
  shmctl(static_cast<int>(std::stol(target.fact("sysv"))), IPC_STAT, &segment);
  free["sysv attachments"] = segment.shm_nattch == 0;
  if (const int port = static_cast<int>(std::stol(target.fact("ring"))); port != 0) {
    free["io_uring listener"] = port_is_free(SOCK_STREAM, port);
  }
  return free;
}

TEST(Handover, LeavesNothingClaimed) {
  TempDir directory;
  Watched watched({"2", "dir=" + directory.path().string(), "tcp", "udp", "abstract", "flock",
                   "flock_mapped", "posix", "ofd_mapped", "sysv", "ring", "cwd"});
  LiveTarget& target = watched.target();
  for (const auto& [what, free] : look_at_claims(target, directory.path())) {
    EXPECT_FALSE(free) << what << " is not claimed to begin with";
  }
  Result<HandedOver> taken = watched.crash("segv");
  DOPPEL_ASSERT_OK(taken);
  AllClear clear = shed(Sys::real(), watched.process(), *taken);
  watched.reap();
  // ---- the moment that a parent sees ----
  for (const auto& [what, free] : look_at_claims(target, directory.path())) {
    if (what == "io_uring listener") continue;  // named below
    EXPECT_TRUE(free) << what;
  }
  verify_clear(Sys::real(), *taken, clear);
  bool ring_named = false;
  for (const std::string& held : clear.held) {
    ring_named = ring_named || held.starts_with("ring ");
    EXPECT_TRUE(held.starts_with("mount ") || held.starts_with("control group") ||
                held.starts_with("ring "))
        << held;
  }
  EXPECT_EQ(ring_named, target.fact("ring") != "0");
  EXPECT_EQ(read_text("/proc/" + std::to_string(taken->holder->task()) + "/oom_score_adj"),
            "1000\n");
  Result<HeldFiles> files = open_held_files(Sys::real(), *taken);
  DOPPEL_ASSERT_OK(files);
  Result<Snapshot> snapshot = make_held_snapshot(Sys::real(), *taken, std::move(*files), clear);
  DOPPEL_ASSERT_OK(snapshot);
  // What was given up was read first.
  const auto text_at = [&](const char* fact) {
    char text[32] = {};
    (void)snapshot->memory->read({target.number(fact)},
                                 std::as_writable_bytes(std::span(text, sizeof text - 1)));
    return std::string(text);
  };
  ASSERT_FALSE(taken->locks.empty());
  EXPECT_EQ(text_at("flock_mapped_at"), "mapped contents");
  EXPECT_EQ(text_at("sysv_at"), "system five");
  shmctl(static_cast<int>(std::stol(target.fact("sysv"))), IPC_RMID, nullptr);
}

TEST(Handover, TakesNothingFromAProcessThatForbadeIt) {
  DOPPEL_SKIP_IF(geteuid() != 0 ? "only the superuser may trace it at all" : "");
  Watched watched({"1", "undumpable"});
  Result<HandedOver> taken = watched.crash("segv");
  ASSERT_FALSE(taken.has_value());
  EXPECT_EQ(taken.error().code, Errc::denied);
  const int status = watched.reap();
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
  EXPECT_TRUE(no_children_left());
}

TEST(Handover, WithholdsMemoryThatIsToBeWiped) {
  Watched watched({"0", "wipe"});
  Result<HandedOver> taken = watched.crash("segv");
  DOPPEL_ASSERT_OK(taken);
  const AllClear clear = shed(Sys::real(), watched.process(), *taken);
  watched.reap();
  Result<HeldFiles> files = open_held_files(Sys::real(), *taken);
  DOPPEL_ASSERT_OK(files);
  Result<Snapshot> snapshot = make_held_snapshot(Sys::real(), *taken, std::move(*files), clear);
  DOPPEL_ASSERT_OK(snapshot);
  const std::uint64_t at = watched.target().number("wipe_at");
  EXPECT_FALSE(word_at(*snapshot, at).has_value());
  EXPECT_NE(omission_at(snapshot->image, at), nullptr);
}

TEST(Handover, WhateverFailsTheCrashGoesOn) {
  int successes = 0;
  int n = 1;
  for (; successes < 2 && n < 600; ++n) {
    Watched watched({"1"});
    watched.target().command("crash segv");
    const HandoverRequest request = watched.await_crash();
    ASSERT_NE(request.thread, 0);
    Result<TargetProcess> process = TargetProcess::open(Sys::real(), watched.pid());
    DOPPEL_ASSERT_OK(process);
    FaultySys sys({.fail_at = n});
    {
      Result<HandedOver> taken = hand_over(sys, *process, request);
      if (taken) (void)shed(sys, *process, *taken);
      const int status = watched.reap();
      ASSERT_TRUE(WIFSIGNALED(status)) << n << " status " << std::hex << status;
      ASSERT_EQ(WTERMSIG(status), SIGSEGV) << n;
    }
    EXPECT_TRUE(no_children_left()) << n;
    if (!sys.fired()) ++successes;
    ASSERT_FALSE(HasFailure());
  }
  EXPECT_EQ(successes, 2);
  EXPECT_GT(n, 50);
}

/// A process of its own traces the crasher and is killed before its n-th system call.
TEST(Handover, KilledAnywhereTheWatcherLeavesNothing) {
  bool finished = false;
  int n = 1;
  int in_the_window = 0;
  for (; !finished && n < 600; ++n) {
    LiveTarget target("crasher", {"1"});
    const std::vector<int> tids = numbers_in("/proc/" + std::to_string(target.pid()) + "/task");
    FaultySys sys({.kill_at = n, .kill_role = FaultPlan::Role::tracer});
    int ready[2];
    ASSERT_EQ(pipe(ready), 0);
    const pid_t watcher = ::fork();
    if (watcher == 0) {
      sigset_t set;
      sigemptyset(&set);
      sigaddset(&set, SIGCHLD);
      pthread_sigmask(SIG_BLOCK, &set, nullptr);
      for (const int tid : tids) ptrace(PTRACE_SEIZE, tid, 0, PTRACE_O_TRACECLONE);
      (void)!write(ready[1], "x", 1);
      while (true) {
        siginfo_t info{};
        if (waitid(P_ALL, 0, &info, WSTOPPED | WEXITED | WNOWAIT | __WALL) != 0) _exit(1);
        if (info.si_code != CLD_TRAPPED) _exit(2);
        if (info.si_status != SIGSEGV) {
          ptrace(PTRACE_CONT, info.si_pid, 0, info.si_status >> 8 == 0 ? info.si_status : 0);
          continue;
        }
        HandoverRequest request{.thread = info.si_pid};
        ptrace(PTRACE_GETSIGINFO, info.si_pid, 0, &request.info);
        Result<TargetProcess> process = TargetProcess::open(Sys::real(), target.pid());
        Result<HandedOver> taken = hand_over(sys, *process, request);
        if (!taken) _exit(3);
        (void)shed(sys, *process, *taken);
        taken->holder->end();
        waitpid(target.pid(), nullptr, __WALL);
        _exit(0);
      }
    }
    char byte = 0;
    ASSERT_EQ(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    target.command("crash segv");
    int watched = 0;

    ASSERT_EQ(waitpid(watcher, &watched, 0), watcher);
    if (!sys.fired()) {
      EXPECT_EQ(watched, 0) << n;
      finished = true;
    }
    int status = 0;
    ASSERT_EQ(waitpid(target.pid(), &status, 0), target.pid()) << n;
    ASSERT_TRUE(WIFSIGNALED(status)) << n;
    // Killed while the thread holds foreign registers: it dies all the same, but of what it runs
    // into (docs/limits.md).
    if (WTERMSIG(status) != SIGSEGV) ++in_the_window;
    // A holder that was let loose in its first moment dies of its missing stack: soon, not at once.
    std::vector<std::string> left;
    const std::uint64_t deadline = monotonic_ns() + 5'000'000'000;
    do {
      left = related_processes(target.mark(), {target.pid()}, {});
    } while (!left.empty() && monotonic_ns() < deadline);
    EXPECT_EQ(left, std::vector<std::string>{}) << n;
    EXPECT_TRUE(no_children_left()) << n;
    ASSERT_FALSE(HasFailure()) << n << ", call " << sys.hit_number();
  }
  EXPECT_TRUE(finished);
  EXPECT_GT(n, 50);
  EXPECT_LE(in_the_window, 12);
}

}  // namespace
}  // namespace doppel
