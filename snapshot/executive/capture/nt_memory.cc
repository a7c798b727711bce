// SPDX-License-Identifier: Apache-2.0
//
// Pieces of 64 KiB, so that others get their turn between them. Before each piece of a running
// process its map is asked: it may have changed, and a guard page must not be touched.
#include <algorithm>

#include <snapshot/executive/capture/nt_memory.h>

namespace doppel {
namespace {

constexpr std::uint64_t kPiece = 64 << 10;

void add(std::vector<Extent>& extents, std::uint64_t begin, std::uint64_t end, Extent::Kind kind) {
  if (begin >= end) return;
  if (!extents.empty() && extents.back().kind == kind && extents.back().range.end() == begin) {
    extents.back().range.size += end - begin;
    return;
  }
  extents.push_back({.range = {.begin = {begin}, .size = end - begin}, .kind = kind});
}

}  // namespace

NtMemory::~NtMemory() {
  const std::lock_guard guard(access_->lock);
  if (holds_ == Holds::clone) std::ignore = nt_.terminate_process(process_.get(), status::success);
  process_ = {};
}

bool NtMemory::harmless(const MemoryInformation& information) const {
  return information.state == mem::commit && (information.protect & page::guard) == 0 &&
         allows(information.protect, MemoryAccess::read);
}

std::uint64_t NtMemory::readable(std::uint64_t from) const {
  if (known_.base <= from && from - known_.base < known_.size)
    return known_.base + known_.size - from;
  const std::optional<MemoryInformation> found = query_memory(nt_, process_.get(), from);
  if (!found || !harmless(*found)) return 0;
  // Nobody changes the map of a clone.
  if (holds_ == Holds::clone) known_ = *found;
  return found->base + found->size - from;
}

Result<std::size_t> NtMemory::read(Address from, std::span<std::byte> to) const {
  const std::lock_guard guard(access_->lock);
  std::size_t done = 0;
  while (done < to.size()) {
    const std::uint64_t at = from.value + done;
    if (at < from.value) break;
    auto kept = kept_.upper_bound(at);
    if (kept != kept_.begin() && at - std::prev(kept)->first < std::prev(kept)->second.size()) {
      --kept;
      const std::uint64_t skip = at - kept->first;
      const std::size_t count = std::min<std::size_t>(to.size() - done, kept->second.size() - skip);
      std::copy_n(kept->second.begin() + static_cast<std::ptrdiff_t>(skip), count,
                  to.begin() + static_cast<std::ptrdiff_t>(done));
      done += count;
      continue;
    }
    std::uint64_t count = std::min<std::uint64_t>({readable(at), kPiece, to.size() - done});
    if (kept != kept_.end()) count = std::min(count, kept->first - at);
    if (count == 0) break;
    std::size_t got = 0;
    const NtStatus status = nt_.read_virtual_memory(
        process_.get(), at, to.subspan(done, static_cast<std::size_t>(count)), got);
    done += got;
    if (access_->on_read) access_->on_read();
    if (!status.succeeded() || status == status::partial_copy) break;
  }
  if (done == 0 && !to.empty())
    return fail(Errc::unmapped, "read memory", std::to_string(from.value));
  return done;
}

Result<std::vector<Extent>> NtMemory::survey(AddressRange within) const {
  const std::lock_guard guard(access_->lock);
  std::vector<Extent> extents;
  const std::uint64_t end = within.end();
  for (std::uint64_t at = within.begin.value; at < end;) {
    const std::optional<MemoryInformation> found = query_memory(nt_, process_.get(), at);
    if (!found) {
      add(extents, at, end, Extent::Kind::unreadable);
      break;
    }
    const std::uint64_t last = std::min(end, found->base + found->size);
    if (!harmless(*found)) {
      add(extents, at, last, Extent::Kind::unreadable);
    } else if (found->type != mem::private_memory) {
      add(extents, at, last, Extent::Kind::data);
    } else {
      // A private page that nobody has touched has no page, and reads as zero.
      for (std::uint64_t page = at & ~(kNtPageSize - 1); page < last; page += kNtPageSize) {
        const std::optional<WorkingSetInformation> block =
            query_working_set(nt_, process_.get(), page);
        add(extents, std::max(page, at), std::min(page + kNtPageSize, last),
            block && !block->valid ? Extent::Kind::untouched : Extent::Kind::data);
      }
    }
    at = last;
  }
  return extents;
}

}  // namespace doppel
