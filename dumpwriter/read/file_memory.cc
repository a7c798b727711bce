// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <string>

#include <dumpwriter/read/file_memory.h>

namespace doppel {

namespace {

std::uint64_t last_of(const AddressRange& range) {
  return range.begin.value + (range.size - 1);
}

/// `stretch` from `skip` bytes on.
Stretch tail(const Stretch& stretch, std::uint64_t skip) {
  Stretch rest = stretch;
  rest.range.begin.value += skip;
  rest.range.size -= skip;
  rest.offset += skip;
  return rest;
}

}  // namespace

FileMemory::FileMemory(std::shared_ptr<const ByteSource> source, std::vector<Stretch> stretches)
    : source_(std::move(source)) {
  std::erase_if(stretches, [](const Stretch& each) {
    return each.range.size == 0 || last_of(each.range) < each.range.begin.value;
  });
  std::stable_sort(stretches.begin(), stretches.end(), [](const Stretch& a, const Stretch& b) {
    return a.range.begin < b.range.begin;
  });
  stretches_.reserve(stretches.size());
  for (const Stretch& each : stretches) {
    if (stretches_.empty() || last_of(stretches_.back().range) < each.range.begin.value) {
      stretches_.push_back(each);
      continue;
    }
    const std::uint64_t taken = last_of(stretches_.back().range);
    if (last_of(each.range) <= taken) continue;
    stretches_.push_back(tail(each, taken - each.range.begin.value + 1));
  }
}

const Stretch* FileMemory::find(std::uint64_t address) const {
  const auto after = std::upper_bound(
      stretches_.begin(), stretches_.end(), address,
      [](std::uint64_t at, const Stretch& each) { return at < each.range.begin.value; });
  if (after == stretches_.begin()) return nullptr;
  const Stretch& each = *std::prev(after);
  return each.range.contains({address}) ? &each : nullptr;
}

Result<std::size_t> FileMemory::read(Address from, std::span<std::byte> to) const {
  std::size_t done = 0;
  while (done < to.size()) {
    const std::uint64_t address = from.value + done;
    if (done > 0 && address == 0) break;  // the end of the address space
    const Stretch* const each = find(address);
    if (each == nullptr || each->kind == Extent::Kind::unreadable) break;
    const std::uint64_t skip = address - each->range.begin.value;
    const auto count = static_cast<std::size_t>(
        std::min<std::uint64_t>(each->range.size - skip, to.size() - done));
    if (each->kind == Extent::Kind::untouched) {
      std::memset(to.data() + done, 0, count);
    } else {
      const Result<> read = source_->read_all(each->offset + skip, to.subspan(done, count));
      if (!read && done == 0) return fail(read.error());
      if (!read) break;
    }
    done += count;
  }
  if (done == 0 && !to.empty()) {
    return fail(Errc::unmapped, "read memory of the dump", std::to_string(from.value));
  }
  return done;
}

Result<std::vector<Extent>> FileMemory::survey(AddressRange within) const {
  std::vector<Extent> extents;
  const auto add = [&extents](std::uint64_t begin, std::uint64_t size, Extent::Kind kind) {
    if (size == 0) return;
    if (!extents.empty() && extents.back().kind == kind) {
      extents.back().range.size += size;
    } else {
      extents.push_back({.range = {{begin}, size}, .kind = kind});
    }
  };
  if (within.size == 0) return extents;
  std::uint64_t done = 0;
  auto each = std::upper_bound(
      stretches_.begin(), stretches_.end(), within.begin.value,
      [](std::uint64_t at, const Stretch& stretch) { return at < stretch.range.begin.value; });
  if (each != stretches_.begin()) --each;
  for (; each != stretches_.end() && done < within.size; ++each) {
    const std::uint64_t at = within.begin.value + done;
    if (last_of(each->range) < at) continue;
    const std::uint64_t begin = std::max(each->range.begin.value, at);
    const std::uint64_t gap = begin - at;
    if (gap >= within.size - done) break;
    add(at, gap, Extent::Kind::unreadable);
    done += gap;
    const std::uint64_t size =
        std::min(each->range.size - (begin - each->range.begin.value), within.size - done);
    add(begin, size, each->kind);
    done += size;
  }
  add(within.begin.value + done, within.size - done, Extent::Kind::unreadable);
  return extents;
}

void FileMemory::forget(AddressRange range) {
  if (range.size == 0 || last_of(range) < range.begin.value) return;
  std::vector<Stretch> kept;
  kept.reserve(stretches_.size() + 2);
  for (const Stretch& each : stretches_) {
    const std::uint64_t first = each.range.begin.value;
    if (last_of(each.range) < range.begin.value || last_of(range) < first) {
      kept.push_back(each);
      continue;
    }
    if (first < range.begin.value) {
      kept.push_back(each);
      kept.back().range.size = range.begin.value - first;
    }
    if (last_of(range) < last_of(each.range)) {
      kept.push_back(tail(each, last_of(range) - first + 1));
    }
  }
  stretches_ = std::move(kept);
}

}  // namespace doppel
