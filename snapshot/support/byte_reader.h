// SPDX-License-Identifier: Apache-2.0
//
// The one cursor for bytes that may be hostile. Every step is bounds-checked, no step moves the
// cursor when it fails, and nothing is copied but the value asked for. It knows no format.
#ifndef DOPPEL_SNAPSHOT_SUPPORT_BYTE_READER_H_
#define DOPPEL_SNAPSHOT_SUPPORT_BYTE_READER_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

#include <snapshot/support/result.h>

namespace doppel {

/// Reads from a span that must outlive it. Failures are Errc::malformed; their subject is the
/// offset.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  /// Bytes from the start.
  std::uint64_t position() const { return position_; }

  /// Bytes to the end.
  std::uint64_t remaining() const { return bytes_.size() - position_; }

  /// The next `count` bytes, as a view.
  Result<std::span<const std::byte>> take(std::uint64_t count);

  /// A plain value in the machine's byte order; records of ul16, ul32 and ul64 have the file's.
  template <class T>
    requires std::is_trivially_copyable_v<T> && std::is_default_constructible_v<T>
  Result<T> read() {
    const std::span<const std::byte> from = DOPPEL_TRY(take(sizeof(T)));
    T value;
    std::memcpy(&value, from.data(), sizeof(T));
    return value;
  }

  /// Characters up to a zero byte, which is passed over and not returned.
  Result<std::string_view> read_string();

  Result<> skip(std::uint64_t count);

  /// Moves forward to a multiple of `alignment` (a power of two), counted from the start.
  Result<> align(std::uint64_t alignment);

  /// Moves to `position`, counted from the start; the end itself is allowed.
  Result<> seek(std::uint64_t position);

 private:
  std::span<const std::byte> bytes_;
  std::size_t position_ = 0;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_SUPPORT_BYTE_READER_H_
