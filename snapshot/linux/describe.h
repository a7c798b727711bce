// SPDX-License-Identifier: Apache-2.0
//
// From what the stop left in the arena, and from the texts of /proc, to the parts of a
// ProcessImage. All of it runs after the target was released.
#ifndef DOPPEL_SNAPSHOT_LINUX_DESCRIBE_H_
#define DOPPEL_SNAPSHOT_LINUX_DESCRIBE_H_

#include <vector>

#include <snapshot/linux/clone_memory.h>
#include <snapshot/linux/proc_reader.h>
#include <snapshot/model/backend.h>
#include <snapshot/model/process_image.h>

namespace doppel {

/// Fills image.process (all but engine, consistency and timings) and image.verbatim: "auxv",
/// "limits", "cgroup". To be called before the stop, while there is something to read.
Result<> describe_target(Sys& sys, const ProcDir& process, ProcessImage& image);

/// Fills image.threads from the arena, the leader first; an omission for each whose registers are
/// not known.
void describe_threads(const CaptureArena& arena, const ProcDir& process, ProcessImage& image);

/// Without a stop: the threads as /proc shows them, with no more than where each stands in its
/// system call.
Result<> describe_threads_unattached(const ProcDir& process, ProcessImage& image);

/// Fills image.regions, and image.torn with what is not of the instant. `before` are the target's
/// regions from before the stop, with their traits. Returns where the bytes of each region come
/// from.
Result<std::vector<CloneMemory::Part>> describe_regions(Sys& sys, const LiveCapture& capture,
                                                        const std::vector<Region>& before,
                                                        SharedMemory shared, ProcessImage& image);

/// `regions` without the page that was added to the clone for its name.
void remove_page(std::vector<Region>& regions, std::uint64_t page);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_DESCRIBE_H_
