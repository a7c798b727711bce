// SPDX-License-Identifier: Apache-2.0
//
// Where in the target a `syscall` instruction stands that a borrowed thread can be sent to, and
// whether a thread may be borrowed at all. Nothing is written: the instruction is one that is there
// already.
#ifndef DOPPEL_SNAPSHOT_LINUX_GADGET_H_
#define DOPPEL_SNAPSHOT_LINUX_GADGET_H_

#include <cstdint>
#include <optional>
#include <span>

#include <snapshot/linux/tracee.h>
#include <snapshot/model/address.h>
#include <snapshot/support/sys.h>

namespace doppel {

/// The first `0f 05` in the target's vdso, whose image starts at `vdso` (AT_SYSINFO_EHDR); nothing
/// without one.
std::optional<Address> find_vdso_gadget(Sys& sys, int memory_fd, Address vdso);

/// The instruction that a thread blocked in a system call stands behind; nothing when it stands
/// elsewhere.
std::optional<Address> find_own_gadget(Sys& sys, int memory_fd, const X86_64Registers& registers);

/// False when the thread is inside a restartable sequence (rseq), or when the kernel cannot tell
/// and the thread is not in a system call: resumed elsewhere, it would come back into a sequence
/// that should have been aborted (kernel/rseq.c, rseq_ip_fixup clears rseq_cs without the abort).
bool may_be_borrowed(Sys& sys, int memory_fd, const Tracee& thread,
                     const X86_64Registers& registers);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_GADGET_H_
