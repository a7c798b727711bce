// SPDX-License-Identifier: Apache-2.0
#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>

#include <snapshot/linux/pagemap.h>

namespace doppel {
namespace {

constexpr std::uint64_t kPage = 4096;

// include/uapi/linux/fs.h; Debian 12's headers do not have them yet.
struct PageRegion {
  std::uint64_t start, end, categories;
};

struct ScanArgument {
  std::uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
  std::uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

constexpr unsigned long kPagemapScan = _IOWR('f', 16, ScanArgument);
constexpr std::uint64_t kPresent = 1u << 3;
constexpr std::uint64_t kSwapped = 1u << 4;
constexpr std::uint64_t kGuard = 1u << 8;  // since 6.16; before, guard pages look like swapped ones

// Documentation/admin-guide/mm/pagemap.rst
constexpr std::uint64_t kEntryPresent = 1ull << 63;
constexpr std::uint64_t kEntrySwapped = 1ull << 62;
constexpr std::uint64_t kEntryGuard = 1ull << 58;  // since 6.15

void append(std::vector<PageRun>& runs, AddressRange range, PageRun::Kind kind) {
  if (!runs.empty() && runs.back().kind == kind && runs.back().range.end() == range.begin.value) {
    runs.back().range.size += range.size;
  } else {
    runs.push_back({range, kind});
  }
}

/// Errc::unsupported: no such ioctl, or not with these categories.
Result<std::vector<PageRun>> scan_by_ioctl(Sys& sys, int fd, AddressRange within,
                                           std::uint64_t categories) {
  std::vector<PageRun> runs;
  constexpr std::size_t kRegions = 512;
  std::array<PageRegion, kRegions> regions;
  std::uint64_t at = within.begin.value;
  while (at < within.end()) {
    ScanArgument argument{};
    argument.size = sizeof argument;
    argument.start = at;
    argument.end = within.end();
    argument.vec = reinterpret_cast<std::uint64_t>(regions.data());
    argument.vec_len = regions.size();
    argument.category_anyof_mask = categories;
    argument.return_mask = categories;
    const long count = sys.ioctl(fd, kPagemapScan, &argument);
    if (count == -ENOTTY || count == -EINVAL || count == -ENOSYS) {
      return fail(Errc::unsupported, "scan page map", {}, static_cast<int>(-count));
    }
    if (count == -EINTR) continue;
    DOPPEL_TRY(check(count, "scan page map"));
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      const PageRegion& region = regions[i];
      const PageRun::Kind kind = (region.categories & kPresent) != 0 ? PageRun::Kind::present
                                 : (region.categories & kGuard) != 0 ? PageRun::Kind::guard
                                                                     : PageRun::Kind::swapped;
      append(runs, {{region.start}, region.end - region.start}, kind);
    }
    if (argument.walk_end <= at) break;
    at = argument.walk_end;
  }
  return runs;
}

Result<std::vector<PageRun>> scan_by_entries(Sys& sys, int fd, AddressRange within) {
  std::vector<PageRun> runs;
  // No larger than the range: a process of 70 000 small mappings comes here 70 000 times.
  const std::size_t most = std::min<std::uint64_t>(within.size / kPage, 64 * 1024);
  const auto entries = std::make_unique_for_overwrite<std::uint64_t[]>(most);
  std::uint64_t at = within.begin.value;
  while (at < within.end()) {
    const std::uint64_t wanted = std::min<std::uint64_t>((within.end() - at) / kPage, most);
    const long size = sys.pread(fd, entries.get(), wanted * 8, at / kPage * 8);
    if (size == -EINTR) continue;
    DOPPEL_TRY(check(size, "read page map"));
    if (size < 8) break;
    for (std::size_t i = 0; i < static_cast<std::size_t>(size) / 8; ++i, at += kPage) {
      const std::uint64_t entry = entries[i];
      if ((entry & (kEntryPresent | kEntrySwapped | kEntryGuard)) == 0) continue;
      append(runs, {{at}, kPage},
             (entry & kEntryPresent) != 0 ? PageRun::Kind::present
             : (entry & kEntryGuard) != 0 ? PageRun::Kind::guard
                                          : PageRun::Kind::swapped);
    }
  }
  return runs;
}

}  // namespace

Result<std::vector<PageRun>> scan_pagemap(Sys& sys, int pagemap_fd, AddressRange within) {
  for (const std::uint64_t categories : {kPresent | kSwapped | kGuard, kPresent | kSwapped}) {
    Result<std::vector<PageRun>> runs = scan_by_ioctl(sys, pagemap_fd, within, categories);
    if (runs || runs.error().code != Errc::unsupported) return runs;
  }
  return scan_by_entries(sys, pagemap_fd, within);
}

}  // namespace doppel
