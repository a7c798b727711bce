// SPDX-License-Identifier: Apache-2.0
//
// The vector registers as PTRACE_GETREGSET gives them: an XSAVE area with room for every component
// of the processor, 8 KiB of it for matrix tiles (AMX) that hardly a program uses.
#ifndef DOPPEL_SNAPSHOT_LINUX_XSAVE_AREA_H_
#define DOPPEL_SNAPSHOT_LINUX_XSAVE_AREA_H_

#include <cstddef>
#include <span>
#include <vector>

namespace doppel {

/// The area without its tiles when they are in their initial state: shorter, and of the size that
/// debuggers that do not know tiles expect (gdb 13 warns otherwise). The mask of components that
/// the kernel puts at offset 464 (arch/x86/include/asm/user.h, USER_XSTATE_XCR0_WORD) is kept true.
/// An area with tiles in use, or of another layout, stays as it is.
std::vector<std::byte> without_unused_tiles(std::span<const std::byte> area);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_XSAVE_AREA_H_
