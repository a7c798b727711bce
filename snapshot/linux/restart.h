// SPDX-License-Identifier: Apache-2.0
//
// Which interrupted system calls a stop leaves visible, and how they are taken up again. Most calls
// answer a ptrace stop with a restart code that the kernel resolves by itself; some return EINTR at
// once (epoll_wait and others: fs/eventpoll.c, net/core/sock.h sock_intr_errno), which the program
// would see. For those the program counter is set back onto the `syscall` instruction, so that the
// call begins again. Pure: no system call.
#ifndef DOPPEL_SNAPSHOT_LINUX_RESTART_H_
#define DOPPEL_SNAPSHOT_LINUX_RESTART_H_

#include <cstdint>

#include <snapshot/model/cpu_context.h>

namespace doppel {

/// True for the calls that return EINTR on a bare stop, have then done nothing, and may be called
/// again with the same arguments.
bool returns_eintr_on_stop(std::uint64_t syscall_number);

/// True when the registers show such a call just returning EINTR.
bool wants_rewind(const X86_64Registers& registers);

/// The registers from which the call begins again: rip on the instruction (2 bytes back), rax the
/// number, orig_rax -1 so that the kernel's own restart logic keeps out.
X86_64Registers rewound(const X86_64Registers& registers);

/// The time-out argument, in ms, of a call that takes one in a register (epoll_wait, epoll_pwait);
/// -1 when it has none or waits for ever.
std::int64_t register_timeout_ms(const X86_64Registers& registers);

/// True when the signal does nothing to a process with this disposition: ignored by choice
/// (`ignored`, SigIgn), or by default and not caught. A traced thread is woken even for such a
/// signal.
bool signal_has_no_effect(int signal, std::uint64_t ignored, std::uint64_t caught);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_RESTART_H_
