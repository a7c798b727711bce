// SPDX-License-Identifier: Apache-2.0
#include <snapshot/executive/cpu/arithmetic.h>

namespace doppel {
namespace {

void set_carry_overflow(std::uint32_t& flags, bool carry, bool overflow) {
  flags = (flags & ~(kCarryFlag | kOverflowFlag)) | flag_if(carry, kCarryFlag) |
          flag_if(overflow, kOverflowFlag);
}

std::uint64_t rotate(Operation operation, std::uint64_t value, unsigned count, unsigned size,
                     std::uint32_t& flags) {
  const unsigned bits = 8 * size;
  bool carry = (flags & kCarryFlag) != 0;
  const bool through_carry = operation == Operation::rcl || operation == Operation::rcr;
  const bool left = operation == Operation::rol || operation == Operation::rcl;
  if (through_carry) {
    count %= bits + 1;
    if (count == 0) return value;
  }
  for (unsigned i = 0; i < count; ++i) {
    if (left) {
      const bool out = top_bit(value, size) != 0;
      value = ((value << 1) | ((through_carry ? carry : out) ? 1 : 0)) & value_mask(size);
      carry = out;
    } else {
      const bool out = (value & 1) != 0;
      const std::uint64_t in = (through_carry ? carry : out) ? 1 : 0;
      value = (value >> 1) | (in << (bits - 1));
      carry = out;
    }
  }
  const bool top = top_bit(value, size) != 0;
  const bool overflow = left ? top != carry : top != (((value >> (bits - 2)) & 1) != 0);
  set_carry_overflow(flags, carry, overflow);
  return value;
}

}  // namespace

std::uint64_t shift_value(Operation operation, std::uint64_t value, std::uint64_t count,
                          unsigned size, std::uint32_t& flags) {
  const unsigned bits = 8 * size;
  const auto by = static_cast<unsigned>(count & (size == 8 ? 63 : 31));
  if (by == 0) return value;
  std::uint64_t result = 0;
  bool carry = false;
  bool overflow = false;
  switch (operation) {
    case Operation::shl:
      result = (value << by) & value_mask(size);
      carry = by <= bits && ((value >> (bits - by)) & 1) != 0;
      overflow = (top_bit(result, size) != 0) != carry;
      break;
    case Operation::shr:
      result = value >> by;
      carry = ((value >> (by - 1)) & 1) != 0;
      overflow = top_bit(value, size) != 0;
      break;
    case Operation::sar: {
      const auto wide = static_cast<std::int64_t>(sign_extend(value, size));
      result = static_cast<std::uint64_t>(wide >> by) & value_mask(size);
      carry = ((wide >> (by - 1)) & 1) != 0;
      break;
    }
    default:
      return rotate(operation, value, by, size, flags);
  }
  set_status(flags, result_flags(result, size) | flag_if(carry, kCarryFlag) |
                        flag_if(overflow, kOverflowFlag));
  return result;
}

std::uint64_t shift_double(bool left, std::uint64_t value, std::uint64_t filler,
                           std::uint64_t count, unsigned size, std::uint32_t& flags) {
  const unsigned bits = 8 * size;
  auto by = static_cast<unsigned>(count & (size == 8 ? 63 : 31));
  if (by == 0) return value;
  if (by > bits) by = bits;  // 16 bits only: the manual leaves the result undefined
  std::uint64_t result = 0;
  bool carry = false;
  if (left) {
    result = ((by == 64 ? 0 : value << by) | (filler >> (bits - by))) & value_mask(size);
    carry = ((value >> (bits - by)) & 1) != 0;
  } else {
    result = ((value >> by) | (filler << (bits - by))) & value_mask(size);
    carry = ((value >> (by - 1)) & 1) != 0;
  }
  const bool overflow = top_bit(result, size) != top_bit(value, size);
  set_status(flags, result_flags(result, size) | flag_if(carry, kCarryFlag) |
                        flag_if(overflow, kOverflowFlag));
  return result;
}

}  // namespace doppel
