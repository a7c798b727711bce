// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <string>
#include <string_view>

#include <snapshot/linux/clone_injection.h>
#include <snapshot/linux/clone_removal.h>
#include <snapshot/linux/gadget.h>
#include <snapshot/linux/injection_scene.h>
#include <snapshot/linux/proc_parser.h>
#include <snapshot/linux/remote_calls.h>
#include <snapshot/linux/urgency.h>

namespace doppel {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr unsigned long kOwnOptions =
    PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK;
constexpr std::array<long, 3> kRestartCodes = {-512, -513, -514};  // ERESTARTSYS, NOINTR, NOHAND

std::int64_t realtime_ns() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

/// A call that a signal cut short is no failure of the call: another thread may lend itself.
Result<long> made(long value, const char* step) {
  if (std::find(kRestartCodes.begin(), kRestartCodes.end(), value) != kRestartCodes.end()) {
    return fail(Errc::cancelled, step);
  }
  return check(value, step);
}

/// The task that makes the clone. It shares the target's memory, has an empty descriptor table of
/// its own and is the target's child without exit signal. Its death is seen to by take_snapshot().
class CloneHelper {
 public:
  static Result<std::unique_ptr<CloneHelper>> create(const InjectionScene& scene,
                                                     FrozenThread& host, Address gadget) {
    ArenaHeader& header = scene.arena.header();
    pid_t task = 0;
    {
      DOPPEL_TRY(host.tracee().set_options(scene.orders.settings.options | PTRACE_O_TRACECLONE |
                                           PTRACE_O_TRACEFORK));
      RemoteCalls calls(host.tracee(), host.record().registers, gadget, RemoteCalls::Of::target);
      // Shared memory, so nothing is copied; shared descriptor table, so nothing is duplicated; no
      // exit signal.
      Result<long> called =
          calls.call({.number = SYS_clone, .a = CLONE_VM | CLONE_FILES, .b = kNoStack});
      task = calls.new_task();
      header.helper = task;
      Result<> finished = calls.finish();
      scene.note_injection(calls);
      (void)host.tracee().set_options(scene.orders.settings.options);
      if (!called) return fail(std::move(called.error()));
      DOPPEL_TRY(made(*called, "make the helper task"));
      if (!finished) return fail(std::move(finished.error()));
      if (task == 0) return fail(Errc::unsupported, "learn id of the helper task");
    }
    std::unique_ptr<CloneHelper> helper(new CloneHelper(Tracee::adopt(scene.sys, task), gadget));
    DOPPEL_TRY(helper->tracee_.wait(monotonic_ns() + 10 * kSecond));
    if (!helper->tracee_.stopped()) return fail(Errc::gone, "wait for the helper task");
    // From here on the kernel kills it should we die.
    const unsigned long suspend = scene.orders.settings.options & PTRACE_O_SUSPEND_SECCOMP;
    DOPPEL_TRY(helper->tracee_.set_options(kOwnOptions | suspend));
    DOPPEL_TRY(helper->tracee_.get_registers(helper->registers_));
    helper->calls_.emplace(helper->tracee_, helper->registers_, gadget, RemoteCalls::Of::ours);
    // An empty table of its own. UNSHARE with all descriptors in the range copies none of them
    // (fs/file.c, dup_fd with punch_hole; before 6.13 at most the first 64 are referenced for an
    // instant).
    const long emptied = DOPPEL_TRY(helper->calls_->call(
        {.number = SYS_close_range, .a = 0, .b = ~0u, .c = CLOSE_RANGE_UNSHARE}));
    DOPPEL_TRY(check(emptied, "give the helper an empty descriptor table"));
    // The clone inherits session and group: signals to the target's group or terminal do not reach
    // it.
    (void)DOPPEL_TRY(helper->calls_->call({.number = SYS_setsid}));
    hasten(scene.sys, task);
    return helper;
  }

  /// Brings the helper to the entry of the clone call; the copy itself is made by clone().
  Result<> prepare() {
    // CLONE_PARENT: the clone is a child of the target, not of the helper, so nobody is re-parented
    // when the helper ends, and it inherits the helper's exit signal: none.
    return calls_->enter({.number = SYS_clone, .a = CLONE_PARENT});
  }

  Result<pid_t> clone(ArenaHeader& header) {
    Result<long> left = calls_->leave();
    header.clone = calls_->new_task();
    const long value = DOPPEL_TRY(std::move(left));
    DOPPEL_TRY(made(value, "clone the address space"));
    if (calls_->new_task() == 0) return fail(Errc::unsupported, "learn id of the clone");
    return calls_->new_task();
  }

  Address gadget() const { return gadget_; }

  /// Kills it and consumes its death as its tracer; its zombie is left to its parent.
  void kill() {
    if (tracee_.tid() == 0) return;
    tracee_.kill();
    // A stop may be seen first; SIGKILL ends it by itself.
    const std::uint64_t deadline = monotonic_ns() + 10 * kSecond;
    do {
      if (!tracee_.wait(deadline)) break;
    } while (tracee_.stopped() && monotonic_ns() < deadline);
    if (tracee_.dead()) {
      tracee_.reap();
    } else {
      tracee_.abandon();
    }
  }

 private:
  CloneHelper(Tracee tracee, Address gadget) : tracee_(std::move(tracee)), gadget_(gadget) {}

  Tracee tracee_;
  X86_64Registers registers_;
  Address gadget_;
  std::optional<RemoteCalls> calls_;
};

struct HostAndHelper {
  FrozenThread* host = nullptr;
  std::unique_ptr<CloneHelper> helper;
};

/// Lets a thread that can be borrowed make the helper. Nothing when none can be. The one stopped
/// last is asked first: it has to stay longest, until the helper is collected.
Result<HostAndHelper> make_helper(const InjectionScene& scene, Freeze& freeze) {
  constexpr int kMostAttempts = 32;
  int attempts = 0;
  // A thread in a system call first: it is in no critical section, and stands behind a `syscall` of
  // its own.
  for (const bool in_call : {true, false}) {
    for (auto each = freeze.threads().rbegin(); each != freeze.threads().rend(); ++each) {
      FrozenThread* const thread = each->get();
      if (!thread->record().has_registers) continue;
      if ((static_cast<std::int64_t>(thread->record().registers.orig_rax) >= 0) != in_call)
        continue;
      const std::optional<Address> gadget = scene.gadget_for(*thread);
      if (!gadget) continue;
      Result<std::unique_ptr<CloneHelper>> helper = CloneHelper::create(scene, *thread, *gadget);
      if (helper) return HostAndHelper{thread, std::move(*helper)};
      // A signal of its own came first, or it died: the next one.
      const bool next = helper.error().code == Errc::cancelled || helper.error().code == Errc::gone;
      if (!next || scene.arena.header().helper != 0 || ++attempts == kMostAttempts) {
        return fail(std::move(helper.error()));
      }
    }
  }
  return HostAndHelper{};
}

/// Reads what was ordered to be read in the stop.
void copy_memory(const InjectionScene& scene, std::size_t first, std::size_t last) {
  for (std::size_t i = first; i < last; ++i) {
    CopyRecord& copy = scene.arena.copy_records()[i];
    while (copy.copied < copy.range.size) {
      const long size =
          scene.sys.pread(scene.memory_fd, scene.arena.copies().data() + copy.offset + copy.copied,
                          copy.range.size - copy.copied, copy.range.begin.value + copy.copied);
      if (size <= 0) break;
      copy.copied += static_cast<std::uint64_t>(size);
    }
  }
}

/// Without a clone the stacks at least are to be of one instant with the registers.
void copy_stacks(const InjectionScene& scene, const Freeze& freeze) {
  std::uint32_t& count = scene.arena.header().copy_count;
  std::uint64_t offset = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const CopyRecord& copy = scene.arena.copy_records()[i];
    offset = std::max(offset, copy.offset + copy.range.size);
  }
  for (const auto& thread : freeze.threads()) {
    if (!thread->record().has_registers || count == scene.arena.copy_records().size()) continue;
    const std::uint64_t begin = (thread->record().registers.rsp - 128) & ~std::uint64_t{4095};
    const std::uint64_t size = scene.orders.stack_bytes;
    if (offset + size > scene.arena.copies().size()) return;
    CopyRecord& copy = scene.arena.copy_records()[count];
    copy = {.range = {{begin}, size}, .offset = offset, .copied = 0};
    copy_memory(scene, count, count + 1);
    offset += size;
    ++count;
  }
}

Result<> read_maps(const InjectionScene& scene) {
  const std::span<std::byte> room = scene.arena.maps();
  const std::span<char> text = DOPPEL_TRY(
      scene.target.read_into("maps", std::span(reinterpret_cast<char*>(room.data()), room.size())));
  if (text.size() == room.size()) return fail(Errc::limit, "read the map in the stop");
  scene.arena.header().maps_size = text.size();
  return {};
}

}  // namespace

Result<TakenSnapshot> take_snapshot(Sys& sys, const TargetProcess& target, int memory_fd,
                                    const CaptureArena& arena, const SnapshotOrders& orders) {
  const InjectionScene scene{sys,   target, memory_fd,
                             arena, orders, find_vdso_gadget(sys, memory_fd, orders.vdso)};
  ArenaHeader& header = arena.header();
  TakenSnapshot taken;
  HostAndHelper injection;
  Freeze freeze = DOPPEL_TRY(Freeze::attach(sys, target, arena, orders.settings));
  Result<pid_t> clone = 0;
  Result<> result = [&]() -> Result<> {
    DOPPEL_TRY(freeze.stop_sleeping());
    DOPPEL_TRY(scene.still_the_same_program());
    if (orders.clone) injection = DOPPEL_TRY(make_helper(scene, freeze));
    if (injection.helper) DOPPEL_TRY(injection.helper->prepare());
    // ---- from here on no thread of the target runs ----
    DOPPEL_TRY(freeze.stop_running());
    DOPPEL_TRY(scene.still_the_same_program());
    if (orders.clone && !injection.helper) {
      injection = DOPPEL_TRY(make_helper(scene, freeze));
      if (!injection.helper) return fail(Errc::unsupported, "find a thread that can be borrowed");
      DOPPEL_TRY(injection.helper->prepare());
    }
    if (orders.read_maps) DOPPEL_TRY(read_maps(scene));
    copy_memory(scene, 0, header.copy_count);
    if (orders.stack_bytes > 0) copy_stacks(scene, freeze);
    const std::uint64_t start = monotonic_ns();
    header.captured_at_ns = realtime_ns();
    if (orders.clone) clone = injection.helper->clone(header);
    header.clone_ns = monotonic_ns() - start;
    DOPPEL_TRY(freeze.thaw_all_but(injection.host));
    // ---- the target runs again, all but the one thread that has to collect the helper ----
    return {};
  }();
  if (injection.helper) {
    injection.helper->kill();
    const pid_t number = child_number(sys, target, header.helper);
    if (number != 0 && injection.host->tracee().stopped() &&
        injection.host->tracee().stop().kind != StopKind::signal) {
      const std::array<pid_t, 1> numbers = {number};
      if (collect_children(scene, *injection.host, injection.helper->gadget(), numbers))
        header.helper = 0;
    }
    // A signal for the host came first: another thread collects the helper, in remove_tasks().
    Result<> thawed;
    if (injection.host->tracee().stopped()) thawed = freeze.thaw(*injection.host);
    if (result) result = std::move(thawed);
  }
  if (!result) return fail(std::move(result.error()));
  const pid_t task = DOPPEL_TRY(std::move(clone));
  if (task != 0) {
    InjectedClone injected{Tracee::adopt(sys, task), {}, injection.helper->gadget()};
    DOPPEL_TRY(injected.tracee.wait(monotonic_ns() + 10 * kSecond));
    if (!injected.tracee.stopped()) return fail(Errc::gone, "wait for the clone");
    DOPPEL_TRY(injected.tracee.get_registers(injected.registers));
    taken.clone.emplace(std::move(injected));
  }
  taken.laggards = freeze.take_laggards();
  return taken;
}

}  // namespace doppel
