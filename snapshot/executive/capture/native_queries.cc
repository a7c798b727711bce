// SPDX-License-Identifier: Apache-2.0
//
// Buffers grow until the answer fits, as a program on NT does it.
#include <algorithm>
#include <cstring>

#include <snapshot/executive/capture/native_queries.h>
#include <snapshot/executive/ps/process_parameters.h>

namespace doppel {
namespace {

// MemoryInformation has the layout of MEMORY_BASIC_INFORMATION (x64, winnt.h).
static_assert(sizeof(MemoryInformation) == 48 && offsetof(MemoryInformation, size) == 0x18 &&
              offsetof(MemoryInformation, type) == 0x28);

/// Calls `query(to, length)` with room for the answer. Empty on failure.
template <typename Length, typename Query>
std::vector<std::byte> whole_answer(Query query, NtStatus& done) {
  std::vector<std::byte> bytes(256);
  for (;;) {
    Length length = 0;
    done = query(std::span(bytes), length);
    if (done == status::info_length_mismatch && length > bytes.size()) {
      bytes.resize(length);
      continue;
    }
    bytes.resize(done.succeeded() ? std::min<std::size_t>(bytes.size(), length) : 0);
    return bytes;
  }
}

/// UNICODE_STRING with its text behind it.
std::string text_of(const std::vector<std::byte>& answer) {
  constexpr std::size_t kHeader = 16;
  if (answer.size() < kHeader) return {};
  std::uint16_t size = 0;
  std::memcpy(&size, answer.data(), sizeof size);
  std::u16string wide(std::min<std::size_t>(size, answer.size() - kHeader) / 2, u'\0');
  std::memcpy(wide.data(), answer.data() + kHeader, wide.size() * 2);
  return utf8_of(wide);
}

}  // namespace

std::optional<MemoryInformation> query_memory(NtApi& nt, HandleValue process,
                                              std::uint64_t address) {
  MemoryInformation found;
  std::uint64_t length = 0;
  const NtStatus done = nt.query_virtual_memory(
      process, address, 0, std::as_writable_bytes(std::span(&found, 1)), length);
  return done.succeeded() ? std::optional(found) : std::nullopt;
}

std::vector<MemoryInformation> memory_map(NtApi& nt, HandleValue process) {
  std::vector<MemoryInformation> map;
  for (std::uint64_t at = 0; at < kUserEnd;) {
    const std::optional<MemoryInformation> found = query_memory(nt, process, at);
    if (!found || found->size == 0) break;
    if (found->state != mem::free) map.push_back(*found);
    at = found->base + found->size;
  }
  return map;
}

std::optional<WorkingSetInformation> query_working_set(NtApi& nt, HandleValue process,
                                                       std::uint64_t address) {
  struct {
    std::uint64_t address = 0, flags = 0;
  } record;

  std::uint64_t length = 0;
  const NtStatus done = nt.query_virtual_memory(
      process, address, 4, std::as_writable_bytes(std::span(&record, 1)), length);
  if (!done.succeeded()) return std::nullopt;
  return WorkingSetInformation{
      .valid = (record.flags & 1) != 0,
      .share_count = static_cast<std::uint32_t>(record.flags >> 1 & 7),
      .win32_protect = static_cast<std::uint32_t>(record.flags >> 4 & 0x7FF),
      .shared = (record.flags >> 15 & 1) != 0};
}

std::string mapped_file_name(NtApi& nt, HandleValue process, std::uint64_t address) {
  NtStatus done;
  return text_of(whole_answer<std::uint64_t>(
      [&](std::span<std::byte> to, std::uint64_t& length) {
        return nt.query_virtual_memory(process, address, 2, to, length);
      },
      done));
}

std::string image_file_name(NtApi& nt, HandleValue process) {
  NtStatus done;
  return text_of(whole_answer<std::uint32_t>(
      [&](std::span<std::byte> to, std::uint32_t& length) {
        return nt.query_information_process(process, 27, to, length);
      },
      done));
}

std::string thread_name(NtApi& nt, HandleValue thread) {
  NtStatus done;
  return text_of(whole_answer<std::uint32_t>(
      [&](std::span<std::byte> to, std::uint32_t& length) {
        return nt.query_information_thread(thread, 38, to, length);
      },
      done));
}

NtStatus query_handles(NtApi& nt, HandleValue process, std::vector<HandleInformation>& handles) {
  NtStatus done;
  const std::vector<std::byte> answer = whole_answer<std::uint32_t>(
      [&](std::span<std::byte> to, std::uint32_t& length) {
        return nt.query_information_process(process, 51, to, length);
      },
      done);
  constexpr std::size_t kHeader = 16;  // {count, reserved}
  if (answer.size() < kHeader) return done;
  std::uint64_t count = 0;
  std::memcpy(&count, answer.data(), sizeof count);
  count = std::min<std::uint64_t>(count, (answer.size() - kHeader) / sizeof(HandleInformation));
  handles.resize(count);
  if (count != 0)
    std::memcpy(handles.data(), answer.data() + kHeader, count * sizeof(HandleInformation));
  return done;
}

}  // namespace doppel
