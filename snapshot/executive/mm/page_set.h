// SPDX-License-Identifier: Apache-2.0
//
// A set of page numbers kept as runs: a reserved section may be terabytes wide, and what is
// committed of it is a few stretches. It knows nothing of memory.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_MM_PAGE_SET_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_MM_PAGE_SET_H_

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>

namespace doppel {

class PageSet {
 public:
  bool contains(std::uint64_t page) const {
    const auto at = runs_.upper_bound(page);
    return at != runs_.begin() && std::prev(at)->second > page;
  }

  /// How many of [first, first + count) are members.
  std::uint64_t count(std::uint64_t first, std::uint64_t count) const {
    std::uint64_t pages = 0;
    const std::uint64_t last = first + count;
    auto at = runs_.upper_bound(first);
    if (at != runs_.begin()) --at;
    for (; at != runs_.end() && at->first < last; ++at) {
      const std::uint64_t begin = std::max(at->first, first);
      const std::uint64_t end = std::min(at->second, last);
      if (begin < end) pages += end - begin;
    }
    return pages;
  }

  /// Adds [first, first + count) and joins what touches.
  void add(std::uint64_t first, std::uint64_t count) {
    if (count == 0) return;
    std::uint64_t last = first + count;
    auto at = runs_.upper_bound(first);
    if (at != runs_.begin() && std::prev(at)->second >= first) --at;
    while (at != runs_.end() && at->first <= last) {
      first = std::min(first, at->first);
      last = std::max(last, at->second);
      at = runs_.erase(at);
    }
    runs_.emplace(first, last);
  }

  /// The first page after `page` whose membership may differ from that of `page`; ~0 for none.
  std::uint64_t change_after(std::uint64_t page) const {
    const auto at = runs_.upper_bound(page);
    if (at != runs_.begin() && std::prev(at)->second > page) return std::prev(at)->second;
    return at == runs_.end() ? ~std::uint64_t{0} : at->first;
  }

 private:
  std::map<std::uint64_t, std::uint64_t> runs_;  ///< first page -> one past the last
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_MM_PAGE_SET_H_
