// SPDX-License-Identifier: Apache-2.0
//
// NTSTATUS as a strong type, and every value that the executive model answers. The values are those
// of ntstatus.h of mingw-w64 (public domain). A status is data of the model: it is no Error of ours
// and never travels in a Result; a call of the native API returns it.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_NT_STATUS_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_NT_STATUS_H_

#include <cstdint>

namespace doppel {

/// What a native call answers. Severity sits in the two upper bits: 0 success, 1 information, 2
/// warning, 3 error.
struct [[nodiscard]] NtStatus {
  std::uint32_t value = 0;

  /// NT_SUCCESS: severity 0 or 1. OBJECT_NAME_EXISTS is a success, GUARD_PAGE_VIOLATION is not.
  constexpr bool succeeded() const { return value < 0x80000000; }

  bool operator==(const NtStatus&) const = default;
};

namespace status {

inline constexpr NtStatus success{0x00000000};
inline constexpr NtStatus abandoned_wait_0{0x00000080};
inline constexpr NtStatus user_apc{0x000000C0};
inline constexpr NtStatus alerted{0x00000101};
inline constexpr NtStatus timeout{0x00000102};
inline constexpr NtStatus pending{0x00000103};
inline constexpr NtStatus nothing_to_terminate{0x00000122};
inline constexpr NtStatus process_cloned{0x00000129};
inline constexpr NtStatus dbg_exception_handled{0x00010001};
inline constexpr NtStatus object_name_exists{0x40000000};
inline constexpr NtStatus image_not_at_base{0x40000003};
inline constexpr NtStatus image_machine_type_mismatch{0x4000000E};
inline constexpr NtStatus guard_page_violation{0x80000001};
inline constexpr NtStatus breakpoint{0x80000003};
inline constexpr NtStatus single_step{0x80000004};
inline constexpr NtStatus buffer_overflow{0x80000005};
inline constexpr NtStatus partial_copy{0x8000000D};
inline constexpr NtStatus no_more_entries{0x8000001A};
inline constexpr NtStatus dbg_exception_not_handled{0x80010001};
inline constexpr NtStatus unsuccessful{0xC0000001};
inline constexpr NtStatus not_implemented{0xC0000002};
inline constexpr NtStatus invalid_info_class{0xC0000003};
inline constexpr NtStatus info_length_mismatch{0xC0000004};
inline constexpr NtStatus access_violation{0xC0000005};
inline constexpr NtStatus in_page_error{0xC0000006};
inline constexpr NtStatus invalid_handle{0xC0000008};
inline constexpr NtStatus invalid_cid{0xC000000B};
inline constexpr NtStatus invalid_parameter{0xC000000D};
inline constexpr NtStatus end_of_file{0xC0000011};
inline constexpr NtStatus no_memory{0xC0000017};
inline constexpr NtStatus conflicting_addresses{0xC0000018};
inline constexpr NtStatus not_mapped_view{0xC0000019};
inline constexpr NtStatus unable_to_free_vm{0xC000001A};
inline constexpr NtStatus unable_to_delete_section{0xC000001B};
inline constexpr NtStatus invalid_system_service{0xC000001C};
inline constexpr NtStatus illegal_instruction{0xC000001D};
inline constexpr NtStatus invalid_view_size{0xC000001F};
inline constexpr NtStatus invalid_file_for_section{0xC0000020};
inline constexpr NtStatus already_committed{0xC0000021};
inline constexpr NtStatus access_denied{0xC0000022};
inline constexpr NtStatus buffer_too_small{0xC0000023};
inline constexpr NtStatus object_type_mismatch{0xC0000024};
inline constexpr NtStatus not_committed{0xC000002D};
inline constexpr NtStatus invalid_parameter_mix{0xC0000030};
inline constexpr NtStatus object_name_invalid{0xC0000033};
inline constexpr NtStatus object_name_not_found{0xC0000034};
inline constexpr NtStatus object_name_collision{0xC0000035};
inline constexpr NtStatus object_path_not_found{0xC000003A};
inline constexpr NtStatus object_path_syntax_bad{0xC000003B};
inline constexpr NtStatus section_too_big{0xC0000040};
inline constexpr NtStatus sharing_violation{0xC0000043};
inline constexpr NtStatus quota_exceeded{0xC0000044};
inline constexpr NtStatus invalid_page_protection{0xC0000045};
inline constexpr NtStatus mutant_not_owned{0xC0000046};
inline constexpr NtStatus section_not_image{0xC0000049};
inline constexpr NtStatus suspend_count_exceeded{0xC000004A};
inline constexpr NtStatus thread_is_terminating{0xC000004B};
inline constexpr NtStatus section_protection{0xC000004E};
inline constexpr NtStatus file_lock_conflict{0xC0000054};
inline constexpr NtStatus lock_not_granted{0xC0000055};
inline constexpr NtStatus delete_pending{0xC0000056};
inline constexpr NtStatus privilege_not_held{0xC0000061};
inline constexpr NtStatus invalid_image_format{0xC000007B};
inline constexpr NtStatus no_token{0xC000007C};
inline constexpr NtStatus range_not_locked{0xC000007E};
inline constexpr NtStatus disk_full{0xC000007F};
inline constexpr NtStatus integer_divide_by_zero{0xC0000094};
inline constexpr NtStatus integer_overflow{0xC0000095};
inline constexpr NtStatus file_invalid{0xC0000098};
inline constexpr NtStatus insufficient_resources{0xC000009A};
inline constexpr NtStatus free_vm_not_at_base{0xC000009F};
inline constexpr NtStatus memory_not_allocated{0xC00000A0};
inline constexpr NtStatus bad_token_type{0xC00000A8};
inline constexpr NtStatus not_supported{0xC00000BB};
inline constexpr NtStatus cant_terminate_self{0xC00000DB};
inline constexpr NtStatus invalid_parameter_1{0xC00000EF};
inline constexpr NtStatus invalid_parameter_2{0xC00000F0};
inline constexpr NtStatus invalid_parameter_3{0xC00000F1};
inline constexpr NtStatus invalid_parameter_4{0xC00000F2};
inline constexpr NtStatus invalid_parameter_5{0xC00000F3};
inline constexpr NtStatus invalid_parameter_6{0xC00000F4};
inline constexpr NtStatus invalid_parameter_7{0xC00000F5};
inline constexpr NtStatus invalid_parameter_8{0xC00000F6};
inline constexpr NtStatus invalid_parameter_9{0xC00000F7};
inline constexpr NtStatus stack_overflow{0xC00000FD};
inline constexpr NtStatus name_too_long{0xC0000106};
inline constexpr NtStatus process_is_terminating{0xC000010A};
inline constexpr NtStatus mapped_file_size_zero{0xC000011E};
inline constexpr NtStatus cannot_delete{0xC0000121};
inline constexpr NtStatus file_deleted{0xC0000123};
inline constexpr NtStatus commitment_limit{0xC000012D};
inline constexpr NtStatus invalid_image_not_mz{0xC000012F};
inline constexpr NtStatus invalid_address{0xC0000141};
inline constexpr NtStatus unhandled_exception{0xC0000144};
inline constexpr NtStatus mapped_alignment{0xC0000220};
inline constexpr NtStatus handle_not_closable{0xC0000235};
inline constexpr NtStatus user_mapped_file{0xC0000243};
inline constexpr NtStatus invalid_image_hash{0xC0000428};
inline constexpr NtStatus process_is_protected{0xC0000712};

}  // namespace status
}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_NT_STATUS_H_
