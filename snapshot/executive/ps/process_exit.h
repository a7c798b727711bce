// SPDX-License-Identifier: Apache-2.0
//
// How threads and processes end. The order is NT's (kill.c of ReactOS) and all of it happens in one
// step, so that whoever sees a process signalled can already reopen its files.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_PS_PROCESS_EXIT_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_PS_PROCESS_EXIT_H_

#include <snapshot/executive/ps/process.h>

namespace doppel {

/// Ends one thread; the last one ends its process. `thread` may be gone afterwards.
void end_thread(NtThread& thread, NtStatus exit_status);
/// Ends all threads, `last` after the others, or a process that has none: its handles are closed
/// and it is signalled, but its address space stays for who holds it.
void end_process(Process& process, NtStatus exit_status, NtThread* last = nullptr);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_PS_PROCESS_EXIT_H_
