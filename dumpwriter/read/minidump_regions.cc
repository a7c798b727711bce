// SPDX-License-Identifier: Apache-2.0
#include <llvm/BinaryFormat/Minidump.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include <dumpwriter/read/minidump_maps.h>
#include <dumpwriter/read/minidump_memory.h>
#include <dumpwriter/read/minidump_regions.h>

namespace doppel {

namespace {

using llvm::minidump::StreamType;
using llvm::support::ulittle32_t;
using llvm::support::ulittle64_t;

std::uint32_t number(StreamType type) {
  return static_cast<std::uint32_t>(type);
}

std::string to_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The pages that stretches lie in, sorted and joined.
std::vector<AddressRange> whole_pages(const std::vector<Stretch>& stretches) {
  constexpr std::uint64_t kPage = 4096;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> pages;  // first and last
  for (const Stretch& each : stretches) {
    const std::uint64_t begin = each.range.begin.value;
    pages.emplace_back(begin / kPage, (begin + (each.range.size - 1)) / kPage);
  }
  std::sort(pages.begin(), pages.end());
  std::vector<AddressRange> ranges;
  std::uint64_t last = 0;
  for (const auto& [first, end] : pages) {
    if (!ranges.empty() && first <= last + 1) {
      last = std::max(last, end);
    } else {
      ranges.push_back({{first * kPage}, 0});
      last = end;
    }
    ranges.back().size = (last + 1) * kPage - ranges.back().begin.value;
  }
  return ranges;
}

std::optional<Region> region_of(const llvm::minidump::MemoryInfo& info,
                                const std::vector<Module>& modules, bool windows) {
  constexpr std::uint32_t kFree = 0x10000;
  constexpr std::uint32_t kCommit = 0x1000;
  const auto raw = [](auto value) { return static_cast<std::uint32_t>(value); };
  const llvm::minidump::MemoryState state = info.State;
  const llvm::minidump::MemoryProtection protect = info.Protect;
  const llvm::minidump::MemoryProtection first_protect = info.AllocationProtect;
  const llvm::minidump::MemoryType type = info.Type;
  if (raw(state) == kFree) return std::nullopt;
  Region region;
  region.range = {{info.BaseAddress}, info.RegionSize};
  // PAGE_READONLY 2, READWRITE 4, WRITECOPY 8, EXECUTE 10, and the same with EXECUTE.
  const bool committed = raw(state) == kCommit;
  region.access.read = committed && (raw(protect) & 0xee) != 0;
  region.access.write = committed && (raw(protect) & 0xcc) != 0;
  region.access.execute = committed && (raw(protect) & 0xf0) != 0;
  if (windows) {
    region.windows = WindowsRegion{.allocation_base = {info.AllocationBase},
                                   .allocation_protect = raw(first_protect),
                                   .state = raw(state),
                                   .protect = raw(protect),
                                   .type = raw(type)};
    const auto module = std::lower_bound(
        modules.begin(), modules.end(), info.AllocationBase,
        [](const Module& each, std::uint64_t base) { return each.range.begin.value < base; });
    if (module != modules.end() && module->range.begin.value == info.AllocationBase) {
      region.backing = Backing::file;
      region.path = module->path;
    }
  }
  return region;
}

std::vector<Region> memory_info_regions(MinidumpFile& file, const std::vector<Module>& modules,
                                        bool windows) {
  using llvm::minidump::MemoryInfo;
  const auto stream = file.stream(number(StreamType::MemoryInfoList));
  StreamCursor cursor(stream);
  const std::uint32_t header = cursor.take<ulittle32_t>();
  const std::uint32_t entry = cursor.take<ulittle32_t>();
  const std::uint64_t count = cursor.take<ulittle64_t>();
  std::vector<Region> regions;
  constexpr std::uint32_t kHeader = 16;
  if (header < kHeader || entry < sizeof(MemoryInfo)) return regions;
  cursor.skip(header - kHeader);
  for (std::uint64_t i = 0; i < count && cursor.has(entry); ++i) {
    const auto info = StreamCursor(cursor.take_bytes(entry)).take<MemoryInfo>();
    if (auto region = region_of(info, modules, windows)) regions.push_back(std::move(*region));
  }
  return regions;
}

}  // namespace

std::vector<Region> read_minidump_regions(MinidumpFile& file, const std::vector<Module>& modules,
                                          bool windows) {
  std::vector<Region> regions;
  if (!windows) {
    regions = parse_maps_text(to_text(file.stream(number(StreamType::LinuxMaps))));
  }
  if (regions.empty()) regions = memory_info_regions(file, modules, windows);
  if (regions.empty()) {
    for (const AddressRange& range : whole_pages(read_minidump_memory(file))) {
      Region region;
      region.range = range;
      region.access = {.read = true, .write = true, .execute = false};
      regions.push_back(std::move(region));
    }
  }
  std::stable_sort(regions.begin(), regions.end(),
                   [](const Region& a, const Region& b) { return a.range.begin < b.range.begin; });
  std::vector<Region> apart;
  for (Region& region : regions) {
    const std::uint64_t begin = region.range.begin.value;
    const std::uint64_t size = region.range.size;
    if (size == 0 || begin + (size - 1) < begin) continue;
    if (!apart.empty()) {
      const AddressRange& last = apart.back().range;
      if (last.begin.value + (last.size - 1) >= begin) continue;
    }
    apart.push_back(std::move(region));
  }
  return apart;
}

}  // namespace doppel
