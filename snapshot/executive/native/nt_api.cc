// SPDX-License-Identifier: Apache-2.0
//
// What all native calls share: references, new handles, names, blocking.
#include <utility>

#include <snapshot/executive/ke/wait.h>
#include <snapshot/executive/mm/address_space.h>
#include <snapshot/executive/native/nt_api.h>
#include <snapshot/executive/ob/object_type.h>
#include <snapshot/executive/se/access_check.h>

namespace doppel {
namespace {

constexpr AccessMask kTraverse = 2;  ///< of a directory
/// A host actor's wait that nobody ends: enough for any test, and no hang.
constexpr std::uint64_t kHostPatience = 1'000'000'000;

}  // namespace

PseudoHandles NtApi::pseudo_handles() const {
  return {.process = caller_.process,
          .process_access = caller_.process->self_access,
          .thread = caller_.thread,
          .thread_access = caller_.thread == nullptr ? 0 : caller_.thread->self_access};
}

NtStatus NtApi::reference_any(HandleValue handle, std::optional<ObjectType> type,
                              AccessMask desired, ObjectRef<Object>& object,
                              AccessMask* granted) const {
  return caller_.process->handles.reference(
      handle, {.type = type, .desired = desired, .mode = caller_.mode, .pseudo = pseudo_handles()},
      object, granted);
}

AccessMask NtApi::denied_rights(const Object& object) const {
  const Protection mine = caller_.process->protection;
  if (object.type() == ObjectType::process)
    return denied_process_rights(mine, static_cast<const Process&>(object).protection);
  if (object.type() == ObjectType::thread)
    return denied_thread_rights(mine, static_cast<const NtThread&>(object).process->protection);
  return 0;
}

NtStatus NtApi::check_attributes(ObjectType type, const ObjectAttributes& object) {
  const bool valid = (object.attributes & ~object_attribute::valid) == 0 &&
                     (object.attributes & type_info(type).invalid_attributes) == 0;
  return valid ? status::success : status::invalid_parameter;
}

NtStatus NtApi::look_up(const ObjectAttributes& object, PathEnd& end) const {
  ObjectRef<Directory> relative;
  if (object.root != 0) {
    const NtStatus referenced = reference(object.root, ObjectType::directory, kTraverse, relative);
    if (!referenced.succeeded()) return referenced;
  }
  if (!object.name) return status::object_path_syntax_bad;
  const bool ignore_case = (object.attributes & object_attribute::case_insensitive) != 0;
  return walk(executive_.root(), relative.get(), *object.name, ignore_case, end);
}

NtStatus NtApi::open_object(const ObjectRef<Object>& object, AccessMask desired,
                            std::uint32_t attributes, HandleValue& handle) {
  AccessMask granted = 0;
  const NtStatus checked = check_access(token(), object->security(),
                                        {.type = object->type(),
                                         .desired = desired,
                                         .denied = denied_rights(*object),
                                         .mode = caller_.mode,
                                         .labels = executive_.has_integrity_levels()},
                                        granted);
  if (!checked.succeeded()) return checked;
  return caller_.process->handles.insert(object, granted, attributes, handle);
}

NtStatus NtApi::insert_object(const ObjectRef<Object>& object, AccessMask desired,
                              const ObjectAttributes& attributes, HandleValue& handle) {
  PathEnd end;
  if (attributes.name) {
    const NtStatus found = look_up(attributes, end);
    if (!found.succeeded()) return found;
    if (end.object) {
      if (end.object->type() != object->type()) return status::object_type_mismatch;
      if ((attributes.attributes & object_attribute::open_if) == 0)
        return status::object_name_collision;
      const NtStatus opened = open_object(end.object, desired, attributes.attributes, handle);
      return opened.succeeded() ? status::object_name_exists : opened;
    }
  }
  const bool permanent = (attributes.attributes & object_attribute::permanent) != 0;
  if (permanent && caller_.mode == CallerMode::user && !token().has_enabled(Privilege::tcb))
    return status::privilege_not_held;
  if (attributes.security) object->set_security(*attributes.security);
  if (!object->security()) object->set_security(default_object_security(token()));
  if ((attributes.attributes & object_attribute::exclusive) != 0)
    object->set_exclusive_to(caller_.process->id);
  AccessMask granted = 0;
  const NtStatus checked = check_create_access({.type = object->type(),
                                                .desired = desired,
                                                .denied = denied_rights(*object),
                                                .mode = caller_.mode},
                                               granted);
  if (!checked.succeeded()) return checked;
  const NtStatus inserted =
      caller_.process->handles.insert(object, granted, attributes.attributes, handle);
  if (!inserted.succeeded()) return inserted;
  if (attributes.name) {
    object->set_permanent(permanent);
    return end.directory->add(end.leaf, object);
  }
  return status::success;
}

NtStatus NtApi::open_named(ObjectType type, AccessMask desired, const ObjectAttributes& object,
                           HandleValue& handle) {
  const NtStatus valid = check_attributes(type, object);
  if (!valid.succeeded()) return valid;
  PathEnd end;
  const NtStatus found = look_up(object, end);
  if (!found.succeeded()) return found;
  if (!end.object) return status::object_name_not_found;
  if (end.object->type() != type) return status::object_type_mismatch;
  return open_object(end.object, desired, object.attributes, handle);
}

NtStatus NtApi::block(ThreadWait wait, const std::function<std::optional<NtStatus>()>& satisfied) {
  if (caller_.thread != nullptr) {
    begin_wait(executive_, *caller_.thread, std::move(wait));
    return status::pending;
  }
  std::optional<NtStatus> result;
  const std::optional<std::uint64_t> deadline = wait.deadline;
  const StepOutcome outcome = executive_.stepper().run_until(
      [&] {
        result = satisfied();
        return result || (deadline && *deadline <= executive_.now());
      },
      kHostPatience);
  if (result) return *result;
  if (!deadline) return status::unsuccessful;
  if (outcome != StepOutcome::progress && *deadline > executive_.now())
    executive_.advance(*deadline - executive_.now());
  return wait.kind == WaitKind::delay ? status::success : status::timeout;
}

}  // namespace doppel
