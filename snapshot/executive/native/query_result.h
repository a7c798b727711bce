// SPDX-License-Identifier: Apache-2.0
//
// How queries answer: a value, bytes, or a counted string behind its UNICODE_STRING. The buffer's
// length is the caller's business where a class has a fixed one.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_NATIVE_QUERY_RESULT_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_NATIVE_QUERY_RESULT_H_

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include <snapshot/executive/nt_status.h>
#include <snapshot/executive/ps/process_parameters.h>

namespace doppel {

inline constexpr std::size_t kUnicodeStringSize = 16;

/// INFO_LENGTH_MISMATCH when `to` is too short; `length` says what is needed either way.
template <std::integral Length>
NtStatus answer_bytes(std::span<const std::byte> bytes, std::span<std::byte> to, Length& length) {
  length = static_cast<Length>(bytes.size());
  if (to.size() < bytes.size()) return status::info_length_mismatch;
  std::ranges::copy(bytes, to.begin());
  return status::success;
}

template <typename T, std::integral Length>
  requires std::is_trivially_copyable_v<T>
NtStatus answer(const T& value, std::span<std::byte> to, Length& length) {
  return answer_bytes(std::as_bytes(std::span(&value, 1)), to, length);
}

/// A UNICODE_STRING with its text behind it. Its pointer is the text's offset in the answer: who
/// knows where the answer lies makes it an address (native/dispatch.cc).
inline std::vector<std::byte> counted_string(std::string_view text) {
  const std::u16string wide = utf16_of(text);
  std::vector<std::byte> bytes(kUnicodeStringSize + (wide.size() + 1) * 2);
  const std::uint16_t size = static_cast<std::uint16_t>(wide.size() * 2);
  const std::uint16_t capacity = static_cast<std::uint16_t>(size + 2);
  const std::uint64_t at = kUnicodeStringSize;
  std::memcpy(bytes.data(), &size, 2);
  std::memcpy(bytes.data() + 2, &capacity, 2);
  std::memcpy(bytes.data() + 8, &at, 8);
  std::memcpy(bytes.data() + kUnicodeStringSize, wide.data(), wide.size() * 2);
  return bytes;
}

template <std::integral Length>
NtStatus answer_string(std::string_view text, std::span<std::byte> to, Length& length) {
  return answer_bytes(counted_string(text), to, length);
}

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_NATIVE_QUERY_RESULT_H_
