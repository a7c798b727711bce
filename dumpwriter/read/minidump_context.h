// SPDX-License-Identifier: Apache-2.0
//
// CONTEXT of x86-64 (winnt.h, 1232 bytes) into the model's registers.
#ifndef DOPPEL_DUMPWRITER_READ_MINIDUMP_CONTEXT_H_
#define DOPPEL_DUMPWRITER_READ_MINIDUMP_CONTEXT_H_

#include <cstddef>
#include <optional>
#include <span>

#include <snapshot/model/cpu_context.h>

namespace doppel {

/// Absent when the bytes are none: too few, or flagged for another machine. More of them (an XSAVE
/// area behind it) are left aside.
std::optional<CpuContext> read_context(std::span<const std::byte> bytes);

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_READ_MINIDUMP_CONTEXT_H_
