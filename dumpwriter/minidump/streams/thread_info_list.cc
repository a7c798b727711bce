// SPDX-License-Identifier: Apache-2.0
//
//   u32 12, u32 64, u32 n, n * MINIDUMP_THREAD_INFO (64 bytes): id, flags, error, exit status,
//                          times of creation, exit, kernel, user (100 ns), start address, affinity
#include <dumpwriter/minidump/records.h>
#include <dumpwriter/minidump/streams/streams.h>

namespace doppel::minidump {

void add_thread_info_list(const Facts& facts, MinidumpBuilder& builder) {
  if (!facts.windows()) return;
  RecordWriter body;
  body.u32(12).u32(64).u32(static_cast<std::uint32_t>(facts.image.threads.size()));
  for (const Thread& thread : facts.image.threads) {
    const WindowsThread nt = thread.windows.value_or(WindowsThread{});
    body.u32(facts.thread_id(thread)).u32(0).u32(0).u32(nt.exit_status);
    body.u64(nt.created_at).u64(0);
    body.u64(thread.system_time_us * 10).u64(thread.user_time_us * 10);
    body.u64(nt.start.value).u64(nt.affinity);
  }
  builder.add_stream(stream_type::kThreadInfoList, body);
}

}  // namespace doppel::minidump
