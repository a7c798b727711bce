// SPDX-License-Identifier: Apache-2.0
//
//   u32 n, n * MINIDUMP_THREAD_NAME (12 bytes, packed): id, u64 rva of the name
#include <algorithm>

#include <dumpwriter/minidump/records.h>
#include <dumpwriter/minidump/streams/streams.h>

namespace doppel::minidump {

void add_thread_names(const Facts& facts, MinidumpBuilder& builder) {
  const std::vector<Thread>& threads = facts.image.threads;
  const auto named = std::count_if(threads.begin(), threads.end(),
                                   [](const Thread& thread) { return !thread.name.empty(); });
  if (named == 0) return;
  RecordWriter body;
  body.u32(static_cast<std::uint32_t>(named));
  for (const Thread& thread : threads) {
    if (thread.name.empty()) continue;
    body.u32(facts.thread_id(thread)).u64(builder.put_string(thread.name));
  }
  builder.add_stream(stream_type::kThreadNames, body);
}

}  // namespace doppel::minidump
