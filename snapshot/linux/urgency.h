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

/// Puts a task of ours (0: the calling thread), leader of a session of its own, before everything
/// ordinary: the lowest real-time priority, which its children do not inherit, or failing that the
/// best nice value.
void hasten(Sys& sys, pid_t task);

/// Back among the ordinary, with the nice value `nice` and its session's usual weight.
void calm(Sys& sys, pid_t task, int nice);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_URGENCY_H_
