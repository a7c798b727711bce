// SPDX-License-Identifier: Apache-2.0
#ifndef DOPPEL_TESTS_UNIT_DUMPWRITER_READ_BYTES_SOURCE_H_
#define DOPPEL_TESTS_UNIT_DUMPWRITER_READ_BYTES_SOURCE_H_

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>
#include <vector>

#include <dumpwriter/read/byte_source.h>

namespace doppel::test {

/// Bytes of the test's own; counts what is read.
class BytesSource final : public ByteSource {
 public:
  explicit BytesSource(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}

  std::uint64_t size() const override { return bytes_.size(); }

  Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> to) const override {
    if (offset >= bytes_.size()) return 0;
    const std::size_t count = std::min<std::uint64_t>(to.size(), bytes_.size() - offset);
    std::memcpy(to.data(), bytes_.data() + offset, count);
    bytes_read += count;
    return count;
  }

  mutable std::atomic<std::uint64_t> bytes_read = 0;

 private:
  const std::vector<std::byte> bytes_;
};

}  // namespace doppel::test

#endif  // DOPPEL_TESTS_UNIT_DUMPWRITER_READ_BYTES_SOURCE_H_
