// SPDX-License-Identifier: Apache-2.0
//
// System calls on processes: NtCreateProcess to NtSetInformationProcess.
#include <array>
#include <optional>

#include <snapshot/executive/cpu/guest_services.h>
#include <snapshot/executive/native/service_call.h>

namespace doppel {
namespace {

NtStatus create_process(ServiceCall& call) {
  return make_handle(call, 0, 2, [&](HandleValue& made, const ObjectAttributes& object) {
    return call.nt.create_process(made, call.word(1), object, call[3], call.flag(4), call[5],
                                  call[6], call[7]);
  });
}

NtStatus create_process_ex(ServiceCall& call) {
  return make_handle(call, 0, 2, [&](HandleValue& made, const ObjectAttributes& object) {
    return call.nt.create_process_ex(made, call.word(1), object, call[3], call.word(4), call[5],
                                     call[6], call[7], call.word(8));
  });
}

/// PS_CREATE_INFO: Size, State, then a union; 58h bytes.
struct CreateInfo {
  std::uint64_t size = 0;
  std::uint32_t state = 0, pad0 = 0;
  std::uint32_t output_flags = 0, pad1 = 0;
  std::uint64_t file = 0, section = 0, parameters = 0;
  std::uint32_t parameters_wow64 = 0, parameter_flags = 0;
  std::uint64_t peb = 0;
  std::uint32_t peb_wow64 = 0, pad2 = 0;
  std::uint64_t manifest = 0;
  std::uint32_t manifest_size = 0, pad3 = 0;
};

static_assert(sizeof(CreateInfo) == 0x58);

constexpr std::uint32_t kCreateSuccess = 6;

NtStatus create_user_process(ServiceCall& call) {
  ObjectAttributes process_object;
  ObjectAttributes thread_object;
  if (!call.memory.probe(call[0], 8) || !call.memory.probe(call[1], 8) ||
      !call.memory.probe(call[9], sizeof(CreateInfo)))
    return status::access_violation;
  if (const NtStatus read = call.memory.object_attributes(call[4], process_object);
      read != status::success)
    return read;
  if (const NtStatus read = call.memory.object_attributes(call[5], thread_object);
      read != status::success)
    return read;
  std::optional<ProcessParameters> parameters;
  if (call[8] != 0) {
    if (const NtStatus read = call.memory.parameters(call[8], parameters.emplace());
        read != status::success)
      return read;
  }
  CreateInfo record;
  if (!call.memory.get(call[9], record)) return status::access_violation;
  UserProcessInfo info;
  info.size = record.size;
  info.state = record.state;
  UserProcessAttributes attributes;
  if (const NtStatus read = call.memory.attributes(call[10], attributes); read != status::success)
    return read;
  if (const NtStatus probed = call.memory.answer(call[10], attributes, true);
      probed != status::success)
    return probed;
  HandleValue process = 0;
  HandleValue thread = 0;
  const NtStatus answer = call.nt.create_user_process(
      process, thread, call.word(2), call.word(3), process_object, thread_object, call.word(6),
      call.word(7), parameters ? &*parameters : nullptr, info, attributes);
  // A failure that has a state says it; arguments that were refused leave the record alone.
  if (info.state != record.state) {
    record.state = info.state;
    if (info.state == kCreateSuccess) {
      record.output_flags = info.output_flags;
      record.file = info.file;
      record.section = info.section;
      record.parameters = info.parameters;
      record.peb = info.peb;
    }
    call.memory.put(call[9], record);
  }
  if (!answer.succeeded()) return answer;
  call.memory.put(call[0], process);
  call.memory.put(call[1], thread);
  // Cannot fail: it was probed.
  (void)call.memory.answer(call[10], attributes, false);
  return answer;
}

NtStatus open_process(ServiceCall& call) {
  return make_handle(call, 0, 2, [&](HandleValue& made, const ObjectAttributes& object) {
    ClientId id;
    if (call[3] != 0 && !call.memory.get(call[3], id)) return status::access_violation;
    return call.nt.open_process(made, call.word(1), object, call[3] != 0 ? &id : nullptr);
  });
}

NtStatus terminate_process(ServiceCall& call) {
  return call.nt.terminate_process(call[0], NtStatus{call.word(1)});
}

NtStatus suspend_process(ServiceCall& call) {
  return call.nt.suspend_process(call[0]);
}

NtStatus resume_process(ServiceCall& call) {
  return call.nt.resume_process(call[0]);
}

NtStatus get_next_process(ServiceCall& call) {
  if (!call.memory.probe(call[4], 8)) return status::access_violation;
  HandleValue next = 0;
  const NtStatus answer =
      call.nt.get_next_process(call[0], call.word(1), call.word(2), call.word(3), next);
  if (answer.succeeded()) call.memory.put(call[4], next);
  return answer;
}

NtStatus query_information_process(ServiceCall& call) {
  return fill_buffer<std::uint32_t>(
      call, 2, 3, 4, [&](std::span<std::byte> to, std::uint32_t& length) {
        return call.nt.query_information_process(call[0], call.word(1), to, length);
      });
}

NtStatus set_information_process(ServiceCall& call) {
  return take_buffer(call, 2, 3, [&](std::span<const std::byte> from) {
    return call.nt.set_information_process(call[0], call.word(1), from);
  });
}

}  // namespace

std::span<const Service> process_services() {
  static constexpr std::array kServices = {
      Service{kServiceCreateProcess, "NtCreateProcess", create_process},
      Service{kServiceCreateProcessEx, "NtCreateProcessEx", create_process_ex},
      // The call itself refuses Nt52, after nothing: see create_user_process.cc.
      Service{kServiceCreateUserProcess, "NtCreateUserProcess", create_user_process,
              NtProfile::nt60},
      Service{kServiceOpenProcess, "NtOpenProcess", open_process},
      Service{kServiceTerminateProcess, "NtTerminateProcess", terminate_process},
      Service{kServiceSuspendProcess, "NtSuspendProcess", suspend_process},
      Service{kServiceResumeProcess, "NtResumeProcess", resume_process},
      Service{kServiceGetNextProcess, "NtGetNextProcess", get_next_process},
      Service{kServiceQueryInformationProcess, "NtQueryInformationProcess",
              query_information_process},
      Service{kServiceSetInformationProcess, "NtSetInformationProcess", set_information_process},
  };
  return kServices;
}

}  // namespace doppel
