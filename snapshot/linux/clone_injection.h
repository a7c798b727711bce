// SPDX-License-Identifier: Apache-2.0
//
// The stop of the target, and what is done in it: registers read, the address space cloned. Runs in
// the tracer process. take_snapshot() is the whole of what a target feels; read it first.
#ifndef DOPPEL_SNAPSHOT_LINUX_CLONE_INJECTION_H_
#define DOPPEL_SNAPSHOT_LINUX_CLONE_INJECTION_H_

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <snapshot/linux/capture_arena.h>
#include <snapshot/linux/freeze.h>
#include <snapshot/linux/target_process.h>

namespace doppel {

/// What to do in the stop; decided before it.
struct SnapshotOrders {
  TraceSettings settings;
  Address vdso;       ///< AT_SYSINFO_EHDR; 0: none
  bool clone = true;  ///< false: only the registers (direct engine)
  bool read_maps =
      false;  ///< read the target's maps in the stop: it has mappings that a clone lacks
  std::size_t stack_bytes = 0;  ///< copy up to so much of each stack in the stop (direct engine)
};

/// The copy, stopped, traced by this process.
struct InjectedClone {
  Tracee tracee;
  X86_64Registers registers;  ///< its own, from which calls are made in it
  Address gadget;
};

struct TakenSnapshot {
  std::optional<InjectedClone> clone;
  std::vector<std::unique_ptr<FrozenThread>> laggards;
};

/// Stops the target, clones it, releases it. What was found stands in the arena. On failure the
/// target runs on as before; tasks that still have to be removed are named in the arena's header
/// (see remove_tasks()).
Result<TakenSnapshot> take_snapshot(Sys& sys, const TargetProcess& target, int memory_fd,
                                    const CaptureArena& arena, const SnapshotOrders& orders);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_CLONE_INJECTION_H_
