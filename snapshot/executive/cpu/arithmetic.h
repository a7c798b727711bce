// SPDX-License-Identifier: Apache-2.0
//
// Results and flags of the integer instructions, free of registers and memory. Operands are
// zero-extended values of `size` bytes (1, 2, 4, 8). Source: Intel SDM volume 2, the "Flags
// Affected" of each instruction. Where the manual says "undefined" the value here is fixed, so that
// runs repeat, and promises nothing more.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_CPU_ARITHMETIC_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_CPU_ARITHMETIC_H_

#include <bit>
#include <cstdint>

#include <snapshot/executive/cpu/instruction.h>
#include <snapshot/executive/cpu/registers.h>

namespace doppel {

inline std::uint64_t value_mask(unsigned size) {
  return ~std::uint64_t{0} >> (64 - 8 * size);
}

inline std::uint64_t top_bit(std::uint64_t value, unsigned size) {
  return (value >> (8 * size - 1)) & 1;
}

inline std::uint64_t sign_extend(std::uint64_t value, unsigned size) {
  const unsigned unused = 64 - 8 * size;
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(value << unused) >> unused);
}

inline std::uint32_t flag_if(bool set, std::uint32_t flag) {
  return set ? flag : 0;
}

/// ZF, SF and PF of a result.
inline std::uint32_t result_flags(std::uint64_t result, unsigned size) {
  return flag_if(result == 0, kZeroFlag) | flag_if(top_bit(result, size) != 0, kSignFlag) |
         flag_if((std::popcount(result & 0xff) & 1) == 0, kParityFlag);
}

inline void set_status(std::uint32_t& flags, std::uint32_t status) {
  flags = (flags & ~kStatusFlags) | status;
}

inline std::uint64_t add_values(std::uint64_t a, std::uint64_t b, unsigned carry, unsigned size,
                                std::uint32_t& flags) {
  const std::uint64_t sum = (a + b + carry) & value_mask(size);
  set_status(flags, result_flags(sum, size) |
                        flag_if(top_bit((a & b) | ((a | b) & ~sum), size), kCarryFlag) |
                        flag_if(top_bit((a ^ sum) & (b ^ sum), size), kOverflowFlag) |
                        static_cast<std::uint32_t>((a ^ b ^ sum) & kAdjustFlag));
  return sum;
}

inline std::uint64_t subtract_values(std::uint64_t a, std::uint64_t b, unsigned borrow,
                                     unsigned size, std::uint32_t& flags) {
  const std::uint64_t rest = (a - b - borrow) & value_mask(size);
  set_status(flags, result_flags(rest, size) |
                        flag_if(top_bit((~a & b) | ((~a | b) & rest), size), kCarryFlag) |
                        flag_if(top_bit((a ^ b) & (a ^ rest), size), kOverflowFlag) |
                        static_cast<std::uint32_t>((a ^ b ^ rest) & kAdjustFlag));
  return rest;
}

/// AND, OR, XOR, TEST: carry and overflow are cleared.
inline std::uint64_t logic_result(std::uint64_t result, unsigned size, std::uint32_t& flags) {
  set_status(flags, result_flags(result, size));
  return result;
}

/// SHL SHR SAR ROL ROR RCL RCR by an unmasked count.
std::uint64_t shift_value(Operation operation, std::uint64_t value, std::uint64_t count,
                          unsigned size, std::uint32_t& flags);

/// SHLD (left) or SHRD.
std::uint64_t shift_double(bool left, std::uint64_t value, std::uint64_t filler,
                           std::uint64_t count, unsigned size, std::uint32_t& flags);

/// The condition in the low nibble of Jcc, SETcc and CMOVcc.
inline bool condition_holds(unsigned condition, std::uint32_t flags) {
  const bool sign_differs = ((flags & kSignFlag) != 0) != ((flags & kOverflowFlag) != 0);
  bool holds = false;
  switch (condition >> 1) {
    case 0:
      holds = (flags & kOverflowFlag) != 0;
      break;
    case 1:
      holds = (flags & kCarryFlag) != 0;
      break;
    case 2:
      holds = (flags & kZeroFlag) != 0;
      break;
    case 3:
      holds = (flags & (kCarryFlag | kZeroFlag)) != 0;
      break;
    case 4:
      holds = (flags & kSignFlag) != 0;
      break;
    case 5:
      holds = (flags & kParityFlag) != 0;
      break;
    case 6:
      holds = sign_differs;
      break;
    default:
      holds = sign_differs || (flags & kZeroFlag) != 0;
      break;
  }
  return holds != ((condition & 1) != 0);
}

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_CPU_ARITHMETIC_H_
