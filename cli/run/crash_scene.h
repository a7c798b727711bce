// SPDX-License-Identifier: Apache-2.0
//
// A process in the delivery stop of a signal that it is going to die of: what is known of it before
// anything is done about it, and whether its memory can be taken over. Only looks; the process
// stays as it is.
#ifndef DOPPEL_CLI_RUN_CRASH_SCENE_H_
#define DOPPEL_CLI_RUN_CRASH_SCENE_H_

#include <sys/types.h>

#include <csignal>
#include <cstdint>
#include <optional>
#include <string>

#include <snapshot/linux/proc_parser.h>
#include <snapshot/linux/target_process.h>

namespace doppel {

struct CrashScene {
  pid_t pid = 0, tid = 0;
  siginfo_t info{};
  ProcStatus status;
  std::string executable;  ///< empty where it cannot be read
  std::string comm;        ///< of the process, not of the thread
  std::uint64_t seen_ns = 0;
};

/// How doppel itself stands to seccomp.
struct SeccompStanding {
  bool may_suspend = false;       ///< PTRACE_O_SUSPEND_SECCOMP
  std::uint64_t own_filters = 0;  ///< they are inherited: a process with as many has no others
};

/// `status` is of the crashed thread `tid`.
CrashScene look_at_crash(Sys& sys, const TargetProcess& target, pid_t tid, const siginfo_t& info,
                         ProcStatus status);

/// crash_signature() of it. An error when its registers cannot be read; what else cannot be read
/// makes it coarser.
Result<std::string> signature_of(Sys& sys, const CrashScene& scene);

/// Why the memory of this process cannot be taken over; nothing when it can.
std::optional<std::string> hinders_handover(Sys& sys, const CrashScene& scene,
                                            const SeccompStanding& standing);

}  // namespace doppel

#endif  // DOPPEL_CLI_RUN_CRASH_SCENE_H_
