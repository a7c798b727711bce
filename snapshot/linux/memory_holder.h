// SPDX-License-Identifier: Apache-2.0
//
// The task in which the memory of a dead process lives on. It shares the address space, has an
// empty descriptor table and a session of its own, never runs an instruction but the system calls
// asked of it, and is killed by the kernel when its tracer ends. Owning it is owning the memory.
//
// Like all tracing, everything here happens on the thread that traces.
#ifndef DOPPEL_SNAPSHOT_LINUX_MEMORY_HOLDER_H_
#define DOPPEL_SNAPSHOT_LINUX_MEMORY_HOLDER_H_

#include <sys/types.h>

#include <memory>
#include <span>

#include <snapshot/linux/clone_injection.h>
#include <snapshot/linux/remote_calls.h>
#include <snapshot/linux/settle_clone.h>

namespace doppel {

class MemoryHolder {
 public:
  /// Takes over a task that was just made in the target and is traced by the calling thread: waits
  /// until it stands still and gives it an empty descriptor table and a session of its own.
  /// `gadget` is a `syscall` instruction in it. On failure the task is ended.
  static Result<std::unique_ptr<MemoryHolder>> adopt(Sys& sys, pid_t task, Address gadget,
                                                     bool suspend_seccomp);

  MemoryHolder(const MemoryHolder&) = delete;
  MemoryHolder& operator=(const MemoryHolder&) = delete;
  /// Ends the task: the memory is gone.
  ~MemoryHolder();

  pid_t task() const { return clone_.tracee.tid(); }

  /// The result of a system call made by the task, in the kernel's convention.
  Result<long> call(const RemoteCall& call);

  /// The memory's PR_GET_DUMPABLE; it belongs to the memory and not to a task.
  Result<int> dumpable();
  /// 0 or 1. While it is 0 nobody but the superuser may open files of the task, and the death of
  /// another task that shares the memory writes no core.
  Result<> set_dumpable(int value);

  /// Once no other task shares the memory: first to go when memory runs out, out of the target's
  /// control group, named "dump:COMM", its working directory "/". `memory_fd` is open for writing.
  Settled settle(const TargetProcess& target, int memory_fd);

  /// These bytes are safely written; give the pages back.
  void give_back(std::span<const AddressRange> ranges);

  /// Kills the task and waits for its end. Again: nothing happens.
  void end();

 private:
  MemoryHolder(Sys& sys, Tracee tracee, Address gadget)
      : sys_(sys), clone_{std::move(tracee), {}, gadget} {}

  void leave_directory(int memory_fd);
  void acknowledge();

  Sys& sys_;
  InjectedClone clone_;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_MEMORY_HOLDER_H_
