// SPDX-License-Identifier: Apache-2.0
//
// Locks that belong to an open file and not to a process: they live as long as anything refers to
// the file, a mapping included.
#ifndef DOPPEL_SNAPSHOT_LINUX_HELD_LOCK_H_
#define DOPPEL_SNAPSHOT_LINUX_HELD_LOCK_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <snapshot/linux/target_process.h>
#include <snapshot/model/region.h>

namespace doppel {

struct HeldLock {
  std::string kind;  ///< "flock", "ofd lock", "lease"
  std::uint32_t device_major = 0, device_minor = 0;
  std::uint64_t inode = 0;
  bool operator==(const HeldLock&) const = default;
};

/// From the text of /proc/locks, or of /proc/PID/fdinfo/N, whose lines begin with "lock:" (those of
/// /proc/locks with a number). Locks that are held, not those waited for; other lines are skipped.
std::vector<HeldLock> parse_held_locks(std::string_view text);

/// True when the region maps the locked file.
bool holds_lock(const Region& region, const HeldLock& lock);

/// Locks on files that the process maps and has open, without /proc/locks. Looks at no descriptor
/// when it maps nothing but programs, libraries and memory, and at no more than 512.
std::vector<HeldLock> find_mapped_locks(Sys& sys, const TargetProcess& target,
                                        const std::vector<Region>& regions);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_HELD_LOCK_H_
