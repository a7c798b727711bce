// SPDX-License-Identifier: Apache-2.0
//
// From what a hand-over left to a Snapshot: the process as it was when it crashed, the crashed
// thread first, its memory read from the holder. Runs after everybody else was served, also in
// another process than the one that traces the holder: it needs open files and no ptrace.
#ifndef DOPPEL_SNAPSHOT_LINUX_HELD_SNAPSHOT_H_
#define DOPPEL_SNAPSHOT_LINUX_HELD_SNAPSHOT_H_

#include <functional>
#include <span>

#include <snapshot/linux/clone_memory.h>
#include <snapshot/linux/handover.h>
#include <snapshot/linux/shedding.h>
#include <snapshot/model/snapshot.h>

namespace doppel {

/// Files of the holder, opened by the one that traces it.
struct HeldFiles {
  TargetProcess holder;
  CloneFiles files;
};

Result<HeldFiles> open_held_files(Sys& sys, const HandedOver& taken);

/// Puts the words right that the death overwrote, and describes. `give_back` is called from any
/// thread with pages that are safely written. The holder itself stays the caller's and must outlive
/// the snapshot.
Result<Snapshot> make_held_snapshot(
    Sys& sys, HandedOver& taken, HeldFiles files, const AllClear& clear,
    std::function<void(std::span<const AddressRange>)> give_back = {});

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_HELD_SNAPSHOT_H_
