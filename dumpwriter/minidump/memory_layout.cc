// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <numeric>

#include <dumpwriter/minidump/memory_layout.h>

namespace doppel::minidump {

MemoryLayout::MemoryLayout(const Selection& selection, bool by_address) {
  std::vector<const Segment*> order;
  for (const Segment& segment : selection.segments) {
    if (segment.content == Content::bytes) order.push_back(&segment);
  }
  if (!by_address) {
    std::stable_sort(order.begin(), order.end(),
                     [](const Segment* a, const Segment* b) { return a->priority < b->priority; });
  }
  for (const Segment* segment : order) {
    Placed* const last = placed_.empty() ? nullptr : &placed_.back();
    if (last != nullptr && last->range.end() == segment->range.begin.value &&
        (by_address || (last->priority == segment->priority && segment->priority != 0))) {
      last->range.size += segment->range.size;
      last->priority = std::min(last->priority, segment->priority);
      last->pieces.insert(last->pieces.end(), segment->pieces.begin(), segment->pieces.end());
    } else {
      placed_.push_back({.range = segment->range,
                         .offset = size_,
                         .priority = segment->priority,
                         .pieces = segment->pieces});
    }
    size_ += segment->range.size;
  }
  by_address_.resize(placed_.size());
  std::iota(by_address_.begin(), by_address_.end(), std::size_t{0});
  std::sort(by_address_.begin(), by_address_.end(), [&](std::size_t a, std::size_t b) {
    return placed_[a].range.begin < placed_[b].range.begin;
  });
}

const Placed* MemoryLayout::find(Address address) const {
  const auto after = std::upper_bound(
      by_address_.begin(), by_address_.end(), address,
      [&](Address at, std::size_t index) { return at < placed_[index].range.begin; });
  if (after == by_address_.begin()) return nullptr;
  const Placed& each = placed_[*std::prev(after)];
  return each.range.contains(address) ? &each : nullptr;
}

}  // namespace doppel::minidump
