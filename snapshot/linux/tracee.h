// SPDX-License-Identifier: Apache-2.0
//
// One traced thread: seized, ordered to stop, looked at, released. The owner exists from the moment
// the seize succeeds, so that no later failure can leave the thread behind; dropped without
// release() it is released all the same, as well as the kernel allows.
#ifndef DOPPEL_SNAPSHOT_LINUX_TRACEE_H_
#define DOPPEL_SNAPSHOT_LINUX_TRACEE_H_

#include <sys/types.h>

#include <cstdint>
#include <span>

#include <snapshot/linux/stop.h>
#include <snapshot/model/cpu_context.h>
#include <snapshot/support/result.h>
#include <snapshot/support/sys.h>

namespace doppel {

class Tracee {
 public:
  /// Attaches without stopping or signalling the thread. `options` are PTRACE_O_*.
  static Result<Tracee> seize(Sys& sys, pid_t tid, unsigned long options);
  /// Takes over a task that is traced already because its parent was (CLONE_PTRACE).
  static Tracee adopt(Sys& sys, pid_t tid);

  Tracee(Tracee&& other) noexcept;
  Tracee& operator=(Tracee&& other) noexcept;
  ~Tracee();

  pid_t tid() const { return tid_; }

  const Stop& stop() const { return stop_; }

  bool dead() const { return stop_.kind == StopKind::exited; }

  bool stopped() const { return stop_.kind != StopKind::none && !dead(); }

  /// Orders the thread to stop; returns at once.
  Result<> interrupt();
  /// Waits for a stop until `deadline_ns`; stop().kind is none afterwards when it did not come. The
  /// death of the thread is not an error: dead() tells.
  Result<> wait(std::uint64_t deadline_ns);

  Result<> get_registers(X86_64Registers& to) const;
  Result<> set_registers(const X86_64Registers& from);
  /// Reads a register set (NT_*) and returns its size; Errc::unsupported when the thread has none.
  Result<std::size_t> get_register_set(unsigned type, std::span<std::byte> to) const;
  Result<> set_options(unsigned long options);
  /// The new task's id, in our own pid namespace, at a stop of kind clone.
  Result<pid_t> new_task() const;
  /// The record of the signal that the thread is stopped for.
  Result<> get_siginfo(siginfo_t& to) const;

  /// Forgets the signal that the thread is stopped for: the next call that resumes it does not pass
  /// it on.
  void drop_signal() { stop_ = {StopKind::trap, 0}; }

  /// Lets the thread run to the next entry or exit of a system call (or any other stop).
  Result<> run_to_syscall();
  /// Lets the thread run on, still traced. The signal it stopped for, if any, is passed on.
  Result<> resume();

  /// Stopped -> untraced and running, its signal passed on. Death on the way is no error.
  Result<> detach();
  /// Sends SIGKILL to its process. For tasks of our own making only.
  void kill();

  /// Consumes the death of a dead thread, so that its process can go.
  void reap();

  /// Gives up ownership: the kernel lets the thread go when this process ends.
  void abandon() { tid_ = 0; }

 private:
  Tracee(Sys& sys, pid_t tid) : sys_(&sys), tid_(tid) {}

  Sys* sys_;
  pid_t tid_;
  Stop stop_;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_TRACEE_H_
