// SPDX-License-Identifier: Apache-2.0
//
// Taking away what an injection made: the clone and the helper are children of the target without
// exit signal; once dead they stay zombies until the target collects them, which it does not know
// how to. So a thread of it is borrowed once more, for one wait4 with __WALL.
#ifndef DOPPEL_SNAPSHOT_LINUX_CLONE_REMOVAL_H_
#define DOPPEL_SNAPSHOT_LINUX_CLONE_REMOVAL_H_

#include <span>

#include <snapshot/linux/injection_scene.h>

namespace doppel {

/// The target's own number for a task of ours that is its child; 0 when it is none (any more).
pid_t child_number(Sys& sys, const TargetProcess& target, pid_t task);

/// Lets `host`, a thread that is held, collect dead children of the target, by the target's numbers
/// for them. Errc::cancelled: a signal for the thread came first.
Result<> collect_children(const InjectionScene& scene, FrozenThread& host, Address gadget,
                          std::span<const pid_t> numbers);

/// Kills helper and clone, as the arena names them, and lets a thread of the target collect them,
/// so that nothing is left of them, not even a zombie. Finds a clone that the helper was just
/// making when its tracer was killed. A task whose parent is no longer the target needs nothing: it
/// is gone or somebody else's to collect. The hold of the one thread is noted in the arena.
Result<> remove_tasks(Sys& sys, const TargetProcess& target, const CaptureArena& arena,
                      const SnapshotOrders& orders);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_CLONE_REMOVAL_H_
