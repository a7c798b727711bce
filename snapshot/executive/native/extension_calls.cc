// SPDX-License-Identifier: Apache-2.0
//
// The model's own calls: crash ports and the first-chance dispatcher.
#include <snapshot/executive/ke/exception.h>
#include <snapshot/executive/native/nt_api.h>

namespace doppel {
namespace {

constexpr AccessMask kPortUse = 1;

}  // namespace

NtStatus NtApi::set_exception_dispatcher(std::uint64_t address) {
  return told("NtxSetExceptionDispatcher", [&]() -> NtStatus {
    if (address >= kUserEnd) return status::invalid_parameter;
    caller_.process->exception_dispatcher = address;
    return status::success;
  });
}

NtStatus NtApi::create_crash_port(HandleValue& handle, AccessMask desired,
                                  const ObjectAttributes& object) {
  return told("NtxCreateCrashPort", [&]() -> NtStatus {
    const NtStatus valid = check_attributes(ObjectType::crash_port, object);
    if (!valid.succeeded()) return valid;
    if (!may_allocate_object()) return status::insufficient_resources;
    const ObjectRef<Object> port(new CrashPort(executive_, executive_.counters()));
    return insert_object(port, desired, object, handle);
  });
}

NtStatus NtApi::set_crash_port(HandleValue process_handle, HandleValue port_handle) {
  return told("NtxSetCrashPort", [&]() -> NtStatus {
    ObjectRef<CrashPort> port;
    if (port_handle != 0) {
      const NtStatus found = reference(port_handle, ObjectType::crash_port, kPortUse, port);
      if (!found.succeeded()) return found;
    }
    if (process_handle == 0) {
      executive_.system_crash_port = port;
      return status::success;
    }
    ObjectRef<Process> process;
    const NtStatus referenced =
        reference(process_handle, ObjectType::process, process_access::set_information, process);
    if (!referenced.succeeded()) return referenced;
    if (process->exiting) return status::process_is_terminating;
    process->crash_port = port;
    return status::success;
  });
}

NtStatus NtApi::receive_crash(HandleValue handle, CrashMessage& message) {
  return told("NtxReceiveCrash", [&]() -> NtStatus {
    ObjectRef<CrashPort> port;
    const NtStatus found = reference(handle, ObjectType::crash_port, kPortUse, port);
    if (!found.succeeded()) return found;
    if (port->queue.empty()) return status::no_more_entries;
    message = port->queue.front();
    port->queue.pop_front();
    return status::success;
  });
}

NtStatus NtApi::reply_crash(HandleValue handle, std::uint64_t sequence, NtStatus answer,
                            const NtContext* context) {
  return told("NtxReplyCrash", [&]() -> NtStatus {
    ObjectRef<CrashPort> port;
    const NtStatus found = reference(handle, ObjectType::crash_port, kPortUse, port);
    if (!found.succeeded()) return found;
    return reply_to_crash(executive_, *port, sequence, answer, context);
  });
}

}  // namespace doppel
