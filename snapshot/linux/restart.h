// SPDX-License-Identifier: Apache-2.0
//
// Which interrupted system calls a stop leaves visible, and how they are taken up again. Most calls
// answer a ptrace stop with a restart code that the kernel resolves by itself; some return EINTR at
// once (epoll_wait and others: fs/eventpoll.c, net/core/sock.h sock_intr_errno), which the program
// would see. Their EINTR is turned into the restart code that means "again, unless a handler ran":
// then the kernel does the rest, and a signal that arrives in that moment still ends the call with
// EINTR, as it would have without us. Pure: no system call.
#ifndef DOPPEL_SNAPSHOT_LINUX_RESTART_H_
#define DOPPEL_SNAPSHOT_LINUX_RESTART_H_

#include <cstdint>

#include <snapshot/model/cpu_context.h>

namespace doppel {

/// True for the calls that return EINTR on a bare stop, have then done nothing, and may be called
/// again with the same arguments.
bool returns_eintr_on_stop(std::uint64_t syscall_number);

/// True when the registers show such a call just returning EINTR.
bool shows_eintr(const X86_64Registers& registers);

/// The registers with which the kernel begins the call again when no handler runs
/// (arch/x86/kernel/signal.c, arch_do_signal_or_restart): rax is -ERESTARTNOHAND. Holds only in a
/// stop inside the kernel's signal handling, as an interrupt or a signal causes.
X86_64Registers begun_again(const X86_64Registers& registers);

/// The time-out argument, in ms, of a call that takes one in a register (epoll_wait, epoll_pwait);
/// -1 when it has none or waits for ever.
std::int64_t register_timeout_ms(const X86_64Registers& registers);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_RESTART_H_
