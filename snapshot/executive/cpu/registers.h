// SPDX-License-Identifier: Apache-2.0
//
// What an instruction of a guest can change besides memory: the integer registers of one thread, as
// the guest CPU wants them. It is not the CONTEXT record that guests and dumps see; the thread
// layer copies between the two. General registers stand in the order of their encoding (rax rcx rdx
// rbx rsp rbp rsi rdi r8..r15), which is CONTEXT's order too (offset 78h).
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_CPU_REGISTERS_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_CPU_REGISTERS_H_

#include <array>
#include <cstdint>

namespace doppel {

inline constexpr unsigned kRax = 0, kRcx = 1, kRdx = 2, kRbx = 3, kRsp = 4, kRbp = 5, kRsi = 6,
                          kRdi = 7, kR8 = 8, kR9 = 9, kR10 = 10, kR11 = 11, kR12 = 12, kR13 = 13,
                          kR14 = 14, kR15 = 15;

inline constexpr std::uint32_t kCarryFlag = 0x1, kParityFlag = 0x4, kAdjustFlag = 0x10,
                               kZeroFlag = 0x40, kSignFlag = 0x80, kInterruptFlag = 0x200,
                               kDirectionFlag = 0x400, kOverflowFlag = 0x800;
inline constexpr std::uint32_t kStatusFlags =
    kCarryFlag | kParityFlag | kAdjustFlag | kZeroFlag | kSignFlag | kOverflowFlag;

struct GuestRegisters {
  std::array<std::uint64_t, 16> general{};
  std::uint64_t rip = 0;
  std::uint64_t gs_base = 0;    ///< the TEB
  std::uint32_t flags = 0x202;  ///< bit 1 always set, IF set as the kernel forces it
  bool operator==(const GuestRegisters&) const = default;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_CPU_REGISTERS_H_
