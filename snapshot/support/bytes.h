// SPDX-License-Identifier: Apache-2.0
//
// Bytes and the integers in them. On-disk records are plain structs of ul16, ul32 and ul64:
// little-endian whatever the machine, alignment 1, so sizeof is the size in the file and a record
// may lie at any offset.
#ifndef DOPPEL_SNAPSHOT_SUPPORT_BYTES_H_
#define DOPPEL_SNAPSHOT_SUPPORT_BYTES_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace doppel {

/// An integer as it lies in a file.
template <class T>
  requires std::is_unsigned_v<T>
class LittleEndian {
 public:
  LittleEndian() = default;

  LittleEndian(T value) { *this = value; }  // NOLINT(google-explicit-constructor): stands for a T

  LittleEndian& operator=(T value) {
    for (std::byte& byte : bytes_) {
      byte = static_cast<std::byte>(value & 0xff);
      value = static_cast<T>(value >> (sizeof(T) > 1 ? 8 : 0));
    }
    return *this;
  }

  operator T() const {  // NOLINT(google-explicit-constructor): stands for a T
    T value = 0;
    for (std::size_t i = sizeof(T); i-- > 0;) {
      value = static_cast<T>((value << (sizeof(T) > 1 ? 8 : 0)) | std::to_integer<T>(bytes_[i]));
    }
    return value;
  }

 private:
  std::array<std::byte, sizeof(T)> bytes_{};
};

using ul16 = LittleEndian<std::uint16_t>;
using ul32 = LittleEndian<std::uint32_t>;
using ul64 = LittleEndian<std::uint64_t>;

static_assert(sizeof(ul64) == 8 && alignof(ul64) == 1 && std::is_trivially_copyable_v<ul64>);

/// The bytes of a plain value, as long as the value lives. Not of an array: a literal is a text.
template <class T>
  requires(std::is_trivially_copyable_v<T> && !std::is_array_v<T> &&
           !std::is_convertible_v<T, std::string_view>)
std::span<const std::byte> bytes_of(const T& value) {
  return std::as_bytes(std::span<const T, 1>(&value, 1));
}

/// The characters of a text as bytes; no terminator.
inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// Bytes as characters; the caller knows that they are text.
inline std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline void append(std::vector<std::byte>& to, std::span<const std::byte> bytes) {
  to.insert(to.end(), bytes.begin(), bytes.end());
}

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_SUPPORT_BYTES_H_
