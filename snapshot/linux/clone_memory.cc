// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <snapshot/linux/clone_memory.h>
#include <snapshot/linux/pagemap.h>

namespace doppel {
namespace {

constexpr std::uint64_t kPage = 4096;

void append(std::vector<Extent>& extents, AddressRange range, Extent::Kind kind) {
  if (range.size == 0) return;
  if (!extents.empty() && extents.back().kind == kind &&
      extents.back().range.end() == range.begin.value) {
    extents.back().range.size += range.size;
  } else {
    extents.push_back({range, kind});
  }
}

AddressRange intersect(AddressRange a, AddressRange b) {
  const std::uint64_t begin = std::max(a.begin.value, b.begin.value);
  const std::uint64_t end = std::min(a.end(), b.end());
  return {{begin}, end > begin ? end - begin : 0};
}

AddressRange between(std::uint64_t begin, std::uint64_t end) {
  return {{begin}, end - begin};
}

}  // namespace

CloneMemory::CloneMemory(std::unique_ptr<LiveCapture> capture, std::vector<Part> parts,
                         std::function<void(const Result<>&)> ended)
    : capture_(std::move(capture)), parts_(std::move(parts)), ended_(std::move(ended)) {
  const std::span<CopyRecord> copies = capture_->arena.copy_records();
  const std::size_t count = capture_->arena.header().copy_count;
  copies_.assign(copies.begin(), copies.begin() + static_cast<std::ptrdiff_t>(count));
  std::erase_if(copies_, [](const CopyRecord& copy) { return copy.copied == 0; });
  std::sort(copies_.begin(), copies_.end(),
            [](const CopyRecord& a, const CopyRecord& b) { return a.range.begin < b.range.begin; });
}

CloneMemory::~CloneMemory() {
  Result<> result;
  if (capture_->tracer) result = capture_->tracer->finish();
  if (ended_) ended_(result);
}

const CloneMemory::Part* CloneMemory::part_of(Address address) const {
  auto after =
      std::upper_bound(parts_.begin(), parts_.end(), address,
                       [](Address a, const Part& part) { return a < part.region.range.begin; });
  if (after == parts_.begin()) return nullptr;
  const Part& part = *std::prev(after);
  return part.region.range.contains(address) ? &part : nullptr;
}

int CloneMemory::memory_fd(Source source) const {
  const CloneFiles& files = capture_->files();
  return source == Source::clone ? files.memory.get() : files.target_memory.get();
}

int CloneMemory::pagemap_fd(Source source) const {
  const CloneFiles& files = capture_->files();
  return source == Source::clone ? files.pagemap.get() : files.target_pagemap.get();
}

/// The copy that holds `address`, or null; `until` becomes the address up to which the answer
/// holds.
const CopyRecord* CloneMemory::copy_at(Address address, std::uint64_t* until) const {
  const auto next =
      std::upper_bound(copies_.begin(), copies_.end(), address,
                       [](Address a, const CopyRecord& copy) { return a < copy.range.begin; });
  *until = next == copies_.end() ? ~std::uint64_t{0} : next->range.begin.value;
  if (next == copies_.begin()) return nullptr;
  const CopyRecord& copy = *std::prev(next);
  const std::uint64_t end = copy.range.begin.value + copy.copied;
  if (address.value >= end) return nullptr;
  *until = end;
  return &copy;
}

/// How much of what was just read from the clone is still in it, without a gap from the start. Huge
/// pages can leave it (see survey_part()), and then the target writes to the very page that was
/// read: it leaves before that, so what is still there was read whole.
std::uint64_t CloneMemory::still_held(AddressRange read) const {
  const std::uint64_t begin = read.begin.value & ~(kPage - 1);
  const std::uint64_t end = (read.end() + kPage - 1) & ~(kPage - 1);
  const auto runs = scan_pagemap(capture_->sys, pagemap_fd(Source::clone), between(begin, end));
  std::uint64_t held = begin;
  for (const PageRun& run : runs.value_or(std::vector<PageRun>{})) {
    if (run.range.begin.value != held || run.kind != PageRun::Kind::present) break;
    held = run.range.end();
  }
  return held > read.begin.value ? std::min(held - read.begin.value, read.size) : 0;
}

Result<std::size_t> CloneMemory::read(Address from, std::span<std::byte> to) const {
  std::size_t filled = 0;
  while (filled < to.size()) {
    const Address at{from.value + filled};
    const Part* part = part_of(at);
    if (part == nullptr || part->source == Source::none) break;
    std::uint64_t until = 0;
    const CopyRecord* copy = copy_at(at, &until);
    const std::uint64_t end = std::min(until, part->region.range.end());
    const std::size_t size = std::min<std::uint64_t>(to.size() - filled, end - at.value);
    if (copy != nullptr) {
      std::memcpy(
          to.data() + filled,
          capture_->arena.copies().data() + copy->offset + (at.value - copy->range.begin.value),
          size);
      filled += size;
      continue;
    }
    const long got =
        capture_->sys.pread(memory_fd(part->source), to.data() + filled, size, at.value);
    if (got == -EINTR) continue;
    // 0: the address space itself is gone, so the process is (fs/proc/base.c, mem_rw).
    if (got == 0) return fail(Errc::gone, "read memory");
    if (got < 0) {
      if (got != -EIO && got != -EFAULT && filled == 0)
        return fail_errno(static_cast<int>(-got), "read memory");
      break;
    }
    std::uint64_t good = static_cast<std::uint64_t>(got);
    if (part->region.traits.huge_tlb && part->source == Source::clone) {
      good = still_held({at, good});
    }
    filled += good;
    if (good < static_cast<std::uint64_t>(got)) break;
  }
  if (filled == 0 && !to.empty()) return fail(Errc::unmapped, "read memory");
  return filled;
}

/// Page by page what can be read, by reading it.
void CloneMemory::probe(Source source, AddressRange range, std::vector<Extent>& extents) const {
  std::vector<std::byte> buffer(64 * kPage);
  std::uint64_t at = range.begin.value;
  while (at < range.end()) {
    const std::size_t size = std::min<std::uint64_t>(buffer.size(), range.end() - at);
    const long got = capture_->sys.pread(memory_fd(source), buffer.data(), size, at);
    if (got == -EINTR) continue;
    if (got > 0) {
      append(extents, {{at}, static_cast<std::uint64_t>(got)}, Extent::Kind::data);
      at += static_cast<std::uint64_t>(got);
    } else {
      append(extents, {{at}, kPage}, Extent::Kind::unreadable);
      at += kPage;
    }
  }
}

/// The same for pages of a file, of which a large range is not read: they are there up to the end
/// of the file. One that fails to be read nevertheless is noticed when it is written.
void CloneMemory::probe_file(Source source, AddressRange range,
                             std::vector<Extent>& extents) const {
  constexpr std::uint64_t kReadWhole = 1 << 20;
  if (range.size <= kReadWhole) return probe(source, range, extents);
  const auto readable = [&](std::uint64_t page) {
    std::byte byte{};
    long got = -EINTR;
    while (got == -EINTR) {
      got = capture_->sys.pread(memory_fd(source), &byte, 1, range.begin.value + page * kPage);
    }
    return got == 1;
  };
  std::uint64_t first = 0, last = range.size / kPage;  // the end of the file is in [first, last]
  if (readable(last - 1)) first = last;
  while (first < last) {
    const std::uint64_t middle = first + (last - first) / 2;
    if (readable(middle)) {
      first = middle + 1;
    } else {
      last = middle;
    }
  }
  const std::uint64_t end = range.begin.value + first * kPage;
  append(extents, between(range.begin.value, end), Extent::Kind::data);
  append(extents, between(end, range.end()), Extent::Kind::unreadable);
}

/// Shared memory is in nobody's page tables until it is used, and reading a hole of it would fill
/// the hole, in the target's memory. Its file tells where data stands; where that may not be
/// opened, the target's own page table tells what it used, and of the rest nothing is known.
Result<> CloneMemory::survey_shared(const Part& part, AddressRange within,
                                    std::vector<Extent>& extents) const {
  char name[64];
  std::snprintf(name, sizeof name, "map_files/%lx-%lx",
                static_cast<unsigned long>(part.region.range.begin.value),
                static_cast<unsigned long>(part.region.range.end()));
  Result<UniqueFd> file = capture_->target.open_file(name);
  // Reading a page that a userfaultfd has yet to provide would wait for its monitor.
  if (!file || part.region.traits.userfault) {
    const int pagemap = capture_->files().target_pagemap.get();
    const std::vector<PageRun> runs = DOPPEL_TRY(scan_pagemap(capture_->sys, pagemap, within));
    std::uint64_t at = within.begin.value;
    for (const PageRun& run : runs) {
      append(extents, between(at, run.range.begin.value), Extent::Kind::unreadable);
      probe(part.source, run.range, extents);
      at = run.range.end();
    }
    append(extents, between(at, within.end()), Extent::Kind::unreadable);
    return {};
  }
  // File offset of an address: address + shift.
  const std::uint64_t shift = part.region.file_offset - part.region.range.begin.value;
  struct stat info{};
  DOPPEL_TRY(check(capture_->sys.fstat(file->get(), &info), "measure shared memory"));
  const auto size = static_cast<std::uint64_t>(info.st_size);
  std::uint64_t at = within.begin.value;
  while (at < within.end()) {
    const long data =
        capture_->sys.lseek(file->get(), static_cast<std::int64_t>(at + shift), SEEK_DATA);
    if (data < 0) break;  // ENXIO: no data behind
    const long hole = capture_->sys.lseek(file->get(), data, SEEK_HOLE);
    if (hole < 0) break;
    const std::uint64_t begin = std::min(static_cast<std::uint64_t>(data) - shift, within.end());
    const std::uint64_t end = std::min(
        ((static_cast<std::uint64_t>(hole) - shift) + kPage - 1) & ~(kPage - 1), within.end());
    append(extents, between(at, begin), Extent::Kind::untouched);
    probe(part.source, between(begin, end), extents);
    at = end;
  }
  // Up to the end of the file there are only holes; behind it there is nothing, not even zeros.
  const std::uint64_t file_end =
      std::clamp(((size - shift) + kPage - 1) & ~(kPage - 1), at, within.end());
  append(extents, between(at, file_end), Extent::Kind::untouched);
  append(extents, between(file_end, within.end()), Extent::Kind::unreadable);
  return {};
}

Result<> CloneMemory::survey_part(const Part& part, AddressRange within,
                                  std::vector<Extent>& extents) const {
  const Region& region = part.region;
  if (part.source == Source::none || region.backing == Backing::device || region.traits.io ||
      region.traits.pfn_map || region.traits.secret) {
    append(extents, within, Extent::Kind::unreadable);
    return {};
  }
  if (region.backing == Backing::vdso || region.backing == Backing::vvar ||
      region.backing == Backing::vsyscall) {
    probe(part.source, within, extents);
    return {};
  }
  if (region.sharing == Sharing::shared) {
    if (region.backing == Backing::shared_memory) return survey_shared(part, within, extents);
    probe_file(part.source, within, extents);
    return {};
  }
  const bool empty = region.resident == 0 && region.swapped == 0 && !region.traits.huge_tlb &&
                     !region.traits.guard && part.source == Source::clone;
  // A page that is not there is zero, unless another has yet to provide it: then nobody knows.
  Extent::Kind absent =
      region.traits.userfault_missing ? Extent::Kind::unreadable : Extent::Kind::untouched;
  if (region.backing == Backing::anonymous && empty) {
    append(extents, within, absent);
    return {};
  }
  const std::vector<PageRun> runs =
      DOPPEL_TRY(scan_pagemap(capture_->sys, pagemap_fd(part.source), within));
  // Nor when huge pages have left the clone since: with the pool empty, the target's next write
  // takes a page away from it (mm/hugetlb.c, hugetlb_wp).
  if (region.traits.huge_tlb && part.source == Source::clone && within == region.range) {
    std::uint64_t present = 0;
    for (const PageRun& run : runs) present += run.range.size;
    if (present < region.resident) absent = Extent::Kind::unreadable;
  }
  std::uint64_t at = within.begin.value;
  const auto gap = [&](std::uint64_t end) {
    if (at >= end) return;
    if (region.backing == Backing::anonymous) {
      append(extents, between(at, end), absent);
    } else {
      probe_file(part.source, between(at, end), extents);
    }
  };
  for (const PageRun& run : runs) {
    gap(run.range.begin.value);
    switch (run.kind) {
      case PageRun::Kind::present:
        append(extents, run.range, Extent::Kind::data);
        break;
      case PageRun::Kind::swapped:
        // Before 6.15 a guard page looks like one in swap; only reading tells.
        probe(part.source, run.range, extents);
        break;
      case PageRun::Kind::guard:
        append(extents, run.range, Extent::Kind::unreadable);
        break;
    }
    at = run.range.end();
  }
  gap(within.end());
  return {};
}

Result<std::vector<Extent>> CloneMemory::survey(AddressRange within) const {
  std::vector<Extent> extents;
  std::uint64_t at = within.begin.value;
  while (at < within.end()) {
    const Part* part = part_of({at});
    if (part == nullptr) {
      const auto next = std::upper_bound(
          parts_.begin(), parts_.end(), Address{at},
          [](Address a, const Part& candidate) { return a < candidate.region.range.begin; });
      const std::uint64_t end = next == parts_.end()
                                    ? within.end()
                                    : std::min(within.end(), next->region.range.begin.value);
      append(extents, between(at, end), Extent::Kind::unreadable);
      at = end;
      continue;
    }
    std::uint64_t until = 0;
    const CopyRecord* copy = copy_at({at}, &until);
    const AddressRange piece =
        intersect(between(at, std::min(within.end(), until)), part->region.range);
    if (copy != nullptr) {
      append(extents, piece, Extent::Kind::data);
    } else {
      DOPPEL_TRY(survey_part(*part, piece, extents));
    }
    at = piece.end();
  }
  return extents;
}

void CloneMemory::release(AddressRange range) const {
  const bool cloned = capture_->tracer && capture_->tracer->clone() != 0;
  if (!cloned && !capture_->give_back) return;
  std::vector<AddressRange> ranges;
  for (std::uint64_t at = range.begin.value; at < range.end();) {
    const Part* part = part_of({at});
    if (part == nullptr) return;
    const AddressRange piece = intersect(between(at, range.end()), part->region.range);
    // Shared pages are nobody's copies; nothing is won by unmapping them.
    if (part->source == Source::clone && part->region.sharing == Sharing::private_copy &&
        part->region.backing != Backing::vdso) {
      ranges.push_back(piece);
    }
    at = piece.end();
  }
  const std::lock_guard lock(release_mutex_);
  if (cloned) {
    capture_->tracer->release(ranges);
  } else {
    capture_->give_back(ranges);
  }
}

}  // namespace doppel
