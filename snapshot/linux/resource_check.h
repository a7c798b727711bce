// SPDX-License-Identifier: Apache-2.0
//
// Is there room for the clone: tasks, address space, memory, huge pages? Each check reads the limit
// and what is used of it, and makes a gate where the kernel would refuse the clone, or where the
// clone could cost the machine its memory.
//
// It must not know who the target is beyond the numbers it is given.
#ifndef DOPPEL_SNAPSHOT_LINUX_RESOURCE_CHECK_H_
#define DOPPEL_SNAPSHOT_LINUX_RESOURCE_CHECK_H_

#include <snapshot/linux/cgroup_parser.h>
#include <snapshot/linux/permission_check.h>
#include <snapshot/linux/preflight.h>

namespace doppel {

/// Tasks that an injected clone needs for a moment: a helper and the clone itself.
inline constexpr std::uint64_t kTasksNeeded = 2;

/// The target's cgroups; empty where they cannot be read.
struct Cgroups {
  std::vector<CgroupEntry> entries;
  std::vector<Mount> mounts;
};

Cgroups read_cgroups(Sys& sys, const ProcDir& process);

/// pids.max of the cgroup and all above it, RLIMIT_NPROC of the owner, kernel.threads-max.
void check_tasks(Sys& sys, const ProcDir& process, const Cgroups& cgroups, const ProcStatus& status,
                 Gates& gates);

/// vm.overcommit_memory: in mode 2 the clone's accountable memory must fit under CommitLimit, in
/// mode 0 no single mapping may exceed memory and swap together (mm/util.c __vm_enough_memory()).
void check_overcommit(Sys& sys, const std::vector<Region>& regions, const ProcStatus& status,
                      Gates& gates);

/// MemAvailable and the memory cgroups, against what a clone costs: its page tables at once, and
/// copies of the pages that the target goes on to write. Fills in `facts`.
void check_memory(Sys& sys, const ProcDir& process, const Cgroups& cgroups,
                  const std::vector<Region>& regions, const ProcStatus& status, MemoryFacts& facts,
                  Gates& gates);

/// So much is copied in the stop when a clone would lose it: some 7 ms, within doppel's own memory.
inline constexpr std::uint64_t kMostHugeBytesCopied = 16 << 20;

/// Private huge pages of hugetlbfs against the pool. Severity::note: all of them are present and
/// few enough to be copied.
void check_huge_pages(Sys& sys, const std::vector<Region>& regions,
                      const std::vector<MappingDetail>& details, Gates& gates);

/// The cgroup freezer, of either version.
void check_frozen(Sys& sys, const Cgroups& cgroups, Gates& gates);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_RESOURCE_CHECK_H_
