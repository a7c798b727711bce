// SPDX-License-Identifier: Apache-2.0
//
// An address in the target. It cannot be dereferenced here; that is the point.
#ifndef DOPPEL_SNAPSHOT_MODEL_ADDRESS_H_
#define DOPPEL_SNAPSHOT_MODEL_ADDRESS_H_

#include <compare>
#include <cstdint>

namespace doppel {

struct Address {
  std::uint64_t value = 0;
  auto operator<=>(const Address&) const = default;
};

/// `size`, not an end: the last page of the address space needs no special case in storage.
struct AddressRange {
  Address begin;
  std::uint64_t size = 0;

  /// One past the last byte; wraps to 0 only for a range that ends at 2^64.
  std::uint64_t end() const { return begin.value + size; }

  bool contains(Address address) const { return address.value - begin.value < size; }

  auto operator<=>(const AddressRange&) const = default;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_MODEL_ADDRESS_H_
