// SPDX-License-Identifier: Apache-2.0
//
// What the types of objects differ in: valid rights, generic mapping, attributes that make no sense
// for them, and whether one can wait for them. A table; behaviour of a type is in its class.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_OB_OBJECT_TYPE_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_OB_OBJECT_TYPE_H_

#include <cstdint>
#include <string_view>

#include <snapshot/executive/nt_types.h>
#include <snapshot/executive/ob/object.h>

namespace doppel {

struct ObjectTypeInfo {
  std::string_view name;  ///< as NtQueryObject(type) says it
  AccessMask valid = 0;
  AccessMask generic_read = 0, generic_write = 0, generic_execute = 0;
  std::uint32_t invalid_attributes = 0;  ///< object_attribute bits: INVALID_PARAMETER
  bool waitable = false;
  bool no_read_up = false;  ///< processes and threads: the default label refuses reading up, too
};

const ObjectTypeInfo& type_info(ObjectType type);

/// Generic bits replaced by what they mean for `type`; process and thread masks gain the limited
/// rights that QUERY_INFORMATION and SET_INFORMATION include. MAXIMUM_ALLOWED stays.
AccessMask map_generic(ObjectType type, AccessMask mask);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_OB_OBJECT_TYPE_H_
