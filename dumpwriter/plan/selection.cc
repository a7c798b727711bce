// SPDX-License-Identifier: Apache-2.0
//
// Three steps per region: the filter says whether it is wanted, the survey says what of it can be
// had, and the list of first reads says what of that is poured first. What is not had becomes an
// Omission and no segment at all: a program header without bytes is read as zeros by gdb.
#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <dumpwriter/plan/dump_filter.h>
#include <dumpwriter/plan/elf_landmarks.h>
#include <dumpwriter/plan/first_reads.h>
#include <dumpwriter/plan/page.h>
#include <dumpwriter/plan/selection.h>

namespace doppel {

namespace {

/// Stretches up to this size are poured whole if any of them is: lldb does not read across the
/// border of two program headers whose bytes do not follow each other in the file.
constexpr std::uint64_t kWhole = 2 << 20;

std::uint64_t distance(Address from, Address to) {
  return to.value - from.value;
}

AddressRange part(const AddressRange& range, std::uint64_t from, std::uint64_t size) {
  return {.begin = Address{range.begin.value + from}, .size = size};
}

/// Calls `use(range, inside)` for the alternating parts of `range` outside and inside `marks`,
/// which are sorted and disjoint, in address order.
template <class Use>
void divide(const AddressRange& range, const std::vector<AddressRange>& marks, Use use) {
  auto mark = std::partition_point(marks.begin(), marks.end(), [&](const AddressRange& each) {
    return each.begin.value + (each.size - 1) < range.begin.value;
  });
  std::uint64_t at = 0;
  for (; mark != marks.end() && at < range.size; ++mark) {
    std::uint64_t size = mark->size;
    std::uint64_t low = 0;
    if (mark->begin < range.begin) {
      size -= distance(mark->begin, range.begin);
    } else {
      low = distance(range.begin, mark->begin);
    }
    if (low >= range.size) break;
    size = std::min(size, range.size - low);
    if (low > at) use(part(range, at, low - at), false);
    use(part(range, low, size), true);
    at = low + size;
  }
  if (at < range.size) use(part(range, at, range.size - at), false);
}

/// The extents within `range`, cut to it. `extents` are sorted and cover `range`.
std::vector<Extent> cut(const std::vector<Extent>& extents, const AddressRange& range) {
  std::vector<Extent> pieces;
  auto each = std::partition_point(extents.begin(), extents.end(), [&](const Extent& extent) {
    return extent.range.begin.value + (extent.range.size - 1) < range.begin.value;
  });
  std::uint64_t at = 0;
  for (; each != extents.end() && at < range.size; ++each) {
    const std::uint64_t left =
        each->range.size - distance(each->range.begin, part(range, at, 0).begin);
    const std::uint64_t size = std::min(left, range.size - at);
    pieces.push_back({.range = part(range, at, size), .kind = each->kind});
    at += size;
  }
  return pieces;
}

/// Sorted, without holes or overlaps, joined where neighbours are of one kind; what the survey did
/// not speak of counts as unreadable.
std::vector<Extent> normalise(const std::vector<Extent>& extents, const AddressRange& range,
                              bool untouched_is_zero) {
  std::vector<Extent> whole;
  std::uint64_t at = 0;
  const auto add = [&](std::uint64_t size, Extent::Kind kind) {
    if (size == 0) return;
    if (!whole.empty() && whole.back().kind == kind) {
      whole.back().range.size += size;
    } else {
      whole.push_back({.range = part(range, at, size), .kind = kind});
    }
    at += size;
  };
  for (const Extent& extent : extents) {
    const std::uint64_t low = distance(range.begin, extent.range.begin);
    if (extent.range.begin < range.begin || low < at || low >= range.size) continue;
    add(low - at, Extent::Kind::unreadable);
    const bool zero = extent.kind == Extent::Kind::untouched && untouched_is_zero;
    const bool known = extent.kind != Extent::Kind::untouched || zero;
    add(std::min(extent.range.size, range.size - low), known ? extent.kind : Extent::Kind::data);
  }
  add(range.size - at, Extent::Kind::unreadable);
  return whole;
}

/// Memory that the image itself says it does not hold. What a memory shows there is not the
/// process's.
std::vector<AddressRange> missing_of(const ProcessImage& image) {
  std::vector<AddressRange> ranges;
  for (const Omission& omission : image.omissions) {
    if (omission.what == "memory" && omission.range.size > 0) ranges.push_back(omission.range);
  }
  return sorted_union(std::move(ranges));
}

class Selector {
 public:
  Selector(const ProcessImage& image, const Memory& memory, const SelectionPolicy& policy)
      : image_(image),
        memory_(memory),
        policy_(policy),
        first_(first_reads(image)),
        missing_(missing_of(image)) {}

  Result<Selection> run() {
    const std::uint64_t filter = policy_.filter.value_or(image_.process.coredump_filter);
    for (const Region& region : image_.regions) {
      verdicts_.push_back(judge(region, filter, policy_.omit_shared));
      if (!verdicts_.back().landmarks || policy_.held) continue;
      const std::vector<AddressRange> more = elf_landmarks(region, memory_);
      landmarks_.insert(landmarks_.end(), more.begin(), more.end());
    }
    landmarks_ = sorted_union(std::move(landmarks_));
    for (std::size_t index = 0; index < image_.regions.size(); ++index) take(index);
    if (surveyed_ == 0 && failure_) return fail(std::move(*failure_));
    return std::move(selection_);
  }

 private:
  void take(std::size_t index) {
    const Region& region = image_.regions[index];
    const Verdict& verdict = verdicts_[index];
    if (policy_.held) {
      take_bytes(index, region.range);
      return;
    }
    if (verdict.treatment == Treatment::whole) {
      take_bytes(index, region.range);
      return;
    }
    const std::vector<AddressRange> none;
    divide(region.range, verdict.landmarks ? landmarks_ : none,
           [&](const AddressRange& range, bool kept) {
             if (kept) {
               take_bytes(index, range);
               return;
             }
             if (verdict.treatment == Treatment::in_file) {
               selection_.segments.push_back({.range = range,
                                              .content = Content::in_file,
                                              .region = index,
                                              .pieces = {},
                                              .priority = 2});
             }
             if (*verdict.why != '\0') omit(range, verdict.why, verdict.asked);
           });
  }

  void take_bytes(std::size_t index, const AddressRange& range) {
    divide(range, missing_, [&](const AddressRange& each, bool missing) {
      if (!missing) take_held_bytes(index, each);
    });
  }

  void take_held_bytes(std::size_t index, const AddressRange& range) {
    const Region& region = image_.regions[index];
    if (region.backing == Backing::vsyscall && !readable(range)) return;  // execute-only: no bytes
    Result<std::vector<Extent>> surveyed = memory_.survey(range);
    if (!surveyed) {
      omit_unreadable(region, range);
      if (!failure_) failure_ = std::move(surveyed.error());
      return;
    }
    ++surveyed_;
    // A page of a file that is not mapped yet holds what the file holds. Only memory starts as
    // zero.
    const bool untouched_is_zero =
        region.backing == Backing::anonymous || region.backing == Backing::shared_memory;
    const std::vector<Extent> extents = normalise(*surveyed, range, untouched_is_zero);
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    const auto flush = [&] {
      if (end > begin) add_bytes(index, part(range, begin, end - begin), extents);
    };
    for (const Extent& extent : extents) {
      const bool long_run =
          extent.kind == Extent::Kind::untouched && extent.range.size >= policy_.zero_run;
      const std::uint64_t next = end + extent.range.size;
      if (extent.kind == Extent::Kind::unreadable || long_run) {
        flush();
        begin = next;
        if (long_run) {
          selection_.segments.push_back({.range = extent.range,
                                         .content = Content::zero,
                                         .region = index,
                                         .pieces = {},
                                         .priority = 2});
        } else {
          leave_out(index, extent.range);
        }
      }
      end = next;
    }
    flush();
  }

  void add_bytes(std::size_t index, const AddressRange& range, const std::vector<Extent>& extents) {
    const auto add = [&](const AddressRange& each, unsigned priority) {
      selection_.segments.push_back({.range = each,
                                     .content = Content::bytes,
                                     .region = index,
                                     .pieces = cut(extents, each),
                                     .priority = priority});
    };
    const unsigned later = image_.regions[index].sharing == Sharing::shared ? 1 : 2;
    if (range.size <= kWhole) {
      bool any = false;
      divide(range, first_, [&](const AddressRange&, bool first) { any = any || first; });
      add(range, any ? 0 : later);
      return;
    }
    divide(range, first_,
           [&](const AddressRange& each, bool first) { add(each, first ? 0 : later); });
  }

  bool readable(const AddressRange& range) const {
    std::array<std::byte, 1> byte{};
    return memory_.read(range.begin, byte).has_value();
  }

  void leave_out(std::size_t index, const AddressRange& range) {
    const Region& region = image_.regions[index];
    if (!policy_.held) return omit_unreadable(region, range);
    if (judge(region, 0, false).treatment == Treatment::in_file) {
      selection_.segments.push_back({.range = range,
                                     .content = Content::in_file,
                                     .region = index,
                                     .pieces = {},
                                     .priority = 2});
    } else if (*verdicts_[index].why != '\0' || verdicts_[index].treatment == Treatment::whole) {
      omit(range, "not in the dump", true);
    }
  }

  void omit_unreadable(const Region& region, const AddressRange& range) {
    if (region.traits.dont_fork) return omit(range, "MADV_DONTFORK", false);
    // Guard pages have no contents; nothing is lost.
    if (region.traits.guard) return omit(range, "guard pages", true);
    if (region.traits.userfault_missing) {
      return omit(range, "not yet provided through userfaultfd", false);
    }
    if (region.traits.huge_tlb) return omit(range, "huge pages that could not be read", false);
    omit(range, "unreadable", false);
  }

  void omit(const AddressRange& range, const char* why, bool asked) {
    divide(range, missing_, [&](const AddressRange& each, bool said) {
      if (said) return;
      selection_.omissions.push_back({.what = "memory", .range = each, .why = why, .asked = asked});
    });
  }

  const ProcessImage& image_;
  const Memory& memory_;
  const SelectionPolicy& policy_;
  const std::vector<AddressRange> first_;
  const std::vector<AddressRange> missing_;
  std::vector<Verdict> verdicts_;
  std::vector<AddressRange> landmarks_;
  Selection selection_;
  std::optional<Error> failure_;
  std::size_t surveyed_ = 0;
};

}  // namespace

Result<Selection> select(const ProcessImage& image, const Memory& memory,
                         const SelectionPolicy& policy) {
  return Selector(image, memory, policy).run();
}

}  // namespace doppel
