// SPDX-License-Identifier: Apache-2.0
//
// Native calls on events and mutants, and waiting.
#include <snapshot/executive/ke/event.h>
#include <snapshot/executive/ke/wait.h>
#include <snapshot/executive/native/nt_api.h>
#include <snapshot/executive/ob/object_type.h>

namespace doppel {
namespace {

constexpr AccessMask kEventModify = 2;

}  // namespace

NtStatus NtApi::create_event(HandleValue& handle, AccessMask desired,
                             const ObjectAttributes& object, std::uint32_t type, bool signalled) {
  return told("NtCreateEvent", [&]() -> NtStatus {
    if (type > 1) return status::invalid_parameter;
    const NtStatus valid = check_attributes(ObjectType::event, object);
    if (!valid.succeeded()) return valid;
    if (!may_allocate_object()) return status::insufficient_resources;
    const ObjectRef<Object> event(new Event(type == 1, signalled, executive_.counters()));
    return insert_object(event, desired, object, handle);
  });
}

NtStatus NtApi::open_event(HandleValue& event, AccessMask desired, const ObjectAttributes& object) {
  return told("NtOpenEvent", [&] { return open_named(ObjectType::event, desired, object, event); });
}

NtStatus NtApi::set_event(HandleValue handle, std::uint32_t& previous) {
  return told("NtSetEvent", [&]() -> NtStatus {
    ObjectRef<Event> event;
    const NtStatus referenced = reference(handle, ObjectType::event, kEventModify, event);
    if (!referenced.succeeded()) return referenced;
    previous = event->signalled;
    event->signalled = true;
    wake_waiters(executive_, *event);
    return status::success;
  });
}

NtStatus NtApi::reset_event(HandleValue handle, std::uint32_t& previous) {
  return told("NtResetEvent", [&]() -> NtStatus {
    ObjectRef<Event> event;
    const NtStatus referenced = reference(handle, ObjectType::event, kEventModify, event);
    if (!referenced.succeeded()) return referenced;
    previous = event->signalled;
    event->signalled = false;
    return status::success;
  });
}

NtStatus NtApi::create_mutant(HandleValue& handle, AccessMask desired,
                              const ObjectAttributes& object, bool owned) {
  return told("NtCreateMutant", [&]() -> NtStatus {
    const NtStatus valid = check_attributes(ObjectType::mutant, object);
    if (!valid.succeeded()) return valid;
    if (!may_allocate_object()) return status::insufficient_resources;
    const ObjectRef<Mutant> mutant(new Mutant(executive_));
    const NtStatus given = insert_object(ObjectRef<Object>(mutant.get()), desired, object, handle);
    // With OPENIF on an existing name the new one is dropped, and the old one keeps its owner.
    if (given == status::success && owned) {
      mutant->owner =
          caller_.thread != nullptr ? static_cast<const Object*>(caller_.thread) : caller_.process;
      mutant->recursion = 1;
    }
    return given;
  });
}

NtStatus NtApi::open_mutant(HandleValue& mutant, AccessMask desired,
                            const ObjectAttributes& object) {
  return told("NtOpenMutant",
              [&] { return open_named(ObjectType::mutant, desired, object, mutant); });
}

NtStatus NtApi::release_mutant(HandleValue handle, std::int32_t& previous) {
  return told("NtReleaseMutant", [&]() -> NtStatus {
    ObjectRef<Mutant> mutant;
    const NtStatus referenced = reference(handle, ObjectType::mutant, 0, mutant);
    if (!referenced.succeeded()) return referenced;
    const Object* me =
        caller_.thread != nullptr ? static_cast<const Object*>(caller_.thread) : caller_.process;
    if (mutant->owner != me) return status::mutant_not_owned;
    previous = 1 - static_cast<std::int32_t>(mutant->recursion);
    if (--mutant->recursion == 0) {
      mutant->owner = nullptr;
      wake_waiters(executive_, *mutant);
    }
    return status::success;
  });
}

NtStatus NtApi::wait_for_single_object(HandleValue handle, std::optional<std::int64_t> timeout) {
  return told("NtWaitForSingleObject", [&]() -> NtStatus {
    ObjectRef<Object> object;
    const NtStatus referenced = reference_any(handle, std::nullopt, access::synchronize, object);
    if (!referenced.succeeded()) return referenced;
    if (!type_info(object->type()).waitable) return status::object_type_mismatch;
    const Object& me =
        caller_.thread != nullptr ? static_cast<const Object&>(*caller_.thread) : *caller_.process;
    if (const std::optional<NtStatus> at_once = try_wait(*object, me)) return *at_once;
    if (timeout && *timeout == 0) return status::timeout;
    ThreadWait wait;
    wait.kind = WaitKind::object;
    wait.object = object;
    wait.deadline = deadline_of(executive_, timeout);
    return block(std::move(wait), [&] { return try_wait(*object, me); });
  });
}

}  // namespace doppel
