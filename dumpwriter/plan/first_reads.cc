// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include <dumpwriter/plan/first_reads.h>
#include <dumpwriter/plan/page.h>

namespace doppel {

namespace {

constexpr std::uint64_t kRedZone = 128;
constexpr std::uint64_t kStackReach = 256 * 1024;
constexpr std::uint64_t kNeighbourhood = 16 * 1024;

const Region* region_at(const std::vector<Region>& regions, std::uint64_t address) {
  auto after = std::upper_bound(
      regions.begin(), regions.end(), address,
      [](std::uint64_t value, const Region& region) { return value < region.range.begin.value; });
  if (after == regions.begin()) return nullptr;
  const Region& region = *(after - 1);
  return region.range.contains(Address{address}) ? &region : nullptr;
}

/// [low, low + size) cut to the region; sizes rather than ends, since a region may end at 2^64.
AddressRange clip(const Region& region, std::uint64_t low, std::uint64_t size) {
  const std::uint64_t begin = region.range.begin.value;
  if (low < begin) {
    size -= std::min(size, begin - low);
    low = begin;
  }
  return {.begin = Address{low}, .size = std::min(size, region.range.size - (low - begin))};
}

}  // namespace

std::vector<AddressRange> first_reads(const ProcessImage& image) {
  std::vector<AddressRange> ranges;
  for (const Thread& thread : image.threads) {
    const X86_64Registers& r = thread.registers.general;
    if (const Region* stack = region_at(image.regions, r.rsp)) {
      const std::uint64_t low = page_down(r.rsp - std::min(r.rsp, kRedZone));
      ranges.push_back(clip(*stack, low, kStackReach));
    }
    const std::array pointers = {r.rip, r.rsp, r.rbp, r.rax,     r.rbx,    r.rcx, r.rdx,
                                 r.rsi, r.rdi, r.r8,  r.r9,      r.r10,    r.r11, r.r12,
                                 r.r13, r.r14, r.r15, r.fs_base, r.gs_base};
    for (const std::uint64_t pointer : pointers) {
      const Region* region = region_at(image.regions, pointer);
      if (region == nullptr) continue;
      ranges.push_back(clip(*region, pointer & ~(kNeighbourhood - 1), kNeighbourhood));
    }
  }
  std::erase_if(ranges, [](const AddressRange& range) { return range.size == 0; });
  return sorted_union(std::move(ranges));
}

}  // namespace doppel
