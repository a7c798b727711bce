// SPDX-License-Identifier: Apache-2.0
//
// Native calls on processes that exist.
#include <algorithm>
#include <cstring>

#include <snapshot/executive/mm/address_space.h>
#include <snapshot/executive/native/nt_api.h>
#include <snapshot/executive/native/process_flags.h>
#include <snapshot/executive/native/query_result.h>
#include <snapshot/executive/ps/process_exit.h>
#include <snapshot/executive/se/access_check.h>

namespace doppel {
namespace {

namespace pa = process_access;

enum ProcessClass : std::uint32_t {
  basic = 0,
  vm_counters = 3,
  times = 4,
  access_token = 9,
  handle_count = 20,
  image_file_name = 27,
  handle_information = 51,
  protection_information = 61,
};

VmCounters counters_of(const Process& process) {
  VmCounters counters;
  counters.working_set = process.space->working_set() * kNtPageSize;
  counters.peak_working_set = process.space->peak_working_set() * kNtPageSize;
  counters.pagefile_usage = process.space->commit_charge() * kNtPageSize;
  counters.peak_pagefile_usage = process.space->peak_commit_charge() * kNtPageSize;
  for (const auto& [first, vad] : process.space->vads())
    counters.virtual_size += (vad.last - vad.first) * kNtPageSize;
  counters.peak_virtual_size = counters.virtual_size;
  return counters;
}

KernelUserTimes times_of(const Process& process) {
  KernelUserTimes times{.create = process.create_time, .exit = process.exit_time};
  for (const ObjectRef<NtThread>& thread : process.threads) times.user += thread->instructions;
  return times;
}

std::vector<std::byte> handles_of(const Process& process) {
  std::vector<std::byte> bytes(16);
  const std::uint64_t count = process.handles.count();
  std::memcpy(bytes.data(), &count, sizeof count);
  const auto entries = process.handles.entries();
  for (std::size_t index = 0; index < entries.size(); ++index) {
    const HandleEntry& entry = entries[index];
    if (!entry.object) continue;
    const HandleInformation information{
        .handle = 4 * (index + 1),
        .handle_count = entry.object->handle_count(),
        .pointer_count = entry.object->pointer_count(),
        .granted = entry.granted,
        .type = static_cast<std::uint32_t>(entry.object->type()),
        .attributes = (entry.inherit ? object_attribute::inherit : 0) |
                      (entry.protect_close ? object_attribute::protect_close : 0)};
    const auto* from = reinterpret_cast<const std::byte*>(&information);
    bytes.insert(bytes.end(), from, from + sizeof information);
  }
  return bytes;
}

}  // namespace

NtStatus NtApi::open_process(HandleValue& handle, AccessMask desired,
                             const ObjectAttributes& object, const ClientId* id) {
  return told("NtOpenProcess", [&]() -> NtStatus {
    if (object.name || id == nullptr) return status::invalid_parameter_mix;
    const NtStatus valid = check_attributes(ObjectType::process, object);
    if (!valid.succeeded()) return valid;
    Process* process = nullptr;
    if (id->thread != 0) {
      NtThread* thread = executive_.find_thread(static_cast<std::uint32_t>(id->thread));
      if (thread != nullptr) process = thread->process.get();
      if (process != nullptr && id->process != 0 && process->id != id->process) process = nullptr;
    } else {
      process = executive_.find_process(static_cast<std::uint32_t>(id->process));
    }
    if (process == nullptr) return status::invalid_cid;
    return open_object(ObjectRef<Object>(process), desired, object.attributes, handle);
  });
}

NtStatus NtApi::terminate_process(HandleValue handle, NtStatus exit_status) {
  return told("NtTerminateProcess", [&]() -> NtStatus {
    ObjectRef<Process> process(caller_.process);
    if (handle == 0) {
      const std::vector<ObjectRef<NtThread>> threads = process->threads;
      for (const ObjectRef<NtThread>& thread : threads) {
        if (thread.get() != caller_.thread) end_thread(*thread, exit_status);
      }
      return status::success;
    }
    const NtStatus referenced = reference(handle, ObjectType::process, pa::terminate, process);
    if (!referenced.succeeded()) return referenced;
    if (process->signalled) return status::process_is_terminating;
    const bool mine = process.get() == caller_.process;
    end_process(*process, exit_status, mine ? caller_.thread : nullptr);
    return status::success;
  });
}

NtStatus NtApi::suspend_process(HandleValue handle) {
  return told("NtSuspendProcess", [&]() -> NtStatus {
    ObjectRef<Process> process;
    const NtStatus referenced = reference(handle, ObjectType::process, pa::suspend_resume, process);
    if (!referenced.succeeded()) return referenced;
    if (process->exiting) return status::process_is_terminating;
    for (const ObjectRef<NtThread>& thread : process->threads) {
      // A thread that cannot be suspended once more, or dies now, does not spoil the others.
      const bool dies = executive_.faults().fault(FaultSite::thread_suspend);
      if (!dies && thread->suspend_count < kMaximumSuspendCount) ++thread->suspend_count;
    }
    return status::success;
  });
}

NtStatus NtApi::resume_process(HandleValue handle) {
  return told("NtResumeProcess", [&]() -> NtStatus {
    ObjectRef<Process> process;
    const NtStatus referenced = reference(handle, ObjectType::process, pa::suspend_resume, process);
    if (!referenced.succeeded()) return referenced;
    if (process->exiting) return status::process_is_terminating;
    for (const ObjectRef<NtThread>& thread : process->threads) {
      if (thread->suspend_count > 0) --thread->suspend_count;
    }
    return status::success;
  });
}

NtStatus NtApi::get_next_process(HandleValue handle, AccessMask desired, std::uint32_t attributes,
                                 std::uint32_t flags, HandleValue& next) {
  return told("NtGetNextProcess", [&]() -> NtStatus {
    if (flags != 0) return status::invalid_parameter;
    std::uint32_t after = 0;
    if (handle != 0) {
      ObjectRef<Process> process;
      const NtStatus referenced = reference(handle, ObjectType::process, 0, process);
      if (!referenced.succeeded()) return referenced;
      after = process->id;
    }
    for (auto at = executive_.processes().upper_bound(after); at != executive_.processes().end();
         ++at) {
      if (at->second->signalled) continue;
      const NtStatus opened = open_object(ObjectRef<Object>(at->second), desired, attributes, next);
      if (opened != status::access_denied) return opened;
    }
    return status::no_more_entries;
  });
}

NtStatus NtApi::do_query_process(HandleValue handle, std::uint32_t information_class,
                                 std::span<std::byte> to, std::uint32_t& length) {
  std::size_t wanted = 0;
  switch (information_class) {
    case basic:
      wanted = sizeof(ProcessBasicInformation);
      break;
    case vm_counters:
      wanted = sizeof(VmCounters);
      break;
    case times:
      wanted = sizeof(KernelUserTimes);
      break;
    case handle_count:
      wanted = 4;
      break;
    case protection_information:
      wanted = 1;
      break;
    case image_file_name:
    case handle_information:
      break;
    default:
      return status::invalid_info_class;
  }
  if (wanted != 0 && to.size() != wanted) return status::info_length_mismatch;
  ObjectRef<Process> process;
  const AccessMask right =
      information_class == handle_information ? pa::query_information : pa::query_limited;
  const NtStatus referenced = reference(handle, ObjectType::process, right, process);
  if (!referenced.succeeded()) return referenced;
  switch (information_class) {
    case basic:
      return answer(ProcessBasicInformation{.exit_status = process->exit_status.value,
                                            .peb = process->peb,
                                            .id = process->id,
                                            .inherited_from = process->inherited_from},
                    to, length);
    case vm_counters:
      return answer(counters_of(*process), to, length);
    case times:
      return answer(times_of(*process), to, length);
    case handle_count:
      return answer(static_cast<std::uint32_t>(process->handles.count()), to, length);
    case protection_information:
      return answer(process->protection.byte(), to, length);
    case image_file_name:
      if (!process->section) return status::process_is_terminating;
      return answer_string(process->image_name, to, length);
    default: {
      if (process->handles.swept()) return status::process_is_terminating;
      return answer_bytes(handles_of(*process), to, length);
    }
  }
}

NtStatus NtApi::query_information_process(HandleValue handle, std::uint32_t information_class,
                                          std::span<std::byte> to, std::uint32_t& length) {
  return told("NtQueryInformationProcess",
              [&] { return do_query_process(handle, information_class, to, length); });
}

NtStatus NtApi::set_information_process(HandleValue handle, std::uint32_t information_class,
                                        std::span<const std::byte> from) {
  return told("NtSetInformationProcess", [&]() -> NtStatus {
    if (information_class != access_token) return status::invalid_info_class;
    if (from.size() != 16) return status::info_length_mismatch;
    ObjectRef<Process> process;
    const NtStatus referenced =
        reference(handle, ObjectType::process, pa::set_information, process);
    if (!referenced.succeeded()) return referenced;
    if (caller_.mode == CallerMode::user && !token().has_enabled(Privilege::assign_primary_token))
      return status::privilege_not_held;
    HandleValue token_handle = 0;
    std::memcpy(&token_handle, from.data(), sizeof token_handle);
    TokenData contents;
    const NtStatus found = primary_token(token_handle, contents);
    if (!found.succeeded()) return found;
    if (process->started) return status::not_supported;
    if (!may_allocate_object()) return status::insufficient_resources;
    process->token = ObjectRef<Token>(new Token(contents, executive_.counters()));
    process->token->set_security(default_object_security(contents));
    return status::success;
  });
}

}  // namespace doppel
