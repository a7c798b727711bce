// SPDX-License-Identifier: Apache-2.0
//
// How soon a task of ours gets a processor. While the target is held, whoever works for it must not
// queue behind others on a busy machine; afterwards the clone must not be ahead of them. Both are
// best effort: a plain user may not put itself first.
#ifndef DOPPEL_SNAPSHOT_LINUX_URGENCY_H_
#define DOPPEL_SNAPSHOT_LINUX_URGENCY_H_

#include <sys/types.h>

#include <snapshot/support/sys.h>

namespace doppel {

/// Puts a task that leads a session of its own first. Its nice value alone would not do: with
/// autogroups (kernel/sched/autogroup.c) it counts only inside the session.
void hasten(Sys& sys, pid_t task);

/// Gives it the nice value `nice`, and its session the usual weight.
void calm(Sys& sys, pid_t task, int nice);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_URGENCY_H_
