// SPDX-License-Identifier: Apache-2.0
//
// One system call of a guest while it is served: who calls, with what, and the typed API behind
// it. Shared by the service_*.cc files, each of which serves one topic; the table over all of them
// is in dispatch.cc.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_NATIVE_SERVICE_CALL_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_NATIVE_SERVICE_CALL_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <snapshot/executive/native/dispatch.h>
#include <snapshot/executive/native/guest_arguments.h>
#include <snapshot/executive/native/nt_api.h>
#include <snapshot/executive/nt_status.h>

namespace doppel {

struct ServiceCall {
  Executive& executive;
  NtThread& thread;
  NtApi nt;
  GuestArguments memory;
  const ServiceArguments& arguments;
  bool keeps_registers = false;  ///< the service has loaded all of them: rax is no status

  std::uint64_t operator[](std::size_t index) const { return arguments[index]; }

  std::uint32_t word(std::size_t index) const {
    return static_cast<std::uint32_t>(arguments[index]);
  }

  bool flag(std::size_t index) const { return (arguments[index] & 0xff) != 0; }
};

struct Service {
  std::uint32_t number = 0;
  std::string_view name;
  NtStatus (*serve)(ServiceCall& call) = nullptr;
  NtProfile since = NtProfile::nt52;
};

std::span<const Service> process_services();
std::span<const Service> thread_services();
std::span<const Service> memory_services();
std::span<const Service> object_services();
std::span<const Service> file_services();

/// The services that make a handle: its place is argument `handle`, OBJECT_ATTRIBUTES are argument
/// `attributes`; `make(HandleValue&, const ObjectAttributes&)` makes it.
template <typename Make>
NtStatus make_handle(ServiceCall& call, std::size_t handle, std::size_t attributes, Make make) {
  if (!call.memory.probe(call[handle], sizeof(HandleValue))) return status::access_violation;
  ObjectAttributes object;
  if (const NtStatus read = call.memory.object_attributes(call[attributes], object);
      read != status::success)
    return read;
  HandleValue made = 0;
  const NtStatus answer = make(made, object);
  if (answer.succeeded()) call.memory.put(call[handle], made);
  return answer;
}

/// The services that fill a buffer: argument `buffer` of `size` bytes, and the length that there is
/// in argument `length` (0: not wanted). `query(std::span<std::byte>, Length&)` fills it.
template <typename Length, typename Query>
NtStatus fill_buffer(ServiceCall& call, std::size_t buffer, std::size_t size, std::size_t length,
                     Query query) {
  if (call.word(size) > kLongestBuffer) return status::invalid_parameter;
  if (!call.memory.probe(call[buffer], call.word(size))) return status::access_violation;
  if (call[length] != 0 && !call.memory.probe(call[length], sizeof(Length)))
    return status::access_violation;
  std::vector<std::byte> bytes(call.word(size));
  Length there = 0;
  const NtStatus answer = query(std::span(bytes), there);
  if (answer.succeeded() || answer == status::buffer_overflow) {
    call.memory.copy_out(call[buffer],
                         std::span(bytes).first(std::min<std::size_t>(bytes.size(), there)));
  }
  call.memory.put_if(call[length], there);
  return answer;
}

/// The services that take a buffer: argument `buffer` of `size` bytes.
template <typename Set>
NtStatus take_buffer(ServiceCall& call, std::size_t buffer, std::size_t size, Set set) {
  if (call.word(size) > kLongestBuffer) return status::invalid_parameter;
  std::vector<std::byte> bytes(call.word(size));
  if (!call.memory.copy_in(call[buffer], bytes)) return status::access_violation;
  return set(std::span<const std::byte>(bytes));
}

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_NATIVE_SERVICE_CALL_H_
