// SPDX-License-Identifier: Apache-2.0
//
// How fast this machine copies page tables, measured in some 15 ms on ourselves: the stop
// is foretold from counts and the costs of a reference machine, and machines differ by a factor of
// several.
//
// It must not know the target.
#ifndef DOPPEL_SNAPSHOT_LINUX_MACHINE_SPEED_H_
#define DOPPEL_SNAPSHOT_LINUX_MACHINE_SPEED_H_

#include <snapshot/support/sys.h>

namespace doppel {

/// How many times slower than the reference of StopCosts this machine copies page table entries,
/// between 0.25 and 4; 1 where it could not be measured.
///
/// Forks the calling process a few times, with and without 16 MiB of touched memory, and
/// takes the difference of the shortest times. The children end at once, are not seen by wait() (no
/// exit signal) and run no handlers. Do not call it in a process that is large: the forks cost it
/// what a capture would.
double measure_slowness(Sys& sys);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_MACHINE_SPEED_H_
