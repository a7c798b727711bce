// SPDX-License-Identifier: Apache-2.0
//
// System calls on memory and sections.
#include <array>
#include <vector>

#include <snapshot/executive/cpu/guest_services.h>
#include <snapshot/executive/native/service_call.h>

namespace doppel {
namespace {

/// Base and size, which these calls take and answer.
struct Range {
  std::uint64_t base = 0, size = 0;
};

bool get_range(ServiceCall& call, std::size_t base, std::size_t size, Range& range) {
  return call.memory.get(call[base], range.base) && call.memory.get(call[size], range.size) &&
         call.memory.probe(call[base], 8) && call.memory.probe(call[size], 8);
}

NtStatus put_range(ServiceCall& call, std::size_t base, std::size_t size, const Range& range,
                   NtStatus answer) {
  if (answer.succeeded()) {
    call.memory.put(call[base], range.base);
    call.memory.put(call[size], range.size);
  }
  return answer;
}

NtStatus allocate(ServiceCall& call) {
  Range range;
  if (!get_range(call, 1, 3, range)) return status::access_violation;
  const NtStatus answer = call.nt.allocate_virtual_memory(call[0], range.base, call[2], range.size,
                                                          call.word(4), call.word(5));
  return put_range(call, 1, 3, range, answer);
}

NtStatus release(ServiceCall& call) {
  Range range;
  if (!get_range(call, 1, 2, range)) return status::access_violation;
  const NtStatus answer =
      call.nt.free_virtual_memory(call[0], range.base, range.size, call.word(3));
  return put_range(call, 1, 2, range, answer);
}

NtStatus protect(ServiceCall& call) {
  Range range;
  if (!get_range(call, 1, 2, range) || !call.memory.probe(call[4], 4))
    return status::access_violation;
  std::uint32_t old = 0;
  const NtStatus answer =
      call.nt.protect_virtual_memory(call[0], range.base, range.size, call.word(3), old);
  if (answer.succeeded()) call.memory.put(call[4], old);
  return put_range(call, 1, 2, range, answer);
}

NtStatus read_memory(ServiceCall& call) {
  if (call[3] > kLongestBuffer) return status::invalid_parameter;
  if (!call.memory.probe(call[2], call[3]) || (call[4] != 0 && !call.memory.probe(call[4], 8)))
    return status::access_violation;
  std::vector<std::byte> bytes(call[3]);
  std::size_t done = 0;
  const NtStatus answer = call.nt.read_virtual_memory(call[0], call[1], bytes, done);
  call.memory.copy_out(call[2], std::span(bytes).first(done));
  call.memory.put_if(call[4], std::uint64_t{done});
  return answer;
}

NtStatus write_memory(ServiceCall& call) {
  if (call[3] > kLongestBuffer) return status::invalid_parameter;
  std::vector<std::byte> bytes(call[3]);
  if (!call.memory.copy_in(call[2], bytes) || (call[4] != 0 && !call.memory.probe(call[4], 8)))
    return status::access_violation;
  std::size_t done = 0;
  const NtStatus answer = call.nt.write_virtual_memory(call[0], call[1], bytes, done);
  call.memory.put_if(call[4], std::uint64_t{done});
  return answer;
}

NtStatus query_memory(ServiceCall& call) {
  return fill_buffer<std::uint64_t>(
      call, 3, 4, 5, [&](std::span<std::byte> to, std::uint64_t& length) {
        return call.nt.query_virtual_memory(call[0], call[1], call.word(2), to, length);
      });
}

NtStatus create_section(ServiceCall& call) {
  return make_handle(call, 0, 2, [&](HandleValue& made, const ObjectAttributes& object) {
    std::uint64_t size = 0;
    if (call[3] != 0 && !call.memory.get(call[3], size)) return status::access_violation;
    return call.nt.create_section(made, call.word(1), object, size, call.word(4), call.word(5),
                                  call[6]);
  });
}

NtStatus open_section(ServiceCall& call) {
  return make_handle(call, 0, 2, [&](HandleValue& made, const ObjectAttributes& object) {
    return call.nt.open_section(made, call.word(1), object);
  });
}

NtStatus query_section(ServiceCall& call) {
  return fill_buffer<std::uint64_t>(
      call, 2, 3, 4, [&](std::span<std::byte> to, std::uint64_t& length) {
        return call.nt.query_section(call[0], call.word(1), to, length);
      });
}

NtStatus map_view(ServiceCall& call) {
  Range range;
  std::uint64_t offset = 0;
  if (!get_range(call, 2, 6, range) ||
      (call[5] != 0 && (!call.memory.get(call[5], offset) || !call.memory.probe(call[5], 8))))
    return status::access_violation;
  const NtStatus answer =
      call.nt.map_view_of_section(call[0], call[1], range.base, call[3], call[4], offset,
                                  range.size, call.word(7), call.word(8), call.word(9));
  if (answer.succeeded()) call.memory.put_if(call[5], offset);
  return put_range(call, 2, 6, range, answer);
}

NtStatus unmap_view(ServiceCall& call) {
  return call.nt.unmap_view_of_section(call[0], call[1]);
}

}  // namespace

std::span<const Service> memory_services() {
  static constexpr std::array kServices = {
      Service{kServiceAllocateVirtualMemory, "NtAllocateVirtualMemory", allocate},
      Service{kServiceFreeVirtualMemory, "NtFreeVirtualMemory", release},
      Service{kServiceProtectVirtualMemory, "NtProtectVirtualMemory", protect},
      Service{kServiceReadVirtualMemory, "NtReadVirtualMemory", read_memory},
      Service{kServiceWriteVirtualMemory, "NtWriteVirtualMemory", write_memory},
      Service{kServiceQueryVirtualMemory, "NtQueryVirtualMemory", query_memory},
      Service{kServiceCreateSection, "NtCreateSection", create_section},
      Service{kServiceOpenSection, "NtOpenSection", open_section},
      Service{kServiceQuerySection, "NtQuerySection", query_section},
      Service{kServiceMapViewOfSection, "NtMapViewOfSection", map_view},
      Service{kServiceUnmapViewOfSection, "NtUnmapViewOfSection", unmap_view},
  };
  return kServices;
}

}  // namespace doppel
