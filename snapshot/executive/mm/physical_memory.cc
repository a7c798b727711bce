// SPDX-License-Identifier: Apache-2.0
//
// Frames are made when first needed and then reused, the most recently freed first: the same
// sequence of calls gives the same frame numbers in every build.
#include <algorithm>
#include <cassert>

#include <snapshot/executive/mm/physical_memory.h>

namespace doppel {

std::optional<Frame> PhysicalMemory::allocate() {
  if (plan_->fault(FaultSite::pfn_alloc)) return std::nullopt;
  if (free_.empty()) {
    if (frames_.size() >= capacity_) return std::nullopt;
    frames_.push_back({std::make_unique<std::array<std::byte, kNtPageSize>>(), 0, 0});
    free_.push_back(static_cast<Frame>(frames_.size() - 1));
  }
  const Frame frame = free_.back();
  free_.pop_back();
  Entry& entry = frames_[frame];
  entry.bytes->fill(std::byte{0});
  entry.references = 1;
  ++entry.version;
  ++counters_->frames;
  return frame;
}

std::optional<Frame> PhysicalMemory::allocate_copy(Frame from) {
  const std::optional<Frame> frame = allocate();
  if (!frame) return std::nullopt;
  *frames_[*frame].bytes = *frames_[from].bytes;
  ++copies_;
  return frame;
}

void PhysicalMemory::release(Frame frame) {
  assert(frames_[frame].references > 0);
  if (--frames_[frame].references != 0) return;
  free_.push_back(frame);
  --counters_->frames;
}

bool PhysicalMemory::charge(std::uint64_t pages) {
  if (pages == 0) return true;
  if (plan_->fault(FaultSite::commit_charge)) return false;
  if (pages > limit_ || counters_->commit > limit_ - pages) return false;
  counters_->commit += pages;
  return true;
}

void PhysicalMemory::uncharge(std::uint64_t pages) {
  assert(counters_->commit >= pages);
  counters_->commit -= pages;
}

}  // namespace doppel
