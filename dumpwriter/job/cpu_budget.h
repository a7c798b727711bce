// SPDX-License-Identifier: Apache-2.0
//
// How many CPUs we may use: those of our affinity mask, less what a cgroup quota allows. In a
// container hardware_concurrency() names the machine's, and threads beyond the quota are throttled
// together with whatever shares it.
#ifndef DOPPEL_DUMPWRITER_JOB_CPU_BUDGET_H_
#define DOPPEL_DUMPWRITER_JOB_CPU_BUDGET_H_

#include <snapshot/support/sys.h>

namespace doppel {

/// At least 1. Looks at sched_getaffinity(2) and at cpu.max (cgroup v2) or cpu.cfs_quota_us (v1)
/// of our cgroup and those above it; what cannot be read does not limit. A quota of 1.5 counts
/// as 2.
unsigned available_cpus(Sys& sys = Sys::real());

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_JOB_CPU_BUDGET_H_
