// SPDX-License-Identifier: Apache-2.0
//
// The facts of a captured process of the executive, as the model has them: threads, handles,
// regions, modules, identity. Each function asks through a handle and adds to the image; none
// changes the process, but for the guard pages of a clone, which are taken off so that they can be
// read.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_CAPTURE_PROCESS_DESCRIPTION_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_CAPTURE_PROCESS_DESCRIPTION_H_

#include <cstdint>
#include <vector>

#include <snapshot/executive/capture/native_queries.h>
#include <snapshot/executive/ke/crash_port.h>
#include <snapshot/executive/native/nt_api.h>
#include <snapshot/model/backend.h>
#include <snapshot/model/process_image.h>

namespace doppel {

/// Nanoseconds since 1970 of virtual time 0: 2000-01-01. The model has no other clock.
inline constexpr std::int64_t kVirtualEpochNs = 946'684'800'000'000'000;

/// Registers as a dump has them; segments as NT's kernel forces them.
CpuContext cpu_context(const NtContext& context);

/// All threads but those that end meanwhile, the one that crashed first. `suspensions` of ours are
/// taken off their counts. The first status that is no success but that of a thread that is gone.
NtStatus describe_threads(NtApi& nt, HandleValue process, std::uint32_t suspensions,
                          const CrashMessage* crash, ProcessImage& image);

/// The status of the query.
NtStatus describe_handles(NtApi& nt, HandleValue process, ProcessImage& image);

/// What `map` says, as regions, with what is missing or torn of them. `map` is that of `original`;
/// `clone` has been made of it, or is the same process (`direct`).
void describe_regions(NtApi& nt, HandleValue original, HandleValue clone,
                      const std::vector<MemoryInformation>& map, SharedMemory shared, bool direct,
                      ProcessImage& image);

/// Images by their headers, read through `memory`.
void describe_modules(const Memory& memory, ProcessImage& image);

/// Identity, times, command line. `clone` is the id of the clone's process, 0 for none.
void describe_process(NtApi& nt, HandleValue process, const Memory& memory, std::uint64_t clone,
                      ProcessImage& image);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_CAPTURE_PROCESS_DESCRIPTION_H_
