// SPDX-License-Identifier: Apache-2.0
//
// The registers of one thread, as plain values. General registers are named; the floating-point and
// vector state stays the blob that the processor defines (XSAVE area), since every consumer wants
// it whole.
#ifndef DOPPEL_SNAPSHOT_MODEL_CPU_CONTEXT_H_
#define DOPPEL_SNAPSHOT_MODEL_CPU_CONTEXT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace doppel {

/// In the order of the kernel's user_regs_struct (arch/x86/include/asm/user_64.h), so that a format
/// that wants that order copies it.
struct X86_64Registers {
  std::uint64_t r15 = 0, r14 = 0, r13 = 0, r12 = 0, rbp = 0, rbx = 0, r11 = 0, r10 = 0, r9 = 0,
                r8 = 0;
  std::uint64_t rax = 0, rcx = 0, rdx = 0, rsi = 0, rdi = 0, orig_rax = 0, rip = 0, cs = 0,
                eflags = 0;
  std::uint64_t rsp = 0, ss = 0, fs_base = 0, gs_base = 0, ds = 0, es = 0, fs = 0, gs = 0;
  bool operator==(const X86_64Registers&) const = default;
};

static_assert(sizeof(X86_64Registers) == 27 * 8);

struct CpuContext {
  X86_64Registers general;
  std::vector<std::byte>
      xsave;  ///< the XSAVE area, standard form; empty where it could not be read
  std::vector<std::byte> fxsave;     ///< the 512 bytes of FXSAVE; empty where it could not be read
  std::vector<std::byte> io_bitmap;  ///< NT_386_IOPERM; empty when the thread has none
  std::optional<std::uint64_t>
      shadow_stack_pointer;  ///< NT_X86_SHSTK; absent without a shadow stack
  /// False when the thread did not stop in time: only rip, rsp and the system call's registers are
  /// known.
  bool complete = true;
  bool operator==(const CpuContext&) const = default;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_MODEL_CPU_CONTEXT_H_
