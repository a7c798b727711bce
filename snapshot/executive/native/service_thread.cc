// SPDX-License-Identifier: Apache-2.0
//
// System calls on threads, and those that load the registers of the caller itself.
#include <array>

#include <snapshot/executive/cpu/guest_services.h>
#include <snapshot/executive/ke/exception.h>
#include <snapshot/executive/native/service_call.h>

namespace doppel {
namespace {

NtStatus create_thread(ServiceCall& call) {
  return make_handle(call, 0, 2, [&](HandleValue& made, const ObjectAttributes& object) {
    InitialTeb teb;
    ContextBytes record;
    NtContext context;
    if (call[4] != 0 && !call.memory.probe(call[4], sizeof(ClientId)))
      return status::access_violation;
    if (call[5] != 0) {
      if (!call.memory.copy_in(call[5], record)) return status::access_violation;
      load_context(record, context);
    }
    if (!call.memory.get(call[6], teb)) return status::access_violation;
    ClientId id;
    const NtStatus answer =
        call.nt.create_thread(made, call.word(1), object, call[3], id,
                              call[5] != 0 ? &context : nullptr, teb, call.flag(7));
    if (answer.succeeded()) call.memory.put_if(call[4], id);
    return answer;
  });
}

NtStatus create_thread_ex(ServiceCall& call) {
  return make_handle(call, 0, 2, [&](HandleValue& made, const ObjectAttributes& object) {
    // Argument 7, ZeroBits, is for places of stacks that the model does not choose.
    return call.nt.create_thread_ex(made, call.word(1), object, call[3], call[4], call[5],
                                    call.word(6), call[8], call[9]);
  });
}

NtStatus open_thread(ServiceCall& call) {
  return make_handle(call, 0, 2, [&](HandleValue& made, const ObjectAttributes& object) {
    ClientId id;
    if (!call.memory.get(call[3], id)) return status::access_violation;
    return call.nt.open_thread(made, call.word(1), object, id);
  });
}

NtStatus terminate_thread(ServiceCall& call) {
  return call.nt.terminate_thread(call[0], NtStatus{call.word(1)});
}

/// NtSuspendThread and its kin: a handle, and a place for the previous count.
template <auto kCall, typename Count>
NtStatus previous_count(ServiceCall& call) {
  if (call[1] != 0 && !call.memory.probe(call[1], sizeof(Count))) return status::access_violation;
  Count previous = 0;
  const NtStatus answer = (call.nt.*kCall)(call[0], previous);
  if (answer.succeeded()) call.memory.put_if(call[1], previous);
  return answer;
}

NtStatus get_context_thread(ServiceCall& call) {
  ContextBytes record;
  if (!call.memory.copy_in(call[1], record) || !call.memory.probe(call[1], record.size()))
    return status::access_violation;
  NtContext context;
  const NtStatus answer = call.nt.get_context_thread(call[0], context);
  if (!answer.succeeded()) return answer;
  store_context(context, context_flags(record), record);
  call.memory.copy_out(call[1], record);
  return answer;
}

NtStatus set_context_thread(ServiceCall& call) {
  ContextBytes record;
  if (!call.memory.copy_in(call[1], record)) return status::access_violation;
  const NtStatus answer = call.nt.set_context_thread(call[0], record);
  return answer;
}

NtStatus get_next_thread(ServiceCall& call) {
  if (!call.memory.probe(call[5], 8)) return status::access_violation;
  HandleValue next = 0;
  const NtStatus answer =
      call.nt.get_next_thread(call[0], call[1], call.word(2), call.word(3), call.word(4), next);
  if (answer.succeeded()) call.memory.put(call[5], next);
  return answer;
}

NtStatus query_information_thread(ServiceCall& call) {
  return fill_buffer<std::uint32_t>(
      call, 2, 3, 4, [&](std::span<std::byte> to, std::uint32_t& length) {
        return call.nt.query_information_thread(call[0], call.word(1), to, length);
      });
}

NtStatus set_information_thread(ServiceCall& call) {
  return take_buffer(call, 2, 3, [&](std::span<const std::byte> from) {
    return call.nt.set_information_thread(call[0], call.word(1), from);
  });
}

NtStatus continue_thread(ServiceCall& call) {
  ContextBytes record;
  if (!call.memory.copy_in(call[0], record)) return status::access_violation;
  load_context(record, call.thread.context);
  call.keeps_registers = true;
  return status::success;
}

NtStatus raise_exception_call(ServiceCall& call) {
  std::array<std::byte, kExceptionRecordSize> record;
  ContextBytes context;
  if (!call.memory.copy_in(call[0], record) || !call.memory.copy_in(call[1], context))
    return status::access_violation;
  load_context(context, call.thread.context);
  call.keeps_registers = true;
  raise_exception(call.executive, call.thread, load_record(record), call.flag(2));
  return status::success;
}

NtStatus yield_execution(ServiceCall& call) {
  return call.nt.yield_execution();
}

NtStatus delay_execution(ServiceCall& call) {
  std::int64_t interval = 0;
  if (!call.memory.get(call[1], interval)) return status::access_violation;
  return call.nt.delay_execution(interval);
}

}  // namespace

std::span<const Service> thread_services() {
  static constexpr std::array kServices = {
      Service{kServiceCreateThread, "NtCreateThread", create_thread},
      Service{kServiceCreateThreadEx, "NtCreateThreadEx", create_thread_ex, NtProfile::nt60},
      Service{kServiceOpenThread, "NtOpenThread", open_thread},
      Service{kServiceTerminateThread, "NtTerminateThread", terminate_thread},
      Service{kServiceSuspendThread, "NtSuspendThread",
              previous_count<&NtApi::suspend_thread, std::uint32_t>},
      Service{kServiceResumeThread, "NtResumeThread",
              previous_count<&NtApi::resume_thread, std::uint32_t>},
      Service{kServiceGetContextThread, "NtGetContextThread", get_context_thread},
      Service{kServiceSetContextThread, "NtSetContextThread", set_context_thread},
      Service{kServiceGetNextThread, "NtGetNextThread", get_next_thread},
      Service{kServiceQueryInformationThread, "NtQueryInformationThread", query_information_thread},
      Service{kServiceSetInformationThread, "NtSetInformationThread", set_information_thread},
      Service{kServiceContinue, "NtContinue", continue_thread},
      Service{kServiceRaiseException, "NtRaiseException", raise_exception_call},
      Service{kServiceYieldExecution, "NtYieldExecution", yield_execution},
      Service{kServiceDelayExecution, "NtDelayExecution", delay_execution},
  };
  return kServices;
}

}  // namespace doppel
