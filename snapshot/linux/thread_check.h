// SPDX-License-Identifier: Apache-2.0
//
// What the threads of a process are doing, and which of it stands in the way: a tracer, a seccomp
// filter, a sleep that nothing interrupts.
//
// It must not stop or touch any of them.
#ifndef DOPPEL_SNAPSHOT_LINUX_THREAD_CHECK_H_
#define DOPPEL_SNAPSHOT_LINUX_THREAD_CHECK_H_

#include <snapshot/linux/preflight.h>

namespace doppel {

/// Fills in `out.threads` and what follows from them. Uses out.can_suspend_seccomp.
void check_threads(Sys& sys, const ProcDir& process, Preflight& out);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_THREAD_CHECK_H_
