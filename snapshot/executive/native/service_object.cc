// SPDX-License-Identifier: Apache-2.0
//
// System calls on objects of any type, on events, mutants and waits, on tokens, and the model's
// own.
#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include <snapshot/executive/counters.h>
#include <snapshot/executive/cpu/guest_services.h>
#include <snapshot/executive/ke/exception.h>
#include <snapshot/executive/native/service_call.h>

namespace doppel {
namespace {

NtStatus close(ServiceCall& call) {
  return call.nt.close(call[0]);
}

NtStatus duplicate_object(ServiceCall& call) {
  if (call[3] != 0 && !call.memory.probe(call[3], 8)) return status::access_violation;
  HandleValue made = 0;
  const NtStatus answer = call.nt.duplicate_object(call[0], call[1], call[2], made, call.word(4),
                                                   call.word(5), call.word(6));
  if (answer.succeeded()) call.memory.put_if(call[3], made);
  return answer;
}

NtStatus query_object(ServiceCall& call) {
  return fill_buffer<std::uint32_t>(
      call, 2, 3, 4, [&](std::span<std::byte> to, std::uint32_t& length) {
        return call.nt.query_object(call[0], call.word(1), to, length);
      });
}

/// OBJECT_HANDLE_FLAG_INFORMATION, class 4.
NtStatus set_information_object(ServiceCall& call) {
  if (call.word(1) != 4) return status::invalid_info_class;
  if (call.word(3) != 2) return status::info_length_mismatch;
  std::array<std::uint8_t, 2> flags{};
  if (!call.memory.get(call[2], flags)) return status::access_violation;
  return call.nt.set_information_object(call[0], flags[0] != 0, flags[1] != 0);
}

NtStatus create_directory(ServiceCall& call) {
  return make_handle(call, 0, 2, [&](HandleValue& made, const ObjectAttributes& object) {
    return call.nt.create_directory_object(made, call.word(1), object);
  });
}

NtStatus create_event(ServiceCall& call) {
  return make_handle(call, 0, 2, [&](HandleValue& made, const ObjectAttributes& object) {
    return call.nt.create_event(made, call.word(1), object, call.word(3), call.flag(4));
  });
}

NtStatus create_mutant(ServiceCall& call) {
  return make_handle(call, 0, 2, [&](HandleValue& made, const ObjectAttributes& object) {
    return call.nt.create_mutant(made, call.word(1), object, call.flag(3));
  });
}

/// NtOpenEvent and NtOpenMutant.
template <auto kCall>
NtStatus open(ServiceCall& call) {
  return make_handle(call, 0, 2, [&](HandleValue& made, const ObjectAttributes& object) {
    return (call.nt.*kCall)(made, call.word(1), object);
  });
}

/// A handle, and a place for the previous state.
template <auto kCall, typename State>
NtStatus previous_state(ServiceCall& call) {
  if (call[1] != 0 && !call.memory.probe(call[1], sizeof(State))) return status::access_violation;
  State previous = 0;
  const NtStatus answer = (call.nt.*kCall)(call[0], previous);
  if (answer.succeeded()) call.memory.put_if(call[1], previous);
  return answer;
}

NtStatus wait_for_single_object(ServiceCall& call) {
  std::optional<std::int64_t> timeout;
  if (const NtStatus read = call.memory.optional_integer(call[2], timeout); read != status::success)
    return read;
  return call.nt.wait_for_single_object(call[0], timeout);
}

NtStatus open_process_token(ServiceCall& call) {
  if (!call.memory.probe(call[2], 8)) return status::access_violation;
  HandleValue made = 0;
  const NtStatus answer = call.nt.open_process_token(call[0], call.word(1), made);
  if (answer.succeeded()) call.memory.put(call[2], made);
  return answer;
}

NtStatus duplicate_token(ServiceCall& call) {
  return make_handle(call, 5, 2, [&](HandleValue& made, const ObjectAttributes& object) {
    // TOKEN_TYPE: 1 primary, 2 impersonation.
    if (call.word(4) != 1 && call.word(4) != 2) return status::invalid_parameter;
    return call.nt.duplicate_token(
        call[0], call.word(1), object,
        call.word(4) == 1 ? TokenKind::primary : TokenKind::impersonation, made);
  });
}

/// Classes 8 TokenType and, as the plain level instead of a SID, 25 TokenIntegrityLevel [M].
NtStatus query_information_token(ServiceCall& call) {
  return fill_buffer<std::uint32_t>(
      call, 2, 3, 4, [&](std::span<std::byte> to, std::uint32_t& length) {
        if (call.word(1) != 8 && call.word(1) != 25) return status::invalid_info_class;
        TokenData contents;
        const NtStatus answer = call.nt.query_token(call[0], contents);
        if (!answer.succeeded()) return answer;
        length = sizeof(std::uint32_t);
        if (to.size() < length) return status::buffer_too_small;
        const std::uint32_t value = call.word(1) == 25                    ? contents.integrity_level
                                    : contents.kind == TokenKind::primary ? 1
                                                                          : 2;
        std::memcpy(to.data(), &value, sizeof value);
        return answer;
      });
}

/// LUIDs of the privileges that the model knows (winnt.h), and SE_PRIVILEGE_ENABLED.
std::optional<Privilege> privilege_of(std::uint64_t luid) {
  switch (luid) {
    case 3:
      return Privilege::assign_primary_token;
    case 7:
      return Privilege::tcb;
    case 20:
      return Privilege::debug;
    default:
      return std::nullopt;
  }
}

/// (token, DisableAll, new, length, previous, length): TOKEN_PRIVILEGES with one entry [M].
NtStatus adjust_privileges(ServiceCall& call) {
  struct OnePrivilege {
    std::uint32_t count = 0, luid_low = 0, luid_high = 0, attributes = 0;
  } wanted;

  if (call.flag(1)) return status::not_supported;
  if (!call.memory.get(call[2], wanted)) return status::access_violation;
  const std::optional<Privilege> privilege =
      privilege_of(std::uint64_t{wanted.luid_high} << 32 | wanted.luid_low);
  if (wanted.count != 1 || !privilege) return status::invalid_parameter;
  return call.nt.adjust_privilege(call[0], *privilege, (wanted.attributes & 2) != 0);
}

NtStatus set_exception_dispatcher(ServiceCall& call) {
  return call.nt.set_exception_dispatcher(call[0]);
}

NtStatus create_crash_port(ServiceCall& call) {
  return make_handle(call, 0, 2, [&](HandleValue& made, const ObjectAttributes& object) {
    return call.nt.create_crash_port(made, call.word(1), object);
  });
}

NtStatus set_crash_port(ServiceCall& call) {
  return call.nt.set_crash_port(call[0], call[1]);
}

/// What NtxReceiveCrash writes: sequence, process and thread, EXCEPTION_RECORD, CONTEXT.
struct CrashBytes {
  std::uint64_t sequence = 0;
  std::uint32_t process = 0, thread = 0;
  std::array<std::byte, kExceptionRecordSize> record{};
  std::uint64_t pad = 0;
  ContextBytes context{};
};

NtStatus receive_crash(ServiceCall& call) {
  if (!call.memory.probe(call[1], sizeof(CrashBytes))) return status::access_violation;
  CrashMessage message;
  const NtStatus answer = call.nt.receive_crash(call[0], message);
  if (answer != status::success) return answer;
  CrashBytes bytes{.sequence = message.sequence,
                   .process = message.process,
                   .thread = message.thread,
                   .record = store_record(message.record)};
  store_context(message.context, context_part::all, bytes.context);
  call.memory.put(call[1], bytes);
  return answer;
}

NtStatus reply_crash(ServiceCall& call) {
  NtContext context;
  if (call[3] != 0) {
    ContextBytes bytes;
    if (!call.memory.copy_in(call[3], bytes)) return status::access_violation;
    load_context(bytes, context);
  }
  return call.nt.reply_crash(call[0], call[1], NtStatus{call.word(2)},
                             call[3] != 0 ? &context : nullptr);
}

NtStatus query_stats(ServiceCall& call) {
  if (!call.memory.probe(call[0], sizeof(Counters))) return status::access_violation;
  call.memory.put(call[0], call.executive.counters());
  return status::success;
}

}  // namespace

std::span<const Service> object_services() {
  static constexpr std::array kServices = {
      Service{kServiceClose, "NtClose", close},
      Service{kServiceDuplicateObject, "NtDuplicateObject", duplicate_object},
      Service{kServiceQueryObject, "NtQueryObject", query_object},
      Service{kServiceSetInformationObject, "NtSetInformationObject", set_information_object},
      Service{kServiceCreateDirectoryObject, "NtCreateDirectoryObject", create_directory},
      Service{kServiceCreateEvent, "NtCreateEvent", create_event},
      Service{kServiceOpenEvent, "NtOpenEvent", open<&NtApi::open_event>},
      Service{kServiceSetEvent, "NtSetEvent", previous_state<&NtApi::set_event, std::uint32_t>},
      Service{kServiceResetEvent, "NtResetEvent",
              previous_state<&NtApi::reset_event, std::uint32_t>},
      Service{kServiceCreateMutant, "NtCreateMutant", create_mutant},
      Service{kServiceOpenMutant, "NtOpenMutant", open<&NtApi::open_mutant>},
      Service{kServiceReleaseMutant, "NtReleaseMutant",
              previous_state<&NtApi::release_mutant, std::int32_t>},
      Service{kServiceWaitForSingleObject, "NtWaitForSingleObject", wait_for_single_object},
      Service{kServiceOpenProcessToken, "NtOpenProcessToken", open_process_token},
      Service{kServiceDuplicateToken, "NtDuplicateToken", duplicate_token},
      Service{kServiceQueryInformationToken, "NtQueryInformationToken", query_information_token},
      Service{kServiceAdjustPrivilegesToken, "NtAdjustPrivilegesToken", adjust_privileges},
      Service{kServiceSetExceptionDispatcher, "NtxSetExceptionDispatcher",
              set_exception_dispatcher},
      Service{kServiceCreateCrashPort, "NtxCreateCrashPort", create_crash_port},
      Service{kServiceSetCrashPort, "NtxSetCrashPort", set_crash_port},
      Service{kServiceReceiveCrash, "NtxReceiveCrash", receive_crash},
      Service{kServiceReplyCrash, "NtxReplyCrash", reply_crash},
      Service{kServiceQueryStats, "NtxQueryStats", query_stats},
  };
  return kServices;
}

}  // namespace doppel
