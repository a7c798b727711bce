// SPDX-License-Identifier: Apache-2.0
//
// One mapping of the target's address space, as facts: where, what may be done with it, what backs
// it. It knows no file format and no system header; back ends fill it in, planners read it.
#ifndef DOPPEL_SNAPSHOT_MODEL_REGION_H_
#define DOPPEL_SNAPSHOT_MODEL_REGION_H_

#include <cstdint>
#include <optional>
#include <string>

#include <snapshot/model/address.h>
#include <snapshot/model/windows.h>

namespace doppel {

struct Access {
  bool read = false;
  bool write = false;
  bool execute = false;
  bool operator==(const Access&) const = default;
};

enum class Sharing { private_copy, shared };

/// What stands behind the pages. `path` in Region names the file for `file`, `shared_memory` and
/// `device`.
enum class Backing {
  anonymous,      ///< private anonymous memory, heap and stacks included
  file,           ///< a file of a file system
  shared_memory,  ///< memfd, /dev/zero, SysV, /dev/shm with no link left: memory that only looks
                  ///< like a file
  device,         ///< VM_IO or VM_PFNMAP: never read
  vdso,
  vvar,
  vsyscall,
};

/// Properties that decide what a copy of the region holds. Source: the kernel's VmFlags
/// (fs/proc/task_mmu.c).
struct RegionTraits {
  bool dont_dump = false;          ///< dd: MADV_DONTDUMP
  bool dont_fork = false;          ///< dc: MADV_DONTFORK; absent from a clone
  bool wipe_on_fork = false;       ///< wf: MADV_WIPEONFORK; zero in a clone
  bool droppable = false;          ///< dp: MAP_DROPPABLE; zero in a clone
  bool io = false;                 ///< io: VM_IO
  bool pfn_map = false;            ///< pf: VM_PFNMAP
  bool huge_tlb = false;           ///< ht
  bool sealed = false;             ///< sl: mseal
  bool stack = false;              ///< gd: grows down (the main thread's stack)
  bool userfault = false;          ///< um, uw or ui: registered with userfaultfd
  bool userfault_missing = false;  ///< um: another provides the pages that are not there yet
  bool guard = false;              ///< gu: has guard pages (MADV_GUARD_INSTALL)
  bool secret = false;             ///< memfd_secret: no one but the owner can read it
  bool accountable = false;        ///< ac: counts in the overcommit limit
  bool dax = false;                ///< a file on a DAX device
  bool operator==(const RegionTraits&) const = default;
};

struct Region {
  AddressRange range;
  Access access;
  Sharing sharing = Sharing::private_copy;
  Backing backing = Backing::anonymous;
  RegionTraits traits;
  std::string path;  ///< as the kernel names it, unescaped; "[heap]", "[stack]" and the like too
  bool deleted = false;  ///< the file has no name any more; `path` does not hold " (deleted)"
  std::uint64_t file_offset = 0;  ///< bytes
  std::uint64_t inode = 0;
  std::uint32_t device_major = 0;
  std::uint32_t device_minor = 0;
  std::uint64_t resident = 0;  ///< bytes present (Rss)
  std::uint64_t anonymous =
      0;  ///< bytes of anonymous pages; > 0 in a private file mapping: it was written
  std::uint64_t anonymous_huge = 0;  ///< bytes in transparent huge pages
  std::uint64_t swapped = 0;         ///< bytes in swap
  std::optional<WindowsRegion> windows = std::nullopt;
  bool operator==(const Region&) const = default;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_MODEL_REGION_H_
