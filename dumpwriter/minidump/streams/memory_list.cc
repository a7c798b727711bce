// SPDX-License-Identifier: Apache-2.0
//
//   u32 n, n * MINIDUMP_MEMORY_DESCRIPTOR (16 bytes): start, u32 size, rva
//
// Stacks, and what registers point at. Breakpad's tools know no Memory64List: this is all they
// see. They refuse more than 4096 stretches and more than 64 MiB in one, so stacks come first and
// the rest as far as there is room. Each points at its bytes in Memory64List.
//
// lldb looks here first and then in Memory64List. NT's own tools write one or the other; without
// this one Breakpad's minidump_dump calls the dump of an NT process broken.
#include <algorithm>
#include <set>

#include <dumpwriter/minidump/records.h>
#include <dumpwriter/minidump/streams/streams.h>

namespace doppel::minidump {

namespace {

constexpr std::size_t kMostStretches = 4096;
constexpr std::uint64_t kLargest = 64 << 20;

}  // namespace

void add_memory_list(const Facts& facts, MinidumpBuilder& builder) {
  const auto in_reach = [](const Placed& place) {
    return place.range.size <= kLargest &&
           place.offset + place.range.size <= MinidumpBuilder::kMemoryReach;
  };
  std::set<const Placed*> listed;
  for (const Thread& thread : facts.image.threads) {
    const Placed* const stack = facts.memory.find(Address{thread.registers.general.rsp});
    if (stack == nullptr || !in_reach(*stack)) continue;
    if (listed.size() < kMostStretches) listed.insert(stack);
  }
  for (const Placed& place : facts.memory.placed()) {
    if (listed.size() >= kMostStretches) break;
    if (place.priority == 0 && in_reach(place)) listed.insert(&place);
  }
  RecordWriter body;
  body.u32(static_cast<std::uint32_t>(listed.size()));
  for (const Placed& place : facts.memory.placed()) {
    if (!listed.contains(&place)) continue;
    body.u64(place.range.begin.value).u32(static_cast<std::uint32_t>(place.range.size));
    body.memory_offset32(place.offset);
  }
  builder.add_stream(stream_type::kMemoryList, body);
}

}  // namespace doppel::minidump
