// SPDX-License-Identifier: Apache-2.0
//
// Native calls on threads. Order of checks: thread.c and state.c of ReactOS.
#include <algorithm>
#include <cstring>

#include <snapshot/executive/ke/wait.h>
#include <snapshot/executive/mm/address_space.h>
#include <snapshot/executive/mm/section.h>
#include <snapshot/executive/native/nt_api.h>
#include <snapshot/executive/native/process_flags.h>
#include <snapshot/executive/native/query_result.h>
#include <snapshot/executive/ps/process_create.h>
#include <snapshot/executive/ps/process_exit.h>

namespace doppel {
namespace {

namespace ta = thread_access;

enum ThreadClass : std::uint32_t {
  basic = 0,
  start_address = 9,
  is_terminated = 20,
  suspend_count = 35,
  name_information = 38,
};

/// For a program without headers of its own: what NT takes then.
constexpr std::uint64_t kDefaultReserve = 0x100000, kDefaultCommit = 0x1000;

}  // namespace

NtStatus NtApi::create_thread(HandleValue& handle, AccessMask desired,
                              const ObjectAttributes& object, HandleValue process_handle,
                              ClientId& id, const NtContext* context, const InitialTeb& initial_teb,
                              bool suspended) {
  return told("NtCreateThread", [&]() -> NtStatus {
    const NtStatus valid = check_attributes(ObjectType::thread, object);
    if (!valid.succeeded()) return valid;
    if (context == nullptr) return status::invalid_parameter;
    ObjectRef<Process> process;
    const NtStatus referenced =
        reference(process_handle, ObjectType::process, process_access::create_thread, process);
    if (!referenced.succeeded()) return referenced;
    ObjectRef<NtThread> thread;
    const NtStatus made = make_thread(*process,
                                      {.context = *context,
                                       .initial_teb = initial_teb,
                                       .existing_teb = 0,
                                       .suspended = suspended,
                                       .start_address = context->registers.rip,
                                       .creator = &token()},
                                      thread);
    if (!made.succeeded()) return made;
    ObjectAttributes unnamed = object;
    unnamed.name.reset();
    const NtStatus given = insert_object(ObjectRef<Object>(thread.get()), desired, unnamed, handle);
    if (!given.succeeded()) {
      unmake_thread(*thread);
      return given;
    }
    id = {process->id, thread->id};
    return status::success;
  });
}

NtStatus NtApi::create_thread_ex(HandleValue& handle, AccessMask desired,
                                 const ObjectAttributes& object, HandleValue process_handle,
                                 std::uint64_t start, std::uint64_t argument, std::uint32_t flags,
                                 std::uint64_t stack_commit, std::uint64_t stack_reserve) {
  return told("NtCreateThreadEx", [&]() -> NtStatus {
    if (executive_.options().profile == NtProfile::nt52) return status::invalid_system_service;
    if ((flags & ~thread_flag::known) != 0) return status::invalid_parameter;
    const NtStatus valid = check_attributes(ObjectType::thread, object);
    if (!valid.succeeded()) return valid;
    ObjectRef<Process> process;
    const NtStatus referenced =
        reference(process_handle, ObjectType::process, process_access::create_thread, process);
    if (!referenced.succeeded()) return referenced;
    const bool barren =
        process->threadless_clone && executive_.options().profile == NtProfile::nt63;
    if (process->exiting || barren) return status::process_is_terminating;
    const Section* image = process->section.get();
    if (stack_reserve == 0)
      stack_reserve = image != nullptr ? image->image().stack_reserve : kDefaultReserve;
    if (stack_commit == 0)
      stack_commit = image != nullptr ? image->image().stack_commit : kDefaultCommit;
    ThreadSpecification specification;
    const NtStatus stacked =
        make_stack(*process->space, stack_reserve, stack_commit, specification.initial_teb);
    if (!stacked.succeeded()) return stacked;
    const auto drop_stack = [&] {
      std::uint64_t base = specification.initial_teb.stack_allocation_base, size = 0;
      [[maybe_unused]] const NtStatus freed = process->space->free(base, size, mem::release);
    };
    specification.start_address = start;
    specification.suspended = (flags & thread_flag::create_suspended) != 0;
    specification.creator = &token();
    specification.context.registers.rip = start;
    specification.context.registers.general[kRcx] = argument;
    specification.context.registers.general[kRsp] = specification.initial_teb.stack_base - 0x28;
    ObjectRef<NtThread> thread;
    const NtStatus made = make_thread(*process, specification, thread);
    if (!made.succeeded()) {
      drop_stack();
      return made;
    }
    ObjectAttributes unnamed = object;
    unnamed.name.reset();
    const NtStatus given = insert_object(ObjectRef<Object>(thread.get()), desired, unnamed, handle);
    if (!given.succeeded()) {
      unmake_thread(*thread);
      drop_stack();
    }
    return given;
  });
}

NtStatus NtApi::open_thread(HandleValue& handle, AccessMask desired, const ObjectAttributes& object,
                            const ClientId& id) {
  return told("NtOpenThread", [&]() -> NtStatus {
    if (object.name) return status::invalid_parameter_mix;
    const NtStatus valid = check_attributes(ObjectType::thread, object);
    if (!valid.succeeded()) return valid;
    NtThread* thread = executive_.find_thread(static_cast<std::uint32_t>(id.thread));
    if (thread == nullptr || (id.process != 0 && thread->process->id != id.process))
      return status::invalid_cid;
    return open_object(ObjectRef<Object>(thread), desired, object.attributes, handle);
  });
}

NtStatus NtApi::terminate_thread(HandleValue handle, NtStatus exit_status) {
  return told("NtTerminateThread", [&]() -> NtStatus {
    ObjectRef<NtThread> thread(caller_.thread);
    if (handle == 0) {
      if (caller_.thread == nullptr) return status::invalid_handle;
      if (caller_.process->threads.size() == 1) return status::cant_terminate_self;
    } else {
      const NtStatus referenced = reference(handle, ObjectType::thread, ta::terminate, thread);
      if (!referenced.succeeded()) return referenced;
    }
    end_thread(*thread, exit_status);
    return status::success;
  });
}

NtStatus NtApi::suspend_thread(HandleValue handle, std::uint32_t& previous) {
  return told("NtSuspendThread", [&]() -> NtStatus {
    ObjectRef<NtThread> thread;
    const NtStatus referenced = reference(handle, ObjectType::thread, ta::suspend_resume, thread);
    if (!referenced.succeeded()) return referenced;
    if (thread->terminated() || executive_.faults().fault(FaultSite::thread_suspend))
      return status::thread_is_terminating;
    if (thread->suspend_count == kMaximumSuspendCount) return status::suspend_count_exceeded;
    previous = thread->suspend_count++;
    return status::success;
  });
}

NtStatus NtApi::resume_thread(HandleValue handle, std::uint32_t& previous) {
  return told("NtResumeThread", [&]() -> NtStatus {
    ObjectRef<NtThread> thread;
    AccessMask granted = 0;
    // A protected thread gives RESUME where it refuses the wider right.
    NtStatus referenced = reference(handle, ObjectType::thread, 0, thread, &granted);
    if (!referenced.succeeded()) return referenced;
    if (caller_.mode == CallerMode::user && (granted & (ta::suspend_resume | ta::resume)) == 0)
      return status::access_denied;
    previous = thread->suspend_count;
    if (thread->suspend_count > 0) --thread->suspend_count;
    return status::success;
  });
}

NtStatus NtApi::get_context_thread(HandleValue handle, NtContext& context) {
  return told("NtGetContextThread", [&]() -> NtStatus {
    ObjectRef<NtThread> thread;
    const NtStatus referenced = reference(handle, ObjectType::thread, ta::get_context, thread);
    if (!referenced.succeeded()) return referenced;
    if (thread->terminated()) return status::unsuccessful;
    context = thread->context;
    return status::success;
  });
}

NtStatus NtApi::set_context_thread(HandleValue handle,
                                   std::span<const std::byte, kContextSize> context) {
  return told("NtSetContextThread", [&]() -> NtStatus {
    ObjectRef<NtThread> thread;
    const NtStatus referenced = reference(handle, ObjectType::thread, ta::set_context, thread);
    if (!referenced.succeeded()) return referenced;
    if (thread->terminated()) return status::unsuccessful;
    load_context(context, thread->context);
    return status::success;
  });
}

NtStatus NtApi::get_next_thread(HandleValue process_handle, HandleValue thread_handle,
                                AccessMask desired, std::uint32_t attributes, std::uint32_t flags,
                                HandleValue& next) {
  return told("NtGetNextThread", [&]() -> NtStatus {
    if (flags != 0) return status::invalid_parameter;
    ObjectRef<Process> process;
    const NtStatus referenced =
        reference(process_handle, ObjectType::process, process_access::query_information, process);
    if (!referenced.succeeded()) return referenced;
    std::uint32_t after = 0;
    if (thread_handle != 0) {
      ObjectRef<NtThread> thread;
      const NtStatus found = reference(thread_handle, ObjectType::thread, 0, thread);
      if (!found.succeeded()) return found;
      if (thread->process.get() != process.get()) return status::invalid_parameter;
      after = thread->id;
    }
    for (const ObjectRef<NtThread>& thread : process->threads) {
      if (thread->id <= after) continue;
      const NtStatus opened =
          open_object(ObjectRef<Object>(thread.get()), desired, attributes, next);
      if (opened != status::access_denied) return opened;
    }
    return status::no_more_entries;
  });
}

NtStatus NtApi::do_query_thread(HandleValue handle, std::uint32_t information_class,
                                std::span<std::byte> to, std::uint32_t& length) {
  std::size_t wanted = 0;
  switch (information_class) {
    case basic:
      wanted = sizeof(ThreadBasicInformation);
      break;
    case start_address:
      wanted = 8;
      break;
    case is_terminated:
    case suspend_count:
      wanted = 4;
      break;
    case name_information:
      break;
    default:
      return status::invalid_info_class;
  }
  if (wanted != 0 && to.size() != wanted) return status::info_length_mismatch;
  ObjectRef<NtThread> thread;
  const AccessMask right =
      information_class == start_address ? ta::query_information : ta::query_limited;
  const NtStatus referenced = reference(handle, ObjectType::thread, right, thread);
  if (!referenced.succeeded()) return referenced;
  switch (information_class) {
    case basic:
      return answer(ThreadBasicInformation{.exit_status = thread->exit_status.value,
                                           .teb = thread->teb,
                                           .id = {thread->process->id, thread->id}},
                    to, length);
    case start_address:
      return answer(thread->start_address, to, length);
    case is_terminated:
      return answer(std::uint32_t{thread->terminated()}, to, length);
    case suspend_count:
      return answer(thread->suspend_count, to, length);
    default:
      return answer_string(thread->name, to, length);
  }
}

NtStatus NtApi::query_information_thread(HandleValue handle, std::uint32_t information_class,
                                         std::span<std::byte> to, std::uint32_t& length) {
  return told("NtQueryInformationThread",
              [&] { return do_query_thread(handle, information_class, to, length); });
}

NtStatus NtApi::set_information_thread(HandleValue handle, std::uint32_t information_class,
                                       std::span<const std::byte> from) {
  return told("NtSetInformationThread", [&]() -> NtStatus {
    if (information_class != name_information) return status::invalid_info_class;
    if (from.size() % 2 != 0 || from.size() > 0xFFFE) return status::info_length_mismatch;
    ObjectRef<NtThread> thread;
    const NtStatus referenced = reference(handle, ObjectType::thread, ta::set_limited, thread);
    if (!referenced.succeeded()) return referenced;
    std::u16string wide(from.size() / 2, u'\0');
    std::memcpy(wide.data(), from.data(), from.size());
    thread->name = utf8_of(wide);
    return status::success;
  });
}

NtStatus NtApi::delay_execution(std::int64_t interval) {
  return told("NtDelayExecution", [&]() -> NtStatus {
    if (interval == 0) {
      executive_.stepper().end_quantum();
      return status::success;
    }
    ThreadWait wait;
    wait.kind = WaitKind::delay;
    wait.deadline = deadline_of(executive_, interval);
    return block(std::move(wait), [] { return std::optional<NtStatus>(); });
  });
}

NtStatus NtApi::yield_execution() {
  return told("NtYieldExecution", [&] {
    executive_.stepper().end_quantum();
    return status::success;
  });
}

}  // namespace doppel
