// SPDX-License-Identifier: Apache-2.0
//
// Pages of segments. A data file and its segment are one store: a page is compared with the file
// before each use and written back after each write, so that NtWriteFile and views always agree.
#include <algorithm>
#include <array>
#include <cstring>

#include <snapshot/executive/mm/page_protection.h>
#include <snapshot/executive/mm/segment.h>

namespace doppel {

NtSegment::~NtSegment() {
  for (const auto& [index, frame] : pages_) memory_->release(frame);
  memory_->uncharge(charge_);
}

Frame NtSegment::present(std::uint64_t index) const {
  const auto at = pages_.find(index);
  return at == pages_.end() ? kNoFrame : at->second;
}

Frame NtSegment::page(std::uint64_t index, NtStatus& cause) {
  if (kind_ == SegmentKind::data && index >= (size() + kNtPageSize - 1) / kNtPageSize) {
    cause = status::end_of_file;
    return kNoFrame;
  }
  Frame frame = present(index);
  if (frame == kNoFrame) {
    const FaultSite site =
        kind_ == SegmentKind::image ? FaultSite::image_read : FaultSite::file_read;
    if (kind_ != SegmentKind::pagefile && memory_->plan().fault(site)) {
      cause = status::in_page_error;
      return kNoFrame;
    }
    const std::optional<Frame> fresh = memory_->allocate();
    if (!fresh) {
      cause = status::no_memory;
      return kNoFrame;
    }
    frame = *fresh;
    pages_.emplace(index, frame);
    if (kind_ == SegmentKind::image)
      image_.read(node_->bytes, index * kNtPageSize, {memory_->bytes(frame), kNtPageSize});
  }
  if (kind_ == SegmentKind::data) {
    std::array<std::byte, kNtPageSize> bytes{};
    node_->read(index * kNtPageSize, bytes.data(), bytes.size());
    if (std::memcmp(bytes.data(), memory_->bytes(frame), bytes.size()) != 0) {
      std::ranges::copy(bytes, memory_->bytes(frame));
      memory_->changed(frame);
    }
  }
  return frame;
}

void NtSegment::trim(std::uint64_t index) {
  const auto at = pages_.find(index);
  if (at == pages_.end() || memory_->references(at->second) != 1) return;
  // A shared section of an image has no other store than its pages.
  const bool again = kind_ == SegmentKind::data ||
                     (kind_ == SegmentKind::image && !is_shared_write(image_.protections[index]));
  if (!again) return;
  memory_->release(at->second);
  pages_.erase(at);
}

void NtSegment::written(std::uint64_t index) {
  if (kind_ != SegmentKind::data) return;
  const std::uint64_t begin = index * kNtPageSize;
  if (begin >= node_->bytes.size()) return;
  const std::uint64_t count = std::min<std::uint64_t>(kNtPageSize, node_->bytes.size() - begin);
  std::copy_n(memory_->bytes(present(index)), count,
              node_->bytes.begin() + static_cast<std::ptrdiff_t>(begin));
}

void NtSegment::commit(std::uint64_t first, std::uint64_t count) {
  charge_ += uncommitted(first, count);
  committed_.add(first, count);
}

}  // namespace doppel
