// SPDX-License-Identifier: Apache-2.0
//
//   u32 n, n * MINIDUMP_THREAD (48 bytes): id, suspend count, priorities, TEB,
//                                          stack {start, size, rva}, context {size, rva}
//
// The stack's bytes are those of Memory64List; where an RVA does not reach them, size and rva are
// both 0, and readers find the stack by its addresses.
#include <dumpwriter/minidump/context_amd64.h>
#include <dumpwriter/minidump/records.h>
#include <dumpwriter/minidump/streams/streams.h>
#include <dumpwriter/plan/page.h>

namespace doppel::minidump {

namespace {

constexpr std::uint64_t kRedZone = 128;

void put_stack(const Facts& facts, std::uint64_t pointer, RecordWriter& body) {
  const Placed* const place = facts.memory.find(Address{pointer});
  if (place == nullptr) {
    body.u64(pointer).u32(0).u32(0);
    return;
  }
  const std::uint64_t below = page_down(pointer - kRedZone);
  const std::uint64_t begin = place->range.contains(Address{below}) ? below : page_down(pointer);
  const std::uint64_t skip = begin - place->range.begin.value;
  const std::uint64_t size = place->range.size - skip;
  if (place->offset + place->range.size > MinidumpBuilder::kMemoryReach) {
    body.u64(begin).u32(0).u32(0);
    return;
  }
  body.u64(begin).u32(static_cast<std::uint32_t>(size)).memory_offset32(place->offset + skip);
}

}  // namespace

void add_thread_list(const Facts& facts, MinidumpBuilder& builder) {
  RecordWriter body;
  body.u32(static_cast<std::uint32_t>(facts.image.threads.size()));
  for (const Thread& thread : facts.image.threads) {
    const Location context = builder.put(make_context(thread.registers), 16);
    body.u32(facts.thread_id(thread));
    if (thread.windows) {
      const WindowsThread& nt = *thread.windows;
      body.u32(nt.suspend_count).u32(nt.priority_class).u32(nt.priority).u64(nt.teb.value);
    } else {
      body.zeros(20);
    }
    put_stack(facts, thread.registers.general.rsp, body);
    body.u32(context.size).u32(context.rva);
  }
  builder.add_stream(stream_type::kThreadList, body);
}

}  // namespace doppel::minidump
