// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include <dumpwriter/sink/sink.h>

namespace doppel {

Result<> Sink::write_zeros(std::uint64_t count) {
  static constexpr std::array<std::byte, 64 << 10> kZeros{};
  while (count > 0) {
    const std::size_t part = std::min<std::uint64_t>(count, kZeros.size());
    DOPPEL_TRY(write(std::span(kZeros).first(part)));
    count -= part;
  }
  return {};
}

}  // namespace doppel
