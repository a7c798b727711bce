// SPDX-License-Identifier: Apache-2.0
#include <csignal>
#include <string>

#include <snapshot/linux/remote_calls.h>

namespace doppel {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
// A clone of a very large address space takes seconds; anything beyond this is a hang.
constexpr std::uint64_t kLongestCall = 120 * kSecond;
constexpr int kMostMereStops = 8;

bool is_fault(const Stop& stop) {
  if (stop.kind != StopKind::signal) return false;
  return stop.signal == SIGSEGV || stop.signal == SIGBUS || stop.signal == SIGILL ||
         stop.signal == SIGTRAP || stop.signal == SIGSYS || stop.signal == SIGFPE;
}

}  // namespace

RemoteCalls::~RemoteCalls() {
  if (of_ == Of::target) (void)finish();
}

Result<> RemoteCalls::put_back() {
  if (!foreign_) return {};
  Result<> result = thread_.set_registers(registers_);
  if (result) foreign_ = false;
  return result;
}

Result<> RemoteCalls::step(const char* what) {
  int mere_stops = 0;
  while (true) {
    DOPPEL_TRY(thread_.run_to_syscall());
    disturbed_ = true;
    DOPPEL_TRY(thread_.wait(monotonic_ns() + kLongestCall));
    if (thread_.dead()) return fail(Errc::gone, what, std::to_string(thread_.tid()));
    if (!thread_.stopped()) return fail(Errc::timeout, what, std::to_string(thread_.tid()));
    if (thread_.stop().kind == StopKind::syscall) return {};
    if (thread_.stop().kind == StopKind::clone) {
      new_task_ = DOPPEL_TRY(thread_.new_task());
      continue;
    }
    // An order to stop that was still pending, or a stopped process staying stopped: it means no
    // signal, and the thread can simply be sent on.
    const bool mere_stop =
        thread_.stop().kind == StopKind::trap || thread_.stop().kind == StopKind::group_stop;
    if (mere_stop && ++mere_stops <= kMostMereStops) continue;
    if (of_ == Of::target) {
      // A fault under foreign registers is our doing, and not the program's to see.
      if (is_fault(thread_.stop())) thread_.drop_signal();
      DOPPEL_TRY(put_back());
      disturbed_ = false;  // the stop for a signal is as good as the one we found
      return fail(Errc::cancelled, what, std::to_string(thread_.tid()));
    }
    // A signal to a task of our own (it was sent to the whole process group, say) means nothing:
    // dropped.
    thread_.drop_signal();
  }
}

Result<> RemoteCalls::enter(const RemoteCall& call) {
  X86_64Registers foreign = registers_;
  foreign.rip = gadget_.value;
  foreign.rax = static_cast<std::uint64_t>(call.number);
  foreign.orig_rax = ~0ull;
  foreign.rdi = call.a;
  foreign.rsi = call.b;
  foreign.rdx = call.c;
  foreign.r10 = call.d;
  foreign.r8 = call.e;
  foreign.r9 = call.f;
  new_task_ = 0;
  if (!disturbed_) foreign_since_ns_ = monotonic_ns();
  foreign_ = true;  // also when setting fails half way: putting back is harmless
  DOPPEL_TRY(thread_.set_registers(foreign));
  DOPPEL_TRY(step("enter system call in the target"));
  entered_ = true;
  return {};
}

Result<long> RemoteCalls::leave() {
  DOPPEL_TRY(step("leave system call in the target"));
  entered_ = false;
  X86_64Registers after;
  Result<> got = thread_.get_registers(after);
  if (!got) got = thread_.get_registers(after);
  if (!got) return fail(std::move(got.error()));
  return static_cast<long>(after.rax);
}

Result<long> RemoteCalls::call(const RemoteCall& call) {
  DOPPEL_TRY(enter(call));
  const long value = DOPPEL_TRY(leave());
  if (of_ == Of::target) DOPPEL_TRY(put_back());
  return value;
}

// finish() must also undo a call that was entered and not left.
Result<> RemoteCalls::finish() {
  if (of_ != Of::target || thread_.tid() == 0 || thread_.dead()) return {};
  if (entered_) {
    // Still before the call. With number -1 the kernel skips it; with the thread's own registers it
    // would make whatever call those name.
    X86_64Registers skip = registers_;
    skip.rip = gadget_.value + 2;
    skip.orig_rax = ~0ull;
    DOPPEL_TRY(thread_.set_registers(skip));
    DOPPEL_TRY(step("skip system call in the target"));
    entered_ = false;
  }
  DOPPEL_TRY(put_back());
  if (!disturbed_) return {};
  // Registers as they were, and a stop inside the kernel's signal handling, as it was: only there
  // does the kernel resolve a restart code (arch/x86/kernel/signal.c, arch_do_signal_or_restart).
  DOPPEL_TRY(thread_.interrupt());
  DOPPEL_TRY(thread_.resume());
  DOPPEL_TRY(thread_.wait(monotonic_ns() + 10 * kSecond));
  if (thread_.dead()) return fail(Errc::gone, "put thread back", std::to_string(thread_.tid()));
  if (!thread_.stopped())
    return fail(Errc::timeout, "put thread back", std::to_string(thread_.tid()));
  disturbed_ = false;
  foreign_ns_ = monotonic_ns() - foreign_since_ns_;
  return {};
}

}  // namespace doppel
