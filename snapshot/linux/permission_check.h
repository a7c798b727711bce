// SPDX-License-Identifier: Apache-2.0
//
// May we attach, and if not, because of what exactly? The kernel is asked first, in a way that
// touches nothing; only a refusal is then explained, by going through the kernel's own tests in
// their order (kernel/ptrace.c __ptrace_may_access(), security/yama/yama_lsm.c).
#ifndef DOPPEL_SNAPSHOT_LINUX_PERMISSION_CHECK_H_
#define DOPPEL_SNAPSHOT_LINUX_PERMISSION_CHECK_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include <snapshot/linux/gate.h>
#include <snapshot/linux/proc_parser.h>
#include <snapshot/linux/proc_reader.h>
#include <snapshot/support/sys.h>

namespace doppel {

/// Capabilities by number (include/uapi/linux/capability.h).
inline constexpr int kCapSysPtrace = 19;
inline constexpr int kCapSysAdmin = 21;
inline constexpr int kCapSysResource = 24;

constexpr bool has_capability(std::uint64_t set, int capability) {
  return (set >> capability & 1) != 0;
}

/// The one who captures: its ids and capabilities are those of the calling thread.
struct SelfFacts {
  pid_t pid = 0;
  ProcStatus status;
  bool initial_user_namespace = true;
};

/// Errors only when our own /proc entry cannot be read.
Result<SelfFacts> read_self(Sys& sys);

/// Whether the kernel would let the calling thread attach (PTRACE_MODE_ATTACH): it answers when
/// /proc/PID/mem is opened (fs/proc/base.c proc_mem_open()), and opening does nothing else. An
/// errno value; 0: it would.
int attach_errno(const ProcDir& process);

/// Whether the process lets itself be dumped (PR_GET_DUMPABLE is 1). Absent when it cannot be told.
/// Looks at the owner of its /proc files (fs/proc/base.c task_dump_owner(): root's when not
/// dumpable), and, where it belongs to root anyway, asks the kernel for a ptrace-read check with
/// CAP_SYS_PTRACE laid aside by the calling thread for the moment of one get_robust_list.
std::optional<bool> read_dumpable(Sys& sys, const ProcDir& process, const ProcStatus& target,
                                  const SelfFacts& self);

/// kernel.yama.ptrace_scope; absent without Yama.
std::optional<int> read_yama_scope(Sys& sys);

/// The gate that explains why attaching was refused with `os`.
Gate explain_refusal(Sys& sys, const ProcDir& process, const ProcStatus& target,
                     const SelfFacts& self, std::optional<bool> dumpable,
                     std::optional<int> yama_scope, int os);

/// False when a filter on ourselves answers ptrace before the kernel does: a request for a process
/// that cannot exist must come back with ESRCH.
bool ptrace_answers(Sys& sys);

/// True when the kernel would grant PTRACE_O_SUSPEND_SECCOMP (kernel/ptrace.c
/// check_ptrace_options()).
bool can_suspend_seccomp(Sys& sys, const SelfFacts& self);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_PERMISSION_CHECK_H_
