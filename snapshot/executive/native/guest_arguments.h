// SPDX-License-Identifier: Apache-2.0
//
// Arguments of a native call in the memory of the guest that makes it: copied in and out through
// its page tables, with its own stack growing as for any of its accesses. Every pointer is tried
// before the call has an effect (probe), so that a bad one costs nothing. Layouts: phnt. It knows
// no service.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_NATIVE_GUEST_ARGUMENTS_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_NATIVE_GUEST_ARGUMENTS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <type_traits>

#include <snapshot/executive/mm/address_space.h>
#include <snapshot/executive/native/nt_api.h>
#include <snapshot/executive/nt_status.h>

namespace doppel {

/// The longest buffer that one call may pass; more is INVALID_PARAMETER with the services.
inline constexpr std::uint64_t kLongestBuffer = 16 << 20;

class GuestArguments {
 public:
  GuestArguments(AddressSpace& space, std::uint64_t teb) : space_(space), teb_(teb) {}

  /// All of `to`, or false.
  bool copy_in(std::uint64_t address, std::span<std::byte> to);
  /// Whether `size` bytes can be written; none always can.
  bool probe(std::uint64_t address, std::uint64_t size);
  /// Into what was probed; without effect where it has gone meanwhile.
  void copy_out(std::uint64_t address, std::span<const std::byte> from);

  template <typename T>
  bool get(std::uint64_t address, T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    return copy_in(address, std::as_writable_bytes(std::span(&value, 1)));
  }

  template <typename T>
  void put(std::uint64_t address, const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    copy_out(address, std::as_bytes(std::span(&value, 1)));
  }

  /// put() where there is a place for it: 0 is none.
  template <typename T>
  void put_if(std::uint64_t address, const T& value) {
    if (address != 0) put(address, value);
  }

  // The records below: ACCESS_VIOLATION for what cannot be read, else as said.

  /// UNICODE_STRING as UTF-8. An odd length: OBJECT_NAME_INVALID.
  NtStatus text(std::uint64_t address, std::string& value);
  /// 0 is an empty one. A wrong length: INVALID_PARAMETER; a security descriptor: NOT_SUPPORTED.
  NtStatus object_attributes(std::uint64_t address, ObjectAttributes& value);
  /// A pointer to 8 bytes; 0 is nothing.
  NtStatus optional_integer(std::uint64_t address, std::optional<std::int64_t>& value);
  /// RTL_USER_PROCESS_PARAMETERS, its pointers absolute or (flag 1 clear) relative to itself.
  NtStatus parameters(std::uint64_t address, ProcessParameters& value);
  /// PS_ATTRIBUTE_LIST; what is wrong with it is said in `malformed`. 0 is an empty one.
  NtStatus attributes(std::uint64_t address, UserProcessAttributes& value);
  /// Where the attributes of that list want their answers.
  NtStatus answer(std::uint64_t address, const UserProcessAttributes& value, bool only_probe);

 private:
  NtStatus utf16(std::uint64_t address, std::uint64_t bytes, std::string& value);

  AddressSpace& space_;
  std::uint64_t teb_;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_NATIVE_GUEST_ARGUMENTS_H_
