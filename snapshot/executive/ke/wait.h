// SPDX-License-Identifier: Apache-2.0
//
// Waiting: what satisfies a wait, who is woken and in which order (first come, first served). Only
// guest threads are ever left waiting; a host actor's call runs the stepper instead.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_KE_WAIT_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_KE_WAIT_H_

#include <cstdint>
#include <optional>

#include <snapshot/executive/executive.h>
#include <snapshot/executive/nt_status.h>
#include <snapshot/executive/ob/object.h>

namespace doppel {

/// Whether a wait for `object` by `waiter` (a thread, or the process of a host actor) is satisfied
/// now; if so takes what it takes and says how: SUCCESS or ABANDONED_WAIT_0.
std::optional<NtStatus> try_wait(Object& object, const Object& waiter);

/// Leaves `thread` waiting as `wait` says.
void begin_wait(Executive& executive, NtThread& thread, ThreadWait wait);
/// Ends the wait: rax gets `result` and the thread may run.
void end_wait(Executive& executive, NtThread& thread, NtStatus result);
/// Forgets that `thread` waits, for a thread that dies.
void abandon_wait(Executive& executive, NtThread& thread);

/// `object` may satisfy somebody now.
void wake_waiters(Executive& executive, Object& object);
/// Locks of `node` have gone: who waits for one tries again.
void wake_lockers(Executive& executive, const FileNode& node);
/// Ends the waits whose time is over.
void fire_timers(Executive& executive);

/// Every mutant of `owner` is free and abandoned.
void abandon_mutants(Executive& executive, const Object& owner);

/// Virtual time at which a timeout of the native API ends: negative is relative, positive absolute.
std::optional<std::uint64_t> deadline_of(const Executive& executive,
                                         std::optional<std::int64_t> timeout);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_KE_WAIT_H_
