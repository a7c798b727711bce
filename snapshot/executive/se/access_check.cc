// SPDX-License-Identifier: Apache-2.0
//
// The access check. Order and meaning: "How AccessCheck works" and "Mandatory Integrity Control" of
// Microsoft's documentation; that the debug privilege replaces label and list, not protection:
// ReactOS psmgr.c.
#include <algorithm>
#include <vector>

#include <snapshot/executive/ob/object_type.h>
#include <snapshot/executive/se/access_check.h>

namespace doppel {
namespace {

bool is_user_or_group(const TokenData& token, const AccessEntry& entry) {
  if (entry.sid == token.user) return true;
  return std::ranges::any_of(token.groups, [&](const TokenGroup& group) {
    if (group.sid != entry.sid) return false;
    return group.deny_only ? !entry.allow : group.enabled;
  });
}

/// The rights that the label keeps from `token`.
AccessMask removed_by_label(const TokenData& token,
                            const std::optional<SecurityDescriptor>& security, ObjectType type) {
  IntegrityLabel label;  // an object without one counts as medium
  if (security && security->label) label = *security->label;
  if (token.integrity_level >= label.level) return 0;
  const AccessMask read = map_generic(type, access::generic_read);
  const AccessMask execute = map_generic(type, access::generic_execute);
  AccessMask removed = 0;
  if ((label.policy & IntegrityLabel::kNoWriteUp) != 0) {
    removed |= map_generic(type, access::generic_write) & ~(read | execute);
  }
  if ((label.policy & IntegrityLabel::kNoReadUp) != 0) removed |= read & ~execute;
  return removed;
}

/// Everything that owner and list would grant.
AccessMask granted_by_list(const TokenData& token,
                           const std::optional<SecurityDescriptor>& security, ObjectType type) {
  const AccessMask valid = type_info(type).valid;
  if (!security || !security->dacl) return valid;
  AccessMask allowed = 0, denied = 0;
  if (security->owner == token.user) allowed = access::read_control | access::write_dac;
  for (const AccessEntry& entry : *security->dacl) {
    if (!is_user_or_group(token, entry)) continue;
    const AccessMask mask = map_generic(type, entry.mask) & valid;
    if (entry.allow) {
      allowed |= mask & ~denied;  // an earlier deny wins
    } else {
      denied |= mask & ~allowed;  // and an earlier allow
    }
  }
  return allowed;
}

/// `explicit_bits` are wanted or nothing; MAXIMUM_ALLOWED adds what is allowed.
NtStatus decide(const AccessRequest& request, AccessMask allowed, AccessMask& granted) {
  const AccessMask mapped = map_generic(request.type, request.desired);
  const AccessMask wanted = mapped & ~access::maximum_allowed;
  if ((wanted & ~allowed) != 0) return status::access_denied;
  granted = wanted | ((mapped & access::maximum_allowed) != 0 ? allowed : 0);
  return status::success;
}

}  // namespace

NtStatus check_access(const TokenData& token, const std::optional<SecurityDescriptor>& security,
                      const AccessRequest& request, AccessMask& granted) {
  const AccessMask valid = type_info(request.type).valid;
  if (request.mode == CallerMode::kernel) return decide(request, valid, granted);
  AccessMask allowed = valid;
  const bool debuggable = request.type == ObjectType::process || request.type == ObjectType::thread;
  if (!debuggable || !token.has_enabled(Privilege::debug)) {
    if (request.labels) allowed &= ~removed_by_label(token, security, request.type);
    allowed &= granted_by_list(token, security, request.type);
  }
  return decide(request, allowed & ~request.denied, granted);
}

NtStatus check_create_access(const AccessRequest& request, AccessMask& granted) {
  const AccessMask denied = request.mode == CallerMode::kernel ? 0 : request.denied;
  return decide(request, type_info(request.type).valid & ~denied, granted);
}

SecurityDescriptor default_process_security(const TokenData& token) {
  SecurityDescriptor descriptor;
  descriptor.owner = token.user;
  descriptor.dacl = {{.allow = true, .mask = access::generic_all, .sid = token.user},
                     {.allow = true, .mask = access::generic_all, .sid = "S-1-5-18"}};
  descriptor.label =
      IntegrityLabel{.level = token.integrity_level,
                     .policy = IntegrityLabel::kNoWriteUp | IntegrityLabel::kNoReadUp};
  return descriptor;
}

SecurityDescriptor default_object_security(const TokenData& token) {
  SecurityDescriptor descriptor;
  descriptor.owner = token.user;
  descriptor.label = IntegrityLabel{.level = token.integrity_level};
  return descriptor;
}

}  // namespace doppel
