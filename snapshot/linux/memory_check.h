// SPDX-License-Identifier: Apache-2.0
//
// What of the memory a clone does not hold, or cannot be cloned without a wait: from the mappings'
// flags, and from the descriptors that give memory to someone else (userfaultfd, rings, devices,
// virtual machines).
//
// It must not read the memory itself.
#ifndef DOPPEL_SNAPSHOT_LINUX_MEMORY_CHECK_H_
#define DOPPEL_SNAPSHOT_LINUX_MEMORY_CHECK_H_

#include <snapshot/linux/preflight.h>

namespace doppel {

/// Judges out.regions.
void check_mappings(const PreflightOptions& options, Preflight& out);

/// Looks through the descriptors; uses out.regions, fills in out.pinned.
void check_descriptors(const ProcDir& process, const PreflightOptions& options, Preflight& out);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_MEMORY_CHECK_H_
