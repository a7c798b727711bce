// SPDX-License-Identifier: Apache-2.0
//
//   u32 16, u32 48, u64 n, n * MINIDUMP_MEMORY_INFO (48 bytes): base, allocation base and
//                          protection, pad, size, state, protection, type, pad
//
// By address. Of an NT process what lies between its regions stands here too, as free.
#include <dumpwriter/minidump/records.h>
#include <dumpwriter/minidump/streams/streams.h>

namespace doppel::minidump {

namespace {

/// The nearest that NT has to the access of a Linux mapping.
std::uint32_t protection_of(const Region& region) {
  using namespace page_protection;
  const Access& access = region.access;
  const bool copies = region.backing == Backing::file && region.sharing == Sharing::private_copy;
  if (access.execute) {
    if (access.write) return copies ? kExecuteWriteCopy : kExecuteReadWrite;
    return access.read ? kExecuteRead : kExecute;
  }
  if (access.write) return copies ? kWriteCopy : kReadWrite;
  return access.read ? kReadOnly : kNoAccess;
}

WindowsRegion as_windows(const Region& region) {
  if (region.windows) return *region.windows;
  WindowsRegion like;
  like.allocation_base = region.range.begin;
  like.protect = protection_of(region);
  like.allocation_protect = like.protect;
  const bool mapped = region.backing != Backing::anonymous;
  like.type = mapped ? memory_type::kMapped : memory_type::kPrivate;
  return like;
}

void put_free(std::uint64_t begin, std::uint64_t size, RecordWriter& body) {
  body.u64(begin).u64(0).u32(0).u32(0).u64(size);
  body.u32(memory_state::kFree).u32(page_protection::kNoAccess).u32(0).u32(0);
}

}  // namespace

void add_memory_info_list(const Facts& facts, MinidumpBuilder& builder) {
  RecordWriter entries;
  std::uint64_t count = 0;
  std::uint64_t next = 0;
  for (const Region& region : facts.image.regions) {
    const std::uint64_t begin = region.range.begin.value;
    if (facts.windows() && begin > next) {
      put_free(next, begin - next, entries);
      ++count;
    }
    const WindowsRegion nt = as_windows(region);
    entries.u64(begin).u64(nt.allocation_base.value).u32(nt.allocation_protect).u32(0);
    entries.u64(region.range.size).u32(nt.state).u32(nt.protect).u32(nt.type).u32(0);
    ++count;
    next = region.range.end();
  }
  // NT's user addresses end here (winnt.h of x86-64, MM_HIGHEST_USER_ADDRESS + 1).
  constexpr std::uint64_t kUserEnd = 0x7ffffffe0000;
  if (facts.windows() && next < kUserEnd) {
    put_free(next, kUserEnd - next, entries);
    ++count;
  }
  RecordWriter body;
  body.u32(16).u32(48).u64(count).raw(entries.bytes());
  builder.add_stream(stream_type::kMemoryInfoList, body);
}

}  // namespace doppel::minidump
