// SPDX-License-Identifier: Apache-2.0
//
// Flags of process and thread creation. Values: phnt.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_NATIVE_PROCESS_FLAGS_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_NATIVE_PROCESS_FLAGS_H_

#include <cstdint>

#include <snapshot/executive/nt_types.h>

namespace doppel {

namespace process_flag {
inline constexpr std::uint32_t breakaway = 0x1, no_debug_inherit = 0x2, inherit_handles = 0x4,
                               protected_process = 0x40, create_suspended = 0x200,
                               release_section = 0x1000,
                               known = breakaway | no_debug_inherit | inherit_handles |
                                       protected_process | create_suspended | release_section;
}  // namespace process_flag

namespace thread_flag {
inline constexpr std::uint32_t create_suspended = 0x1, skip_thread_attach = 0x2,
                               known = create_suspended | skip_thread_attach;
}  // namespace thread_flag

namespace token_access {
inline constexpr AccessMask assign_primary = 0x1, duplicate = 0x2, impersonate = 0x4, query = 0x8,
                            adjust_privileges = 0x20, adjust_default = 0x80, all = 0xF01FF;
}  // namespace token_access

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_NATIVE_PROCESS_FLAGS_H_
