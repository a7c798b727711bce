// SPDX-License-Identifier: Apache-2.0
//
// Native calls on tokens.
#include <snapshot/executive/native/nt_api.h>
#include <snapshot/executive/native/process_flags.h>

namespace doppel {

NtStatus NtApi::open_process_token(HandleValue process_handle, AccessMask desired,
                                   HandleValue& handle) {
  return told("NtOpenProcessToken", [&]() -> NtStatus {
    ObjectRef<Process> process;
    const NtStatus referenced =
        reference(process_handle, ObjectType::process, process_access::query_information, process);
    if (!referenced.succeeded()) return referenced;
    return open_object(ObjectRef<Object>(process->token.get()), desired, 0, handle);
  });
}

NtStatus NtApi::duplicate_token(HandleValue existing, AccessMask desired,
                                const ObjectAttributes& object, TokenKind kind,
                                HandleValue& handle) {
  return told("NtDuplicateToken", [&]() -> NtStatus {
    const NtStatus valid = check_attributes(ObjectType::token, object);
    if (!valid.succeeded()) return valid;
    ObjectRef<Token> from;
    AccessMask held = 0;
    const NtStatus referenced =
        reference(existing, ObjectType::token, token_access::duplicate, from, &held);
    if (!referenced.succeeded()) return referenced;
    if (!may_allocate_object()) return status::insufficient_resources;
    TokenData contents = from->data;
    contents.kind = kind;
    const ObjectRef<Object> made(new Token(contents, executive_.counters()));
    return insert_object(made, desired == 0 ? held : desired, object, handle);
  });
}

NtStatus NtApi::create_token(HandleValue& handle, AccessMask desired, const TokenData& contents) {
  return told("NtCreateToken", [&]() -> NtStatus {
    if (caller_.mode == CallerMode::user && !token().has_enabled(Privilege::tcb))
      return status::privilege_not_held;
    if (!may_allocate_object()) return status::insufficient_resources;
    const ObjectRef<Object> made(new Token(contents, executive_.counters()));
    return insert_object(made, desired, {}, handle);
  });
}

NtStatus NtApi::query_token(HandleValue handle, TokenData& contents) {
  return told("NtQueryInformationToken", [&]() -> NtStatus {
    ObjectRef<Token> found;
    const NtStatus referenced = reference(handle, ObjectType::token, token_access::query, found);
    if (!referenced.succeeded()) return referenced;
    contents = found->data;
    return status::success;
  });
}

NtStatus NtApi::adjust_privilege(HandleValue handle, Privilege privilege, bool enabled) {
  return told("NtAdjustPrivilegesToken", [&]() -> NtStatus {
    ObjectRef<Token> found;
    const NtStatus referenced =
        reference(handle, ObjectType::token, token_access::adjust_privileges, found);
    if (!referenced.succeeded()) return referenced;
    for (TokenPrivilege& held : found->data.privileges) {
      if (held.privilege != privilege) continue;
      held.enabled = enabled;
      return status::success;
    }
    return status::privilege_not_held;
  });
}

NtStatus NtApi::set_token_integrity(HandleValue handle, std::uint32_t level) {
  return told("NtSetInformationToken", [&]() -> NtStatus {
    ObjectRef<Token> found;
    const NtStatus referenced =
        reference(handle, ObjectType::token, token_access::adjust_default, found);
    if (!referenced.succeeded()) return referenced;
    const bool raises = level > found->data.integrity_level;
    if (raises && caller_.mode == CallerMode::user && !token().has_enabled(Privilege::tcb))
      return status::privilege_not_held;
    found->data.integrity_level = level;
    return status::success;
  });
}

}  // namespace doppel
