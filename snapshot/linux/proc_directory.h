// SPDX-License-Identifier: Apache-2.0
//
// Directories of /proc whose entries are numbers: processes in /proc itself, threads in task.
#ifndef DOPPEL_SNAPSHOT_LINUX_PROC_DIRECTORY_H_
#define DOPPEL_SNAPSHOT_LINUX_PROC_DIRECTORY_H_

#include <sys/types.h>

#include <vector>

#include <snapshot/support/result.h>
#include <snapshot/support/sys.h>

namespace doppel {

/// The entries of the open directory `fd` whose names are numbers, from its beginning, in the
/// kernel's order. Entries that come and go meanwhile may be missing. Empty for a process that is
/// gone. The directory's position moves: not for two callers at a time.
Result<std::vector<pid_t>> list_numbers(Sys& sys, int fd);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_PROC_DIRECTORY_H_
