// SPDX-License-Identifier: Apache-2.0
//
// Preflight against real processes that have the property in question. What this machine cannot
// make real is answered by a scripted system in resource_check_test and permission_check_test.
#include <elf.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>
#include <thread>

#include <snapshot/linux/preflight.h>
#include <tests/support/sanitizer.h>
#include <tests/unit/snapshot/linux/child_process.h>
#include <tests/unit/snapshot/linux/scripted_sys.h>

namespace doppel {
namespace {

constexpr std::size_t kMegabyte = 1u << 20;
constexpr uid_t kUser = 12345;

const Preflight look_at(pid_t pid, const PreflightOptions& options = {}) {
  return preflight(Sys::real(), pid, options);
}

/// The severity of a gate, or "none".
std::string_view severity(const Preflight& facts, GateId id) {
  const Gate* gate = facts.find(id);
  return gate == nullptr ? "none" : severity_name(gate->severity);
}

std::string lines(const Preflight& facts) {
  std::string text;
  for (const Gate& gate : facts.gates) {
    text += std::string(severity_name(gate.severity)) + " " + std::string(gate_name(gate.id)) +
            ": " + gate_line(gate) + "\n";
  }
  return text;
}

bool become_user() {
  return ::setgroups(0, nullptr) == 0 && ::setresgid(kUser, kUser, kUser) == 0 &&
         ::setresuid(kUser, kUser, kUser) == 0;
}

/// What an ordinary user's preflight says, in lines().
std::string lines_as_user(pid_t pid) {
  int out[2];
  if (::pipe(out) != 0) return "pipe";
  const pid_t child = ::fork();
  if (child == 0) {
    std::string text = "cannot become a user\n";
    if (become_user()) text = lines(look_at(pid)) + "end\n";
    const auto done = ::write(out[1], text.data(), text.size());
    ::_exit(done == static_cast<ssize_t>(text.size()) ? 0 : 1);
  }
  ::close(out[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t n; (n = ::read(out[0], buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(n));
  }
  ::close(out[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  return text;
}

std::byte* map_memory(std::size_t size, int flags = MAP_PRIVATE | MAP_ANONYMOUS) {
  void* at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (at == MAP_FAILED) return nullptr;
  std::memset(at, 1, size);
  return static_cast<std::byte*>(at);
}

class PreflightTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  }
};

TEST_F(PreflightTest, AQuietProcessHasNothingInItsWay) {
  const ChildProcess child([] { return true; });
  ASSERT_TRUE(child.ready());
  const Preflight facts = look_at(child.pid());
  EXPECT_TRUE(facts.exists);
  EXPECT_TRUE(facts.may_attach);
  EXPECT_EQ(facts.dumpable, true);
  EXPECT_TRUE(facts.mappings_known);
  EXPECT_GT(facts.regions.size(), 10u);
  EXPECT_EQ(facts.regions.size(), facts.details.size());
  ASSERT_EQ(facts.threads.size(), 1u + kSanitizerThreads);
  EXPECT_EQ(facts.threads[0].id, child.pid());
  EXPECT_EQ(facts.threads[0].state, 'S');
  ASSERT_TRUE(facts.threads[0].syscall.has_value());
  EXPECT_EQ(facts.threads[0].syscall->number, SYS_pause);
  EXPECT_GT(facts.memory.available, 0u);
  EXPECT_GT(facts.memory.private_writable, 0u);
  EXPECT_GT(facts.memory.page_tables, 0u);
  EXPECT_FALSE(facts.executable.empty());
  EXPECT_FALSE(facts.namespace_init);
  EXPECT_FALSE(facts.in_container);
  EXPECT_EQ(facts.forbidding(), nullptr) << lines(facts);
  EXPECT_EQ(facts.forbidding_clone(), nullptr) << lines(facts);
  for (const Gate& gate : facts.gates) EXPECT_EQ(gate.severity, Severity::note) << gate_line(gate);
}

TEST_F(PreflightTest, NobodyIsTouched) {
  // A process that would notice: it stops at every signal, and counts.
  const ChildProcess child([] { return true; });
  const auto count = [&] {
    const auto dir = ProcDir::open(Sys::real(), child.pid());
    const auto status = parse_status(*dir->read_text("status"));
    return std::pair(status->voluntary_switches, status->involuntary_switches);
  };
  const auto before = count();
  (void)look_at(child.pid());
  EXPECT_EQ(count(), before);
}

TEST_F(PreflightTest, NoSuchProcess) {
  for (const pid_t pid : {0, -1, 1'999'999'999}) {
    const Preflight facts = look_at(pid);
    EXPECT_FALSE(facts.exists);
    EXPECT_EQ(severity(facts, GateId::no_process), "forbids") << pid;
    EXPECT_EQ(gate_code(facts.forbidding()->id), Errc::gone);
  }
}

TEST_F(PreflightTest, AZombieNamesItsParent) {
  const ChildProcess child([] { return true; });
  child.kill();
  const Preflight facts = look_at(child.pid());
  ASSERT_EQ(severity(facts, GateId::zombie), "forbids") << lines(facts);
  EXPECT_THAT(facts.find(GateId::zombie)->why, testing::HasSubstr(std::to_string(::getpid())));
}

TEST_F(PreflightTest, AMainThreadThatEndedIsNoZombie) {
  static std::atomic<bool> started;
  const ChildProcess child([] {
    std::thread([] {
      started = true;
      while (true) ::pause();
    }).detach();
    while (!started) ::sched_yield();
    return true;
  });
  ASSERT_TRUE(child.ready());
  // The child waits in pause(); a handler that ends the thread is what makes the leader exit.
  const ChildProcess other([] {
    std::thread([] {
      while (true) ::pause();
    }).detach();
    struct sigaction action{};
    action.sa_handler = [](int) { ::syscall(SYS_exit, 0); };
    return ::sigaction(SIGUSR1, &action, nullptr) == 0;
  });
  ASSERT_TRUE(other.ready());
  ::syscall(SYS_tgkill, other.pid(), other.pid(), SIGUSR1);
  Preflight facts;
  do {
    facts = look_at(other.pid());
  } while (facts.stat.state != 'Z');
  EXPECT_EQ(severity(facts, GateId::leader_exited), "forbids") << lines(facts);
  EXPECT_EQ(facts.find(GateId::zombie), nullptr);
}

TEST_F(PreflightTest, AKernelThread) {
  const auto dir = ProcDir::open(Sys::real(), 2);
  if (!dir || *dir->read_text("comm") != "kthreadd\n") GTEST_SKIP() << "not shown here";
  const Preflight facts = look_at(2);
  EXPECT_EQ(severity(facts, GateId::kernel_thread), "forbids") << lines(facts);
}

TEST_F(PreflightTest, OurselvesAndOurAncestors) {
  EXPECT_EQ(severity(look_at(::getpid()), GateId::ourselves), "forbids");
  const Preflight parent = look_at(::getppid());
  EXPECT_EQ(severity(parent, GateId::ancestor), "note") << lines(parent);
}

TEST_F(PreflightTest, AThreadsIdIsNoProcess) {
  std::atomic<pid_t> tid{0};
  std::jthread thread([&](const std::stop_token& stop) {
    tid = ::gettid();
    tid.notify_all();
    while (!stop.stop_requested()) std::this_thread::yield();
  });
  tid.wait(0);
  const Preflight facts = look_at(tid);
  ASSERT_EQ(severity(facts, GateId::thread_id), "forbids") << lines(facts);
  EXPECT_THAT(facts.find(GateId::thread_id)->remedy,
              testing::HasSubstr(std::to_string(::getpid())));
}

TEST_F(PreflightTest, UndumpableAsRoot) {
  const ChildProcess child([] { return ::prctl(PR_SET_DUMPABLE, 0) == 0; });
  ASSERT_TRUE(child.ready());
  const Preflight refused = look_at(child.pid());
  EXPECT_EQ(refused.dumpable, false);
  EXPECT_EQ(severity(refused, GateId::undumpable), "forbids") << lines(refused);
  EXPECT_EQ(gate_code(refused.forbidding()->id), Errc::denied);
  EXPECT_THAT(refused.find(GateId::undumpable)->remedy, testing::HasSubstr("--force-undumpable"));
  const Preflight forced = look_at(child.pid(), {.force_undumpable = true});
  EXPECT_EQ(severity(forced, GateId::undumpable), "note") << lines(forced);
  EXPECT_EQ(forced.forbidding_clone(), nullptr) << lines(forced);
}

TEST_F(PreflightTest, UndumpableOfAnotherUser) {
  const ChildProcess child([] { return become_user() && ::prctl(PR_SET_DUMPABLE, 0) == 0; });
  ASSERT_TRUE(child.ready());
  const Preflight facts = look_at(child.pid());
  EXPECT_EQ(facts.dumpable, false);
  EXPECT_EQ(severity(facts, GateId::undumpable), "forbids") << lines(facts);
  // For its own user it is the reason of the refusal.
  EXPECT_THAT(lines_as_user(child.pid()), testing::HasSubstr("forbids undumpable: "));
}

TEST_F(PreflightTest, LookingAtDumpableLeavesOurCapabilities) {
  const ChildProcess child([] { return true; });
  const auto own = [] {
    return parse_status(*read_system_file(Sys::real(), "/proc/thread-self/status"))
        ->capabilities_effective;
  };
  const std::uint64_t before = own();
  (void)look_at(child.pid());
  EXPECT_EQ(own(), before);
}

TEST_F(PreflightTest, AnOrdinaryUserLooksAtItsOwnProcess) {
  const ChildProcess child([] { return become_user() && ::prctl(PR_SET_DUMPABLE, 1) == 0; });
  ASSERT_TRUE(child.ready());
  const std::string text = lines_as_user(child.pid());
  EXPECT_THAT(text, testing::EndsWith("end\n"));
  EXPECT_THAT(text, testing::Not(testing::HasSubstr("forbids"))) << text;
  EXPECT_THAT(text, testing::Not(testing::HasSubstr("unknown"))) << text;
}

TEST_F(PreflightTest, AnotherUsersProcess) {
  const ChildProcess child([] { return true; });
  const std::string text = lines_as_user(child.pid());
  EXPECT_THAT(text,
              testing::HasSubstr("forbids other_user: attach to " + std::to_string(child.pid()) +
                                 ": not permitted (it belongs to "
                                 "user 0 and we are user 12345); run as root"));
}

TEST_F(PreflightTest, AProcessWithMoreCapabilities) {
  const ChildProcess child([] {
    return ::prctl(PR_SET_KEEPCAPS, 1) == 0 && become_user() && ::prctl(PR_SET_DUMPABLE, 1) == 0;
  });
  ASSERT_TRUE(child.ready());
  EXPECT_THAT(lines_as_user(child.pid()),
              testing::AllOf(testing::HasSubstr("forbids more_capabilities: "),
                             testing::HasSubstr("cap_chown")));
}

TEST_F(PreflightTest, ATracerIsNamed) {
  const ChildProcess child([] { return ::ptrace(PTRACE_TRACEME, 0, 0, 0) == 0; });
  ASSERT_TRUE(child.ready());
  const Preflight facts = look_at(child.pid());
  ASSERT_EQ(severity(facts, GateId::traced), "forbids_injection") << lines(facts);
  EXPECT_EQ(gate_code(GateId::traced), Errc::denied);
  EXPECT_EQ(facts.threads[0].tracer, ::getpid());
  EXPECT_THAT(facts.find(GateId::traced)->why,
              testing::HasSubstr("(pid " + std::to_string(::getpid()) + ")"));
  EXPECT_EQ(facts.forbidding(), nullptr);
  EXPECT_NE(facts.forbidding_clone(true), nullptr);
}

bool install_filter() {
  sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog program{1, code};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

TEST_F(PreflightTest, ASeccompFilter) {
  const ChildProcess child(
      [] { return become_user() && ::prctl(PR_SET_DUMPABLE, 1) == 0 && install_filter(); });
  ASSERT_TRUE(child.ready());
  const Preflight facts = look_at(child.pid());
  EXPECT_TRUE(facts.any_thread_filtered);
  EXPECT_EQ(facts.threads[0].seccomp, Seccomp::filter);
  // Root can suspend it; the ordinary user cannot, and nothing is risked.
  if (facts.can_suspend_seccomp) {
    EXPECT_EQ(severity(facts, GateId::seccomp), "note") << lines(facts);
  } else {
    EXPECT_EQ(severity(facts, GateId::seccomp), "forbids_injection") << lines(facts);
  }
  EXPECT_THAT(lines_as_user(child.pid()), testing::HasSubstr("forbids_injection seccomp: "));
}

TEST_F(PreflightTest, AFilterOnOneThreadOnlyCounts) {
  const ChildProcess child([] {
    static std::atomic<int> filtered{0};
    std::thread([] {
      filtered = install_filter() ? 1 : 2;
      while (true) ::pause();
    }).detach();
    while (filtered == 0) ::sched_yield();
    return filtered == 1;
  });
  ASSERT_TRUE(child.ready());
  const Preflight facts = look_at(child.pid());
  EXPECT_EQ(facts.status.seccomp, Seccomp::none);
  EXPECT_TRUE(facts.any_thread_filtered);
  EXPECT_NE(facts.find(GateId::seccomp), nullptr);
}

TEST_F(PreflightTest, AFilterOnOurselvesRulesSuspensionOut) {
  const ChildProcess child(install_filter);
  ASSERT_TRUE(child.ready());
  int out[2];
  ASSERT_EQ(::pipe(out), 0);
  const pid_t us = ::fork();
  if (us == 0) {
    const bool good = install_filter();
    const Preflight facts = look_at(child.pid());
    const char answer = good && !facts.can_suspend_seccomp &&
                                severity(facts, GateId::seccomp) == "forbids_injection"
                            ? 'y'
                            : 'n';
    ::_exit(::write(out[1], &answer, 1) == 1 ? 0 : 1);
  }
  ::close(out[1]);
  char answer = 0;
  EXPECT_EQ(::read(out[0], &answer, 1), 1);
  EXPECT_EQ(answer, 'y');
  ::close(out[0]);
  int status = 0;
  ::waitpid(us, &status, 0);
}

TEST_F(PreflightTest, PidOneOfANamespace) {
  auto* init = static_cast<std::atomic<pid_t>*>(
      ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(init, MAP_FAILED);
  const ChildProcess child([&] {
    // Only a pid namespace: nothing of it reaches the sysctls or mounts of the machine.
    if (::unshare(CLONE_NEWPID) != 0) return false;
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      while (true) ::pause();
    }
    *init = pid;
    return pid > 0;
  });
  ASSERT_TRUE(child.ready());
  const Preflight facts = look_at(*init);
  EXPECT_TRUE(facts.namespace_init);
  EXPECT_TRUE(facts.in_container);
  EXPECT_EQ(severity(facts, GateId::namespace_init), "note") << lines(facts);
  EXPECT_EQ(severity(facts, GateId::other_namespaces), "note") << lines(facts);
  EXPECT_THAT(facts.find(GateId::other_namespaces)->why, testing::HasSubstr("pid"));
  EXPECT_EQ(facts.forbidding_clone(), nullptr) << lines(facts);
  ::kill(*init, SIGKILL);
  ::munmap(init, 4096);
}

// A clone would be made where the children go: as the first process of a namespace that dies with
// it.
TEST_F(PreflightTest, ChildrenGoToAnotherNamespace) {
  for (const bool first_is_there : {false, true}) {
    SCOPED_TRACE(first_is_there);
    const ChildProcess child([&] {
      if (::unshare(CLONE_NEWPID) != 0) return false;
      if (!first_is_there) return true;
      const pid_t pid = ::fork();
      if (pid == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (true) ::pause();
      }
      return pid > 0;
    });
    ASSERT_TRUE(child.ready());
    const Preflight facts = look_at(child.pid());
    EXPECT_TRUE(facts.threads[0].children_elsewhere);
    EXPECT_EQ(severity(facts, GateId::child_namespaces), "forbids_injection") << lines(facts);
    EXPECT_EQ(facts.forbidding(), nullptr) << lines(facts);
    EXPECT_NE(facts.forbidding_clone(true), nullptr) << "it is harm, not length: no insisting";
  }
}

TEST_F(PreflightTest, OneThreadsChildrenGoToAnotherNamespace) {
  const ChildProcess child([] {
    static std::atomic<int> done{0};
    std::thread([] {
      done = ::unshare(CLONE_NEWPID) == 0 ? 1 : 2;
      while (true) ::pause();
    }).detach();
    while (done == 0) ::sched_yield();
    return done == 1;
  });
  ASSERT_TRUE(child.ready());
  const Preflight facts = look_at(child.pid());
  ASSERT_GE(facts.threads.size(), 2u);
  EXPECT_FALSE(facts.threads[0].children_elsewhere);
  EXPECT_EQ(severity(facts, GateId::child_namespaces), "forbids_injection") << lines(facts);
}

TEST_F(PreflightTest, ChildrenGoToAnotherTimeNamespace) {
  constexpr int kCloneNewTime = 0x80;
  const ChildProcess child([] { return ::unshare(kCloneNewTime) == 0; });
  if (!child.ready()) GTEST_SKIP() << "no time namespaces here";
  const Preflight facts = look_at(child.pid());
  EXPECT_EQ(severity(facts, GateId::child_namespaces), "forbids_injection") << lines(facts);
}

/// Registers a megabyte with a userfaultfd of these features; the descriptor stays open unless
/// `keep` is false.
bool register_userfault(std::uint64_t features, bool keep) {
  const long fd = ::syscall(SYS_userfaultfd, O_CLOEXEC);
  if (fd < 0) return false;
  uffdio_api api{.api = UFFD_API, .features = features, .ioctls = 0};
  if (::ioctl(static_cast<int>(fd), UFFDIO_API, &api) != 0) return false;
  std::byte* memory = map_memory(kMegabyte);
  uffdio_register range{};
  range.range = {reinterpret_cast<std::uint64_t>(memory), kMegabyte};
  range.mode = UFFDIO_REGISTER_MODE_MISSING;
  if (::ioctl(static_cast<int>(fd), UFFDIO_REGISTER, &range) != 0) return false;
  if (keep) return true;
  // Closed here and held by another: what the kernel shows when the monitor is a process apart.
  const pid_t monitor = ::fork();
  if (monitor == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (true) ::pause();
  }
  return monitor > 0 && ::close(static_cast<int>(fd)) == 0;
}

TEST_F(PreflightTest, UserfaultfdWithForkEvents) {
  const ChildProcess child([] { return register_userfault(UFFD_FEATURE_EVENT_FORK, true); });
  if (!child.ready()) GTEST_SKIP() << "no userfaultfd here";
  const Preflight facts = look_at(child.pid());
  ASSERT_EQ(severity(facts, GateId::userfaultfd), "forbids_injection") << lines(facts);
  EXPECT_FALSE(facts.find(GateId::userfaultfd)->overridable);
  EXPECT_THAT(facts.find(GateId::userfaultfd)->why, testing::HasSubstr("EVENT_FORK"));
}

TEST_F(PreflightTest, UserfaultfdWithoutForkEvents) {
  const ChildProcess child([] { return register_userfault(0, true); });
  if (!child.ready()) GTEST_SKIP() << "no userfaultfd here";
  const Preflight facts = look_at(child.pid());
  EXPECT_EQ(severity(facts, GateId::userfaultfd), "loses") << lines(facts);
  EXPECT_EQ(facts.forbidding_clone(), nullptr) << lines(facts);
}

TEST_F(PreflightTest, UserfaultfdThatAnotherHolds) {
  const ChildProcess child([] { return register_userfault(0, false); });
  if (!child.ready()) GTEST_SKIP() << "no userfaultfd here";
  const Preflight facts = look_at(child.pid());
  EXPECT_EQ(severity(facts, GateId::userfaultfd), "forbids_injection") << lines(facts);
}

TEST_F(PreflightTest, WhatACloneDoesNotHold) {
  const ChildProcess child([] {
    std::byte* dont_fork = map_memory(kMegabyte);
    std::byte* wiped = map_memory(2 * kMegabyte);
    std::byte* dont_dump = map_memory(4 * kMegabyte);
    return ::madvise(dont_fork, kMegabyte, MADV_DONTFORK) == 0 &&
           ::madvise(wiped, 2 * kMegabyte, MADV_WIPEONFORK) == 0 &&
           ::madvise(dont_dump, 4 * kMegabyte, MADV_DONTDUMP) == 0 &&
           map_memory(8 * kMegabyte, MAP_SHARED | MAP_ANONYMOUS) != nullptr;
  });
  ASSERT_TRUE(child.ready());
  const Preflight facts = look_at(child.pid());
  ASSERT_EQ(severity(facts, GateId::dont_fork), "note") << lines(facts);
  EXPECT_THAT(facts.find(GateId::dont_fork)->why, testing::HasSubstr("1 MiB"));
  ASSERT_EQ(severity(facts, GateId::wipe_on_fork), "loses") << lines(facts);
  EXPECT_THAT(facts.find(GateId::wipe_on_fork)->why, testing::HasSubstr("2 MiB"));
  ASSERT_EQ(severity(facts, GateId::dont_dump), "note") << lines(facts);
  // A sanitizer's shadow is marked so as well: at least ours must count.
  EXPECT_THAT(facts.find(GateId::dont_dump)->why, testing::HasSubstr("MiB present"));
  ASSERT_EQ(severity(facts, GateId::shared_memory), "note") << lines(facts);
  EXPECT_THAT(facts.find(GateId::shared_memory)->why, testing::HasSubstr("8 MiB"));
  const Preflight copying = look_at(child.pid(), {.shared = SharedMemory::copy});
  EXPECT_THAT(copying.find(GateId::shared_memory)->what, testing::HasSubstr("in the pause"));
}

TEST_F(PreflightTest, SecretMemory) {
  const ChildProcess child([] {
    const long fd = ::syscall(SYS_memfd_secret, 0);
    if (fd < 0 || ::ftruncate(static_cast<int>(fd), kMegabyte) != 0) return false;
    void* at =
        ::mmap(nullptr, kMegabyte, PROT_READ | PROT_WRITE, MAP_SHARED, static_cast<int>(fd), 0);
    if (at == MAP_FAILED) return false;
    std::memset(at, 1, 4096);
    return true;
  });
  if (!child.ready()) GTEST_SKIP() << "no memfd_secret here";
  const Preflight facts = look_at(child.pid());
  ASSERT_EQ(severity(facts, GateId::secret_memory), "loses") << lines(facts);
  EXPECT_THAT(facts.find(GateId::secret_memory)->why, testing::HasSubstr("1 MiB"));
}

TEST_F(PreflightTest, AStoppedProcess) {
  const ChildProcess child([] { return true; });
  ::kill(child.pid(), SIGSTOP);
  siginfo_t info;
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child.pid()), &info, WSTOPPED), 0);
  const Preflight facts = look_at(child.pid());
  EXPECT_EQ(severity(facts, GateId::stopped), "note") << lines(facts);
  EXPECT_EQ(facts.forbidding_clone(), nullptr) << lines(facts);
}

#if !defined(__SANITIZE_THREAD__)  // it makes a fork of every vfork
TEST_F(PreflightTest, AThreadThatWaitsInVfork) {
  auto* inner = static_cast<std::atomic<pid_t>*>(
      ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(inner, MAP_FAILED);
  const ChildProcess child([&] {
    std::thread([&] {
      if (::vfork() == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        *inner = ::getpid();
        while (true) ::pause();
      }
    }).detach();
    while (*inner == 0) ::sched_yield();
    return true;
  });
  ASSERT_TRUE(child.ready());
  const Preflight facts = look_at(child.pid());
  EXPECT_TRUE(std::ranges::any_of(facts.threads, &ThreadFacts::in_vfork));
  EXPECT_EQ(severity(facts, GateId::vfork), "loses") << lines(facts);
  ::kill(*inner, SIGKILL);
  ::munmap(inner, 4096);
}
#endif

TEST_F(PreflightTest, AVirtualMachine) {
  const ChildProcess child([] { return ::open("/dev/kvm", O_RDWR) >= 0; });
  if (!child.ready()) GTEST_SKIP() << "no /dev/kvm here";
  const Preflight facts = look_at(child.pid());
  ASSERT_EQ(severity(facts, GateId::virtual_machine), "forbids_injection") << lines(facts);
  EXPECT_NE(facts.forbidding_clone(), nullptr);
  EXPECT_EQ(facts.forbidding_clone(true), nullptr) << "guards against a pause, not harm";
}

/// A 32-bit program of a few bytes: pause() for ever.
std::string tiny_program() {
  struct {
    Elf32_Ehdr header;
    Elf32_Phdr load;
    unsigned char code[9];
  } file{};

  constexpr std::uint32_t kAt = 0x08048000;
  std::memcpy(file.header.e_ident, ELFMAG, SELFMAG);
  file.header.e_ident[EI_CLASS] = ELFCLASS32;
  file.header.e_ident[EI_DATA] = ELFDATA2LSB;
  file.header.e_ident[EI_VERSION] = EV_CURRENT;
  file.header.e_type = ET_EXEC;
  file.header.e_machine = EM_386;
  file.header.e_version = EV_CURRENT;
  file.header.e_entry = kAt + sizeof file.header + sizeof file.load;
  file.header.e_phoff = sizeof file.header;
  file.header.e_ehsize = sizeof file.header;
  file.header.e_phentsize = sizeof file.load;
  file.header.e_phnum = 1;
  file.load = {PT_LOAD, 0, kAt, kAt, sizeof file, sizeof file, PF_R | PF_X, 0x1000};
  // mov eax, 29 (pause); int 0x80; jmp back
  const unsigned char code[] = {0xb8, 29, 0, 0, 0, 0xcd, 0x80, 0xeb, 0xf7};
  std::memcpy(file.code, code, sizeof code);
  return {reinterpret_cast<const char*>(&file), sizeof file};
}

TEST_F(PreflightTest, AThirtyTwoBitProgram) {
  const std::string program = tiny_program();
  const int file = ::memfd_create("tiny", MFD_CLOEXEC);
  ASSERT_EQ(::write(file, program.data(), program.size()), static_cast<ssize_t>(program.size()));
  int gone[2];
  ASSERT_EQ(::pipe2(gone, O_CLOEXEC), 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    char* const none[] = {nullptr};
    ::fexecve(file, none, none);
    const int error = errno;
    if (::write(gone[1], &error, sizeof error) < 0) ::_exit(2);
    ::_exit(1);
  }
  ::close(gone[1]);
  ::close(file);
  int error = 0;
  // Closed by the exec, or holding why there was none.
  const ssize_t got = ::read(gone[0], &error, sizeof error);
  ::close(gone[0]);
  if (got == 0) {
    const Preflight facts = look_at(pid);
    EXPECT_EQ(severity(facts, GateId::foreign_architecture), "forbids") << lines(facts);
    EXPECT_THAT(facts.find(GateId::foreign_architecture)->why,
                testing::HasSubstr("a 32-bit program"));
  }
  ::kill(pid, SIGKILL);
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (got != 0) GTEST_SKIP() << "this kernel runs no 32-bit programs: errno " << error;
}

TEST_F(PreflightTest, TheKindOfProgramIsReadFromItsHeader) {
  const ChildProcess child([] { return true; });
  ScriptedSys sys;
  std::string program = tiny_program();
  sys.files["exe"] = {.text = program};
  EXPECT_EQ(severity(preflight(sys, child.pid()), GateId::foreign_architecture), "forbids");
  program[EI_NIDENT + 2] = static_cast<char>(EM_X86_64);
  sys.files["exe"] = {.text = program};
  const Preflight x32 = preflight(sys, child.pid());
  ASSERT_EQ(severity(x32, GateId::foreign_architecture), "forbids");
  EXPECT_THAT(x32.find(GateId::foreign_architecture)->why, testing::HasSubstr("x32"));
  program[EI_CLASS] = ELFCLASS64;
  sys.files["exe"] = {.text = program};
  EXPECT_EQ(severity(preflight(sys, child.pid()), GateId::foreign_architecture), "none");
}

TEST_F(PreflightTest, WhatCannotBeReadIsSaid) {
  const ChildProcess child([] { return true; });
  ScriptedSys sys;
  sys.files["smaps"] = {.text = {}, .error = EIO};
  const Preflight blind = preflight(sys, child.pid());
  EXPECT_FALSE(blind.mappings_known);
  EXPECT_EQ(severity(blind, GateId::unknown), "forbids_injection") << lines(blind);
  sys.files = {{"fd", {.text = {}, .error = EACCES}}};
  EXPECT_THAT(lines(preflight(sys, child.pid())),
              testing::HasSubstr("note unknown: its descriptors are not known"));
}

TEST_F(PreflightTest, PinnedMemory) {
  const ChildProcess child([] { return true; });
  const auto dir = ProcDir::open(Sys::real(), child.pid());
  std::string status = *dir->read_text("status");
  const std::size_t at = status.find("VmPin:");
  ASSERT_NE(at, std::string::npos);
  status.replace(at, status.find('\n', at) - at, "VmPin:\t 102400 kB");
  ScriptedSys sys;
  sys.files["status"] = {.text = status};
  const Preflight facts = preflight(sys, child.pid());
  ASSERT_EQ(severity(facts, GateId::pinned_memory), "forbids_injection") << lines(facts);
  EXPECT_TRUE(facts.find(GateId::pinned_memory)->overridable);
  EXPECT_EQ(facts.pinned, 100u << 20);
  const Preflight patient = preflight(sys, child.pid(), {.pinned_limit = 200u << 20});
  EXPECT_EQ(severity(patient, GateId::pinned_memory), "note") << lines(patient);
}

TEST_F(PreflightTest, ShadowStacksAreSaid) {
  const ChildProcess child([] { return true; });
  const auto dir = ProcDir::open(Sys::real(), child.pid());
  ScriptedSys sys;
  sys.files["status"] = {.text = *dir->read_text("status") + "x86_Thread_features:\tshstk \n"};
  EXPECT_EQ(severity(preflight(sys, child.pid()), GateId::shadow_stack), "note");
}

TEST_F(PreflightTest, DeathAtAnyMomentIsGone) {
  // The process dies under the n-th call, for every n until it outlives the look.
  for (int n = 2;; n = n < 12 ? n + 1 : n + 7) {
    ChildProcess child([] { return true; });
    ScriptedSys sys;
    bool killed = false;
    sys.hook = [&](long, long, long, long) -> std::optional<long> {
      if (sys.calls == n) {
        child.reap();
        killed = true;
      }
      return std::nullopt;
    };
    const pid_t pid = child.pid();
    const Preflight facts = preflight(sys, pid);
    if (!killed) break;
    // Dead before it was looked through: nothing is assumed, and no clone is made.
    if (!facts.mappings_known) {
      EXPECT_NE(facts.forbidding_clone(), nullptr) << n << "\n" << lines(facts);
    }
  }
}

TEST_F(PreflightTest, AnyFailingCallIsSurvived) {
  const ChildProcess child([] { return true; });
  for (int n = 1;; ++n) {
    ScriptedSys sys;
    sys.fail_at = n;
    const Preflight facts = preflight(sys, child.pid());
    if (sys.calls < n) break;
    EXPECT_EQ(facts.pid, child.pid());
    if (!facts.mappings_known || facts.threads.empty()) {
      EXPECT_NE(facts.forbidding_clone(), nullptr) << n << "\n" << lines(facts);
    }
  }
  EXPECT_EQ(look_at(child.pid()).forbidding_clone(), nullptr);
}

}  // namespace
}  // namespace doppel
