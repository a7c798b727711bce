// SPDX-License-Identifier: Apache-2.0
#include <linux/close_range.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>
#include <string>

#include <snapshot/linux/memory_holder.h>
#include <snapshot/linux/urgency.h>

namespace doppel {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr unsigned long kOptions = PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL;

}  // namespace

Result<std::unique_ptr<MemoryHolder>> MemoryHolder::adopt(Sys& sys, pid_t task, Address gadget,
                                                          bool suspend_seccomp) {
  std::unique_ptr<MemoryHolder> holder(new MemoryHolder(sys, Tracee::adopt(sys, task), gadget));
  Tracee& tracee = holder->clone_.tracee;
  DOPPEL_TRY(tracee.wait(monotonic_ns() + 10 * kSecond));
  if (!tracee.stopped()) return fail(Errc::gone, "wait for the holder of the memory");
  // The restart waits for it; settle() takes that back.
  hasten(sys, task);
  const unsigned long suspend = suspend_seccomp ? PTRACE_O_SUSPEND_SECCOMP : 0;
  DOPPEL_TRY(tracee.set_options(kOptions | suspend));
  DOPPEL_TRY(tracee.get_registers(holder->clone_.registers));
  // UNSHARE with all descriptors in the range copies none of them (fs/file.c, dup_fd with
  // punch_hole; before 6.13 at most the first 64 are referenced for an instant).
  const long emptied = DOPPEL_TRY(
      holder->call({.number = SYS_close_range, .a = 0, .b = ~0u, .c = CLOSE_RANGE_UNSHARE}));
  DOPPEL_TRY(check(emptied, "give the holder an empty descriptor table"));
  (void)holder->call({.number = SYS_setsid});
  return holder;
}

MemoryHolder::~MemoryHolder() {
  end();
}

Result<long> MemoryHolder::call(const RemoteCall& call) {
  if (clone_.tracee.tid() == 0) return fail(Errc::gone, "work with the holder of the memory");
  RemoteCalls calls(clone_.tracee, clone_.registers, clone_.gadget, RemoteCalls::Of::ours);
  Result<long> value = calls.call(call);
  acknowledge();
  return value;
}

/// The holder stands still for the rest of its life; whoever waits for all tasks must not be told
/// of that again and again. Its stop is consumed: it carries no signal that could be lost.
void MemoryHolder::acknowledge() {
  siginfo_t info{};
  if (clone_.tracee.stopped()) {
    (void)sys_.waitid(P_PID, clone_.tracee.tid(), &info, WSTOPPED | WNOHANG | __WALL);
  }
}

Result<int> MemoryHolder::dumpable() {
  const long value = DOPPEL_TRY(call({.number = SYS_prctl, .a = PR_GET_DUMPABLE}));
  DOPPEL_TRY(check(value, "ask whether the process may be dumped"));
  return static_cast<int>(value);
}

Result<> MemoryHolder::set_dumpable(int value) {
  const long set = DOPPEL_TRY(
      call({.number = SYS_prctl, .a = PR_SET_DUMPABLE, .b = static_cast<std::uint64_t>(value)}));
  DOPPEL_TRY(check(set, "set whether the process may be dumped"));
  return {};
}

/// The working directory pins its mount. The name "/" stands in a page of its own for that moment.
void MemoryHolder::leave_directory(int memory_fd) {
  Result<long> mapped = call({.number = SYS_mmap,
                              .b = 4096,
                              .c = PROT_READ | PROT_WRITE,
                              .d = MAP_PRIVATE | MAP_ANONYMOUS,
                              .e = ~0ull});
  if (!mapped || *mapped < 0) return;
  const auto page = static_cast<std::uint64_t>(*mapped);
  const char root[2] = {'/', '\0'};
  if (sys_.pwrite(memory_fd, root, sizeof root, page) == static_cast<long>(sizeof root)) {
    (void)call({.number = SYS_chdir, .a = page});
  }
  (void)call({.number = SYS_munmap, .a = page, .b = 4096});
}

Settled MemoryHolder::settle(const TargetProcess& target, int memory_fd) {
  leave_directory(memory_fd);
  const Settled settled = settle_clone(sys_, target, clone_, memory_fd);
  run_anywhere(sys_, clone_.tracee.tid());
  acknowledge();
  return settled;
}

void MemoryHolder::give_back(std::span<const AddressRange> ranges) {
  for (const AddressRange& range : ranges) {
    // A sealed or locked mapping refuses: then it just stays.
    (void)call(
        {.number = SYS_madvise, .a = range.begin.value, .b = range.size, .c = MADV_DONTNEED});
  }
}

void MemoryHolder::end() {
  Tracee& tracee = clone_.tracee;
  if (tracee.tid() == 0) return;
  tracee.kill();
  // A stop is still to be seen until the kill has taken hold; the death is what counts.
  const std::uint64_t deadline = monotonic_ns() + 30 * kSecond;
  while (!tracee.dead() && monotonic_ns() < deadline) {
    if (!tracee.wait(deadline)) break;
    if (!tracee.dead()) (void)sys_.sigtimedwait(1ull << (SIGCHLD - 1), 1'000'000);
  }
  if (tracee.dead()) {
    tracee.reap();
  } else {
    tracee.abandon();
  }
}

}  // namespace doppel
