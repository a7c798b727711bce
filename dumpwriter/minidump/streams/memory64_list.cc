// SPDX-License-Identifier: Apache-2.0
//
//   u64 n, u64 file offset of the first byte, n * { u64 start, u64 size }; exactly so long
//
// All memory, in file order, without a gap. The one place of the format that reaches beyond 4 GiB.
#include <dumpwriter/minidump/records.h>
#include <dumpwriter/minidump/streams/streams.h>

namespace doppel::minidump {

void add_memory64_list(const Facts& facts, MinidumpBuilder& builder) {
  RecordWriter body;
  body.u64(facts.memory.placed().size()).memory_offset64(0);
  for (const Placed& place : facts.memory.placed()) {
    body.u64(place.range.begin.value).u64(place.range.size);
  }
  builder.add_stream(stream_type::kMemory64List, body);
}

}  // namespace doppel::minidump
