// SPDX-License-Identifier: Apache-2.0
//
// Exceptions of guests: first chance to the process' own dispatcher, second chance to a crash port,
// else the end of the process.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_KE_EXCEPTION_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_KE_EXCEPTION_H_

#include <cstdint>

#include <snapshot/executive/executive.h>
#include <snapshot/executive/ke/crash_port.h>

namespace doppel {

inline constexpr std::size_t kExceptionRecordSize = 152;

/// Raises `record` in `thread`, whose registers are those at the fault. First chance: record and
/// context go on its stack (rcx: the record, rdx: the context) and it goes on in the dispatcher.
/// Second chance, no dispatcher, or no room on the stack: it waits for the crash port; without
/// one its process ends with the code as exit status.
void raise_exception(Executive& executive, NtThread& thread, const ExceptionRecord& record,
                     bool first_chance);

/// Answers one message. DBG_EXCEPTION_HANDLED: the thread goes on (with `context` if given);
/// anything else ends its process with the exception's code. INVALID_PARAMETER: no such message.
NtStatus reply_to_crash(Executive& executive, CrashPort& port, std::uint64_t sequence,
                        NtStatus answer, const NtContext* context);

/// The record as programs see it.
std::array<std::byte, kExceptionRecordSize> store_record(const ExceptionRecord& record);
ExceptionRecord load_record(std::span<const std::byte, kExceptionRecordSize> bytes);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_KE_EXCEPTION_H_
