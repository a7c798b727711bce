// SPDX-License-Identifier: Apache-2.0
#include <cpuid.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include <snapshot/linux/xsave_area.h>

namespace doppel {
namespace {

// Intel SDM volume 1, chapter 13.
constexpr std::size_t kMaskOffset = 464;     // the kernel's: components that the area has room for
constexpr std::size_t kInUseOffset = 512;    // XSTATE_BV: components not in their initial state
constexpr std::size_t kCompactOffset = 520;  // XCOMP_BV: not 0 in another layout
constexpr std::size_t kLegacySize = 576;
constexpr std::uint64_t kTiles = (1ull << 17) | (1ull << 18);

std::uint64_t word_at(std::span<const std::byte> area, std::size_t offset) {
  std::uint64_t word = 0;
  std::memcpy(&word, area.data() + offset, sizeof word);
  return word;
}

}  // namespace

std::vector<std::byte> without_unused_tiles(std::span<const std::byte> area) {
  std::vector<std::byte> whole(area.begin(), area.end());
  if (area.size() < kLegacySize) return whole;
  const std::uint64_t mask = word_at(area, kMaskOffset);
  const bool can_be_cut = (mask & kTiles) != 0 && (word_at(area, kInUseOffset) & kTiles) == 0 &&
                          word_at(area, kCompactOffset) == 0;
  if (!can_be_cut) return whole;
  std::size_t end = kLegacySize;
  for (unsigned component = 2; component < 17; ++component) {
    if ((mask & (1ull << component)) == 0) continue;
    unsigned size = 0, offset = 0, c = 0, d = 0;
    if (__get_cpuid_count(0xd, component, &size, &offset, &c, &d) == 0) return whole;
    end = std::max<std::size_t>(end, std::size_t{offset} + size);
  }
  if (end >= whole.size()) return whole;
  whole.resize(end);
  const std::uint64_t rest = mask & ~kTiles;
  std::memcpy(whole.data() + kMaskOffset, &rest, sizeof rest);
  return whole;
}

}  // namespace doppel
