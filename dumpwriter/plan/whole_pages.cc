// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <utility>

#include <dumpwriter/plan/page.h>
#include <dumpwriter/plan/whole_pages.h>

namespace doppel {

WholePages::WholePages(std::unique_ptr<const Memory> inner, const std::vector<Region>& regions)
    : inner_(std::move(inner)) {
  for (const Region& region : regions) {
    const Result<std::vector<Extent>> extents = inner_->survey(region.range);
    if (!extents) continue;
    for (const Extent& extent : *extents) {
      if (extent.kind != Extent::Kind::unreadable) continue;
      // The parts of it before its first and behind its last whole page.
      const std::uint64_t begin = extent.range.begin.value;
      const std::uint64_t size = extent.range.size;
      const std::uint64_t head = std::min((kPageSize - begin % kPageSize) % kPageSize, size);
      const std::uint64_t tail = std::min((begin + size) % kPageSize, size - head);
      if (head > 0) filled_.push_back({{begin}, head});
      if (tail > 0) filled_.push_back({{begin + size - tail}, tail});
    }
  }
}

Result<std::size_t> WholePages::read(Address from, std::span<std::byte> to) const {
  Result<std::size_t> count = inner_->read(from, to);
  if (count || count.error().code != Errc::unmapped) return count;
  const auto after =
      std::upper_bound(filled_.begin(), filled_.end(), from,
                       [](Address at, const AddressRange& range) { return at < range.begin; });
  if (after == filled_.begin() || !std::prev(after)->contains(from)) return count;
  const std::uint64_t left = std::prev(after)->end() - from.value;
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left, to.size()));
  std::memset(to.data(), 0, size);
  return size;
}

Result<std::vector<Extent>> WholePages::survey(AddressRange within) const {
  std::vector<Extent> extents = DOPPEL_TRY(inner_->survey(within));
  std::vector<Extent> whole;
  const auto add = [&](std::uint64_t begin, std::uint64_t size, Extent::Kind kind) {
    if (size == 0) return;
    if (!whole.empty() && whole.back().kind == kind) {
      whole.back().range.size += size;
    } else {
      whole.push_back({.range = {{begin}, size}, .kind = kind});
    }
  };
  for (const Extent& extent : extents) {
    std::uint64_t begin = extent.range.begin.value;
    std::uint64_t size = extent.range.size;
    if (extent.kind == Extent::Kind::unreadable) {
      const std::uint64_t head = std::min((kPageSize - begin % kPageSize) % kPageSize, size);
      const std::uint64_t tail = std::min((begin + size) % kPageSize, size - head);
      add(begin, head, Extent::Kind::data);
      add(begin + head, size - head - tail, extent.kind);
      add(begin + size - tail, tail, Extent::Kind::data);
      continue;
    }
    // Known zeros beside bytes in one page are bytes.
    const bool pages = begin % kPageSize == 0 && size % kPageSize == 0;
    add(begin, size, pages ? extent.kind : Extent::Kind::data);
  }
  return whole;
}

}  // namespace doppel
