// SPDX-License-Identifier: Apache-2.0
//
// Native calls on handles and objects of any type.
#include <snapshot/executive/mm/address_space.h>
#include <snapshot/executive/native/nt_api.h>
#include <snapshot/executive/native/query_result.h>
#include <snapshot/executive/ob/object_type.h>
#include <snapshot/executive/se/access_check.h>

namespace doppel {
namespace {

/// What the target process of a duplication may have.
class TargetAccess final : public DuplicateAccess {
 public:
  explicit TargetAccess(const Process& target) : target_(target) {}

  NtStatus check(const Object& object, AccessMask beyond) override {
    AccessMask granted = 0;
    return check_access(target_.token->data, object.security(),
                        {.type = object.type(),
                         .desired = beyond,
                         .denied = denied(object),
                         .labels = target_.executive.has_integrity_levels()},
                        granted);
  }

  AccessMask denied(const Object& object) override {
    if (object.type() == ObjectType::process)
      return denied_process_rights(target_.protection,
                                   static_cast<const Process&>(object).protection);
    if (object.type() == ObjectType::thread)
      return denied_thread_rights(target_.protection,
                                  static_cast<const NtThread&>(object).process->protection);
    return 0;
  }

 private:
  const Process& target_;
};

/// The whole path, or what an unnamed object is known by: a file's name on its volume.
std::string path_of(const Object& object) {
  if (object.type() == ObjectType::file)
    return "\\Device\\HarddiskVolume1\\" + static_cast<const FileObject&>(object).node->name;
  std::string path;
  for (const Object* at = &object; at->parent() != nullptr; at = at->parent())
    path = "\\" + at->name() + path;
  return path;
}

}  // namespace

NtStatus NtApi::close(HandleValue handle) {
  return told("NtClose", [&] {
    const ObjectRef<Process> process(caller_.process);
    return process->handles.close(handle);
  });
}

NtStatus NtApi::do_duplicate(HandleValue source_process, HandleValue source,
                             HandleValue target_process, HandleValue& target, AccessMask desired,
                             std::uint32_t attributes, std::uint32_t options) {
  ObjectRef<Process> from;
  const NtStatus referenced =
      reference(source_process, ObjectType::process, process_access::dup_handle, from);
  if (!referenced.succeeded()) return referenced;
  ObjectRef<Process> to;
  if (target_process != 0) {
    const NtStatus found =
        reference(target_process, ObjectType::process, process_access::dup_handle, to);
    if (!found.succeeded()) return found;
  }
  // -2 means the calling thread wherever it stands: the kernel attaches to the source's memory, not
  // to one of its threads.
  PseudoHandles pseudo = pseudo_handles();
  pseudo.process = from.get();
  pseudo.process_access = from->self_access;
  TargetAccess target_access(to ? *to : *from);
  return duplicate_handle(from->handles, to ? &to->handles : nullptr,
                          {.handle = source,
                           .desired = desired,
                           .attributes = attributes,
                           .options = options,
                           .mode = caller_.mode,
                           .source_pseudo = pseudo},
                          target_access, target);
}

NtStatus NtApi::duplicate_object(HandleValue source_process, HandleValue source,
                                 HandleValue target_process, HandleValue& target,
                                 AccessMask desired, std::uint32_t attributes,
                                 std::uint32_t options) {
  return told("NtDuplicateObject", [&] {
    return do_duplicate(source_process, source, target_process, target, desired, attributes,
                        options);
  });
}

NtStatus NtApi::do_query_object(HandleValue handle, std::uint32_t information_class,
                                std::span<std::byte> to, std::uint32_t& length) {
  std::size_t wanted = 0;
  switch (information_class) {
    case 0:
      wanted = sizeof(ObjectBasicInformation);
      break;
    case 1:
    case 2:
      break;
    case 4:
      wanted = 2;
      break;
    default:
      return status::invalid_info_class;
  }
  if (wanted != 0 && to.size() != wanted) return status::info_length_mismatch;
  ObjectRef<Object> object;
  AccessMask granted = 0;
  const NtStatus referenced = reference_any(handle, std::nullopt, 0, object, &granted);
  if (!referenced.succeeded()) return referenced;
  const HandleEntry* entry = caller_.process->handles.find(handle);
  const bool inherit = entry != nullptr && entry->inherit;
  const bool protect = entry != nullptr && entry->protect_close;
  if (information_class == 1) return answer_string(path_of(*object), to, length);
  if (information_class == 2) return answer_string(type_info(object->type()).name, to, length);
  if (information_class == 4) {
    const std::array<std::uint8_t, 2> flags{inherit, protect};
    return answer(flags, to, length);
  }
  return answer(
      ObjectBasicInformation{
          .attributes = (inherit ? object_attribute::inherit : 0) |
                        (protect ? object_attribute::protect_close : 0) |
                        (object->permanent() ? object_attribute::permanent : 0),
          .granted = granted,
          .handle_count = static_cast<std::uint32_t>(object->handle_count()),
          // Without the reference that this call holds.
          .pointer_count = static_cast<std::uint32_t>(object->pointer_count() - 1),
          .name_size = static_cast<std::uint32_t>(counted_string(path_of(*object)).size()),
          .type_size =
              static_cast<std::uint32_t>(counted_string(type_info(object->type()).name).size())},
      to, length);
}

NtStatus NtApi::query_object(HandleValue handle, std::uint32_t information_class,
                             std::span<std::byte> to, std::uint32_t& length) {
  return told("NtQueryObject",
              [&] { return do_query_object(handle, information_class, to, length); });
}

NtStatus NtApi::set_information_object(HandleValue handle, bool inherit, bool protect_close) {
  return told("NtSetInformationObject", [&] {
    return caller_.process->handles.set_attributes(handle, inherit, protect_close);
  });
}

NtStatus NtApi::create_directory_object(HandleValue& handle, AccessMask desired,
                                        const ObjectAttributes& object) {
  return told("NtCreateDirectoryObject", [&]() -> NtStatus {
    const NtStatus valid = check_attributes(ObjectType::directory, object);
    if (!valid.succeeded()) return valid;
    if (!may_allocate_object()) return status::insufficient_resources;
    const ObjectRef<Object> directory(new Directory(executive_.counters()));
    return insert_object(directory, desired, object, handle);
  });
}

}  // namespace doppel
