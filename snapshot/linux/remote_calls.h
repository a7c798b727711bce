// SPDX-License-Identifier: Apache-2.0
//
// System calls made by a stopped thread on our behalf, by registers alone: the program counter is
// set onto a `syscall` instruction that is there already, the arguments into registers, and the
// thread runs from the entry stop of that one call to its exit stop. Not one byte of the target is
// written, and no other instruction of it runs.
//
// A borrowed thread of the target is put back by finish() (or the destructor): its registers as
// they were, in an ordinary stop, so that the kernel itself resolves the system call that the stop
// interrupted. Only while a call is under way does it hold foreign registers; a tracer killed in
// those microseconds harms the target, which is the one limit of the engine (docs/limits.md). A
// signal that arrives in between ends the borrowing.
#ifndef DOPPEL_SNAPSHOT_LINUX_REMOTE_CALLS_H_
#define DOPPEL_SNAPSHOT_LINUX_REMOTE_CALLS_H_

#include <cstdint>

#include <snapshot/linux/tracee.h>
#include <snapshot/model/address.h>

namespace doppel {

/// The stack pointer of a task that only makes such calls: an address where nothing is mapped. It
/// runs no instruction but `syscall` and needs no stack; should it ever be let loose it dies at
/// once instead of running on the stack of the thread that made it.
inline constexpr std::uint64_t kNoStack = 8;

struct RemoteCall {
  long number = 0;
  std::uint64_t a = 0, b = 0, c = 0, d = 0, e = 0, f = 0;
};

class RemoteCalls {
 public:
  enum class Of {
    target,  ///< a thread of the target: its signals are its own, its registers are put back
    ours,    ///< a task that we made: signals are dropped
  };

  /// `thread` stands still, with `registers`; `gadget` is the address of a `syscall` instruction in
  /// it.
  RemoteCalls(Tracee& thread, const X86_64Registers& registers, Address gadget, Of of)
      : thread_(thread), registers_(registers), gadget_(gadget), of_(of) {}

  RemoteCalls(const RemoteCalls&) = delete;
  RemoteCalls& operator=(const RemoteCalls&) = delete;
  ~RemoteCalls();

  /// What the call returned, in the kernel's convention (negative errno). Errc::cancelled: a signal
  /// came first; the thread is put back, in the stop for that signal. Errc::gone: the thread died.
  Result<long> call(const RemoteCall& call);

  /// The two halves of call(): up to the entry stop, and from there to the result. Between them the
  /// caller may do other things; the thread stands still.
  Result<> enter(const RemoteCall& call);
  Result<long> leave();

  /// Puts the registers back and the thread into an ordinary stop.
  Result<> finish();

  /// The task that the last call made, in our own pid namespace (the call's result is the target's
  /// number for it). Known as soon as the task exists, also when the call's result was never seen.
  /// 0: none. Needs PTRACE_O_TRACECLONE and _TRACEFORK on the thread.
  pid_t new_task() const { return new_task_; }

  /// How long, in ns, the thread was in a state that only we can end well: from foreign registers
  /// to finish().
  std::uint64_t foreign_ns() const { return foreign_ns_; }

 private:
  /// Runs to the next system call stop.
  Result<> step(const char* what);
  Result<> put_back();

  Tracee& thread_;
  X86_64Registers registers_;
  Address gadget_;
  Of of_;
  bool entered_ = false;    // in the entry stop of a call
  bool foreign_ = false;    // foreign registers are set
  bool disturbed_ = false;  // the thread is not in the kind of stop in which it was lent to us
  std::uint64_t foreign_since_ns_ = 0;
  pid_t new_task_ = 0;
  std::uint64_t foreign_ns_ = 0;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_REMOTE_CALLS_H_
