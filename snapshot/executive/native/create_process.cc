// SPDX-License-Identifier: Apache-2.0
//
// NtCreateProcess and NtCreateProcessEx: a process without a thread, of an image section or as a
// copy-on-write clone of its parent. Order of checks: process.c of ReactOS; the flags: phnt.
#include <snapshot/executive/mm/address_space.h>
#include <snapshot/executive/mm/section.h>
#include <snapshot/executive/native/nt_api.h>
#include <snapshot/executive/native/process_flags.h>
#include <snapshot/executive/ps/process_create.h>

namespace doppel {

NtStatus NtApi::primary_token(HandleValue handle, TokenData& contents) const {
  ObjectRef<Token> token;
  const NtStatus referenced =
      reference(handle, ObjectType::token, token_access::assign_primary, token);
  if (!referenced.succeeded()) return referenced;
  if (token->data.kind != TokenKind::primary) return status::bad_token_type;
  contents = token->data;
  return status::success;
}

NtStatus NtApi::do_create_process(HandleValue& handle, AccessMask desired,
                                  const ObjectAttributes& object, HandleValue parent_handle,
                                  std::uint32_t flags, HandleValue section_handle,
                                  HandleValue debug, HandleValue token_handle,
                                  std::uint32_t job_level) {
  const NtStatus valid = check_attributes(ObjectType::process, object);
  if (!valid.succeeded()) return valid;
  if (parent_handle == 0) return status::invalid_parameter;
  if ((flags & ~process_flag::known) != 0 || (flags & process_flag::protected_process) != 0)
    return status::invalid_parameter;
  if (job_level != 0) return status::invalid_parameter;
  ObjectRef<Process> parent;
  const NtStatus referenced =
      reference(parent_handle, ObjectType::process, process_access::create_process, parent);
  if (!referenced.succeeded()) return referenced;
  if (debug != 0) return status::not_supported;
  ProcessSpecification specification;
  specification.parent = parent.get();
  specification.creator = &token();
  specification.inherit_handles = (flags & process_flag::inherit_handles) != 0;
  specification.release_section = (flags & process_flag::release_section) != 0;
  if (section_handle != 0) {
    const NtStatus found = reference(section_handle, ObjectType::section,
                                     section_access::map_execute, specification.section);
    if (!found.succeeded()) return found;
    if (!specification.section->is_image()) return status::section_not_image;
  } else {
    if (parent->exiting || !parent->section || parent->vm_deleted)
      return status::process_is_terminating;
    specification.threadless = true;
    specification.protection = parent->protection;
  }
  if (token_handle != 0) {
    TokenData contents;
    const NtStatus found = primary_token(token_handle, contents);
    if (!found.succeeded()) return found;
    if (section_handle == 0) return status::invalid_parameter;
    specification.token = contents;
  }
  ObjectRef<Process> process;
  const NtStatus made = make_process(executive_, specification, process);
  if (!made.succeeded()) return made;
  ObjectAttributes unnamed = object;
  unnamed.name.reset();
  return insert_object(ObjectRef<Object>(process.get()), desired, unnamed, handle);
}

NtStatus NtApi::create_process_ex(HandleValue& process, AccessMask desired,
                                  const ObjectAttributes& object, HandleValue parent,
                                  std::uint32_t flags, HandleValue section, HandleValue debug,
                                  HandleValue token_handle, std::uint32_t job_level) {
  return told("NtCreateProcessEx", [&] {
    return do_create_process(process, desired, object, parent, flags, section, debug, token_handle,
                             job_level);
  });
}

NtStatus NtApi::create_process(HandleValue& process, AccessMask desired,
                               const ObjectAttributes& object, HandleValue parent, bool inherit,
                               HandleValue section, HandleValue debug, HandleValue token_handle) {
  return told("NtCreateProcess", [&] {
    const std::uint32_t flags = inherit ? process_flag::inherit_handles : 0;
    return do_create_process(process, desired, object, parent, flags, section, debug, token_handle,
                             0);
  });
}

}  // namespace doppel
