// SPDX-License-Identifier: Apache-2.0
//
// The bytes of a dump before any compression, at any offset. A plain file, a compressed one and a
// test's bytes all stand behind it; it must not know what the bytes mean.
#ifndef DOPPEL_DUMPWRITER_READ_BYTE_SOURCE_H_
#define DOPPEL_DUMPWRITER_READ_BYTE_SOURCE_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include <snapshot/support/result.h>

namespace doppel {

/// Safe to call from several threads at once.
class ByteSource {
 public:
  ByteSource() = default;
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;
  virtual ~ByteSource() = default;

  virtual std::uint64_t size() const = 0;
  /// Fills `to` from `offset` on and returns how many bytes there were: fewer than asked only at
  /// the end. Errc::malformed where the file does not hold what it says.
  virtual Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> to) const = 0;

  /// All of `to`, or Errc::malformed when the source ends before.
  Result<> read_all(std::uint64_t offset, std::span<std::byte> to) const {
    const std::size_t count = DOPPEL_TRY(read(offset, to));
    if (count != to.size()) return fail(Errc::malformed, "read dump: it ends early");
    return {};
  }
};

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_READ_BYTE_SOURCE_H_
