// SPDX-License-Identifier: Apache-2.0
//
// Whether a token gets the rights it asks for: debug privilege, integrity label, discretionary
// list, owner, and what protection takes away, in NT's order. Pure; it sees a token's data and a
// descriptor, no handles.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_SE_ACCESS_CHECK_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_SE_ACCESS_CHECK_H_

#include <optional>

#include <snapshot/executive/nt_status.h>
#include <snapshot/executive/nt_types.h>
#include <snapshot/executive/ob/object.h>
#include <snapshot/executive/se/security_descriptor.h>
#include <snapshot/executive/se/token.h>

namespace doppel {

struct AccessRequest {
  ObjectType type = ObjectType::file;
  AccessMask desired = 0;  ///< may hold generic bits and MAXIMUM_ALLOWED
  AccessMask denied = 0;   ///< by protection: denied_process_rights(), denied_thread_rights()
  CallerMode mode = CallerMode::user;
  bool labels = true;  ///< false: before Vista there are no integrity levels
};

/// SUCCESS with the rights of the new handle in `granted`, or ACCESS_DENIED with `granted`
/// untouched. MAXIMUM_ALLOWED adds whatever would be granted and is trimmed where an explicit bit
/// would be refused. Kernel mode gets what it asks for (MAXIMUM_ALLOWED: all).
NtStatus check_access(const TokenData& token, const std::optional<SecurityDescriptor>& security,
                      const AccessRequest& request, AccessMask& granted);

/// A new object: the creator gets what it asks for without a look at the descriptor,
/// MAXIMUM_ALLOWED meaning all; only protection may refuse (an explicit bit: ACCESS_DENIED) or
/// trim.
NtStatus check_create_access(const AccessRequest& request, AccessMask& granted);

/// The descriptor that a process gives its processes and threads: all rights for user and system,
/// labelled with the creator's level against writing and reading up.
SecurityDescriptor default_process_security(const TokenData& token);
/// The same for all other objects, which everybody of that level may use: labelled against writing
/// up, no list.
SecurityDescriptor default_object_security(const TokenData& token);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_SE_ACCESS_CHECK_H_
