// SPDX-License-Identifier: Apache-2.0
//
// Arithmetic on sizes and offsets that came from somewhere else. A sum that would wrap is a
// failure (Errc::malformed), not a small number: no length field of a hostile file may get past
// here.
#ifndef DOPPEL_SNAPSHOT_SUPPORT_CHECKED_MATH_H_
#define DOPPEL_SNAPSHOT_SUPPORT_CHECKED_MATH_H_

#include <cassert>
#include <cstdint>

#include <snapshot/support/result.h>

namespace doppel {

/// a + b; Errc::malformed when it does not fit 64 bits.
inline Result<std::uint64_t> checked_add(std::uint64_t a, std::uint64_t b) {
  std::uint64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) return fail(Errc::malformed, "add sizes");
  return sum;
}

/// a - b; Errc::malformed when b is larger.
inline Result<std::uint64_t> checked_sub(std::uint64_t a, std::uint64_t b) {
  if (b > a) return fail(Errc::malformed, "subtract sizes");
  return a - b;
}

/// a * b; Errc::malformed when it does not fit 64 bits.
inline Result<std::uint64_t> checked_mul(std::uint64_t a, std::uint64_t b) {
  std::uint64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) return fail(Errc::malformed, "multiply sizes");
  return product;
}

/// The next multiple of `alignment` (a power of two) at or after `value`; Errc::malformed when it
/// does not fit 64 bits.
inline Result<std::uint64_t> checked_align_up(std::uint64_t value, std::uint64_t alignment) {
  assert(alignment != 0 && (alignment & (alignment - 1)) == 0);
  std::uint64_t sum = 0;
  if (__builtin_add_overflow(value, alignment - 1, &sum)) {
    return fail(Errc::malformed, "align size");
  }
  return sum & ~(alignment - 1);
}

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_SUPPORT_CHECKED_MATH_H_
