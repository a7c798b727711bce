// SPDX-License-Identifier: Apache-2.0
//
// The second way to hold an address space: the process is about to die of a signal, so nothing is
// copied. A task that shares its memory is made in it, the process dies, the memory stays. Ports,
// locks and files go with the process, in the time that its threads need to end, whatever its size.
//
// Runs on the thread that traces the process, with SIGCHLD blocked. hand_over() is the whole of it;
// read it first.
#ifndef DOPPEL_SNAPSHOT_LINUX_HANDOVER_H_
#define DOPPEL_SNAPSHOT_LINUX_HANDOVER_H_

#include <signal.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <snapshot/linux/capture_arena.h>
#include <snapshot/linux/exit_words.h>
#include <snapshot/linux/held_lock.h>
#include <snapshot/linux/memory_holder.h>
#include <snapshot/linux/target_process.h>

namespace doppel {

/// Instants, in ns of CLOCK_MONOTONIC.
struct HandoverTimes {
  std::uint64_t signal_ns = 0;       ///< the signal was seen
  std::uint64_t parked_ns = 0;       ///< no thread ran any more
  std::uint64_t handed_over_ns = 0;  ///< the memory no longer depended on the process
  std::uint64_t dead_ns = 0;         ///< the last thread was gone; descriptors closed
};

/// Texts of /proc that end with the process.
struct LastWords {
  std::string stat, status, cgroup, limits;
};

/// What is left of a process. Move-only; dropped, the memory goes.
struct HandedOver {
  pid_t process = 0;
  pid_t thread = 0;  ///< that died of the signal
  siginfo_t info{};
  std::unique_ptr<MemoryHolder> holder;
  std::optional<CaptureArena> arena;  ///< registers of all threads, as they stood; always there
  ExitWords words;                    ///< to be put right before the memory is read
  UniqueFd memory;                    ///< the memory, for reading and writing
  LastWords last_words;
  std::vector<HeldLock> locks;  ///< on files that it mapped
  HandoverTimes times;
  std::int64_t crashed_at_ns = 0;    ///< CLOCK_REALTIME
  std::size_t threads_left_out = 0;  ///< there was no room for them in the arena
};

struct HandoverRequest {
  pid_t thread = 0;              ///< traced; stands in the delivery stop of `info.si_signo`
  siginfo_t info{};              ///< of that signal, which its process is going to die of
  bool suspend_seccomp = false;  ///< the process is filtered, and the kernel lets us lift that
  std::size_t copy_bytes = 16u << 20;  ///< room in the arena for what is read before it is given up
};

/// Takes the memory over and lets the process die of the signal, with the record and the exit
/// status that it would have had; the kernel writes no core. When it returns without error all
/// threads are gone and reaped but the leader, which is left as a zombie: the process is not seen
/// to be dead before the caller reaps it. Whatever fails, the process gets its signal; an error
/// means only that there is no memory to be had. Errc::denied: it forbade dumps. Errc::gone: it was
/// killed meanwhile.
Result<HandedOver> hand_over(Sys& sys, const TargetProcess& target, const HandoverRequest& request);

/// Gives a thread in a delivery stop its signal and sees to it that no other thread is left
/// standing: they die with it, or are sent on if, against expectation, it lives.
void pass_on_crash(Sys& sys, const TargetProcess& target, pid_t thread, int signal);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_HANDOVER_H_
