// SPDX-License-Identifier: Apache-2.0
//
//   MINIDUMP_MISC_INFO, 24 bytes: process id and times. lldb takes 1 for the id where there is
//   none.
#include <algorithm>
#include <limits>

#include <dumpwriter/minidump/records.h>
#include <dumpwriter/minidump/streams/streams.h>

namespace doppel::minidump {

namespace {

constexpr std::uint32_t kHasId = 1;
constexpr std::uint32_t kHasTimes = 2;

std::uint32_t seconds(std::uint64_t microseconds) {
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(microseconds / 1'000'000, std::numeric_limits<std::uint32_t>::max()));
}

}  // namespace

void add_misc_info(const Facts& facts, MinidumpBuilder& builder) {
  const ProcessInfo& process = facts.image.process;
  RecordWriter body;
  // When a Linux process was created is known in ticks after the boot only, and there is one flag
  // for all three times.
  body.u32(24).u32(facts.windows() ? kHasId | kHasTimes : kHasId).u32(facts.process_id());
  if (process.windows) {
    body.u32(process.windows->created_at);
    body.u32(seconds(process.user_time_us)).u32(seconds(process.system_time_us));
  } else {
    body.zeros(12);
  }
  builder.add_stream(stream_type::kMiscInfo, body);
}

}  // namespace doppel::minidump
