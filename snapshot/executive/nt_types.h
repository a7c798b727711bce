// SPDX-License-Identifier: Apache-2.0
//
// Access masks and flags of the native API, as numbers with the names that phnt and winnt.h give
// them. They are shared by the object side (ob, se, io, ps) and by memory (mm). Nothing here has
// behaviour: which right a call asks for is said where the call is, and how generic bits map is
// said in ob/object_type.h.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_NT_TYPES_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_NT_TYPES_H_

#include <cstdint>

namespace doppel {

using AccessMask = std::uint32_t;
using HandleValue = std::uint64_t;  ///< 4 * (index + 1); the low two bits are ignored

/// Who calls: kernel mode skips probes, access checks and protection, and nothing else.
enum class CallerMode : std::uint8_t { user, kernel };

/// Which release the model behaves like; nt63 is the default.
enum class NtProfile : std::uint8_t { nt52, nt60, nt63 };

namespace access {
// Standard and generic rights.
inline constexpr AccessMask delete_object = 0x10000, read_control = 0x20000, write_dac = 0x40000,
                            write_owner = 0x80000, synchronize = 0x100000,
                            maximum_allowed = 0x2000000, generic_all = 0x10000000,
                            generic_execute = 0x20000000, generic_write = 0x40000000,
                            generic_read = 0x80000000;
}  // namespace access

namespace process_access {
inline constexpr AccessMask terminate = 0x1, create_thread = 0x2, set_sessionid = 0x4,
                            vm_operation = 0x8, vm_read = 0x10, vm_write = 0x20, dup_handle = 0x40,
                            create_process = 0x80, set_quota = 0x100, set_information = 0x200,
                            query_information = 0x400, suspend_resume = 0x800,
                            query_limited = 0x1000, set_limited = 0x2000, all = 0x1FFFFF;
}  // namespace process_access

namespace thread_access {
inline constexpr AccessMask terminate = 0x1, suspend_resume = 0x2, alert = 0x4, get_context = 0x8,
                            set_context = 0x10, set_information = 0x20, query_information = 0x40,
                            set_token = 0x80, impersonate = 0x100, direct_impersonation = 0x200,
                            set_limited = 0x400, query_limited = 0x800, resume = 0x1000,
                            all = 0x1FFFFF;
}  // namespace thread_access

namespace section_access {
inline constexpr AccessMask query = 0x1, map_write = 0x2, map_read = 0x4, map_execute = 0x8,
                            extend = 0x10, all = 0xF001F;
}  // namespace section_access

namespace file_access {
inline constexpr AccessMask read_data = 0x1, write_data = 0x2, append = 0x4, execute = 0x20,
                            read_attr = 0x80, write_attr = 0x100, all = 0x1F01FF;
}  // namespace file_access

/// ShareAccess of NtCreateFile.
namespace file_share {
inline constexpr std::uint32_t read = 1, write = 2, delete_file = 4, valid = 7;
}  // namespace file_share

/// OBJECT_ATTRIBUTES.Attributes and the attributes of a handle.
namespace object_attribute {
inline constexpr std::uint32_t protect_close = 0x1, inherit = 0x2, permanent = 0x10,
                               exclusive = 0x20, case_insensitive = 0x40, open_if = 0x80,
                               valid = 0x1FF2;
}  // namespace object_attribute

namespace duplicate_option {
inline constexpr std::uint32_t close_source = 1, same_access = 2, same_attributes = 4;
}  // namespace duplicate_option

/// AllocationType, FreeType and MEMORY_BASIC_INFORMATION's State and Type.
namespace mem {
inline constexpr std::uint32_t commit = 0x1000, reserve = 0x2000, decommit = 0x4000,
                               release = 0x8000, free = 0x10000, private_memory = 0x20000,
                               mapped = 0x40000, top_down = 0x100000, image = 0x1000000;
}  // namespace mem

namespace sec {
inline constexpr std::uint32_t image = 0x1000000, reserve = 0x4000000, commit = 0x8000000;
}  // namespace sec

namespace page {
inline constexpr std::uint32_t noaccess = 0x1, readonly = 0x2, readwrite = 0x4, writecopy = 0x8,
                               execute = 0x10, execute_read = 0x20, execute_readwrite = 0x40,
                               execute_writecopy = 0x80, guard = 0x100;
}  // namespace page

inline constexpr std::uint64_t kUserBegin = 0x10000;       ///< inclusive
inline constexpr std::uint64_t kUserEnd = 0x7FFFFFFF0000;  ///< exclusive
inline constexpr std::uint64_t kAllocationGranularity = 0x10000;
inline constexpr std::uint64_t kNtPageSize = 0x1000;

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_NT_TYPES_H_
