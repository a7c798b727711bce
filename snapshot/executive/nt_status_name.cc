// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include <snapshot/executive/nt_status_name.h>

namespace doppel {
namespace {

struct Named {
  NtStatus status;
  std::string_view name;
};

// By value.
constexpr std::array kNames = {
    Named{status::success, "SUCCESS"},
    Named{status::abandoned_wait_0, "ABANDONED_WAIT_0"},
    Named{status::user_apc, "USER_APC"},
    Named{status::alerted, "ALERTED"},
    Named{status::timeout, "TIMEOUT"},
    Named{status::pending, "PENDING"},
    Named{status::nothing_to_terminate, "NOTHING_TO_TERMINATE"},
    Named{status::process_cloned, "PROCESS_CLONED"},
    Named{status::dbg_exception_handled, "DBG_EXCEPTION_HANDLED"},
    Named{status::object_name_exists, "OBJECT_NAME_EXISTS"},
    Named{status::image_not_at_base, "IMAGE_NOT_AT_BASE"},
    Named{status::image_machine_type_mismatch, "IMAGE_MACHINE_TYPE_MISMATCH"},
    Named{status::guard_page_violation, "GUARD_PAGE_VIOLATION"},
    Named{status::breakpoint, "BREAKPOINT"},
    Named{status::single_step, "SINGLE_STEP"},
    Named{status::buffer_overflow, "BUFFER_OVERFLOW"},
    Named{status::partial_copy, "PARTIAL_COPY"},
    Named{status::no_more_entries, "NO_MORE_ENTRIES"},
    Named{status::dbg_exception_not_handled, "DBG_EXCEPTION_NOT_HANDLED"},
    Named{status::unsuccessful, "UNSUCCESSFUL"},
    Named{status::not_implemented, "NOT_IMPLEMENTED"},
    Named{status::invalid_info_class, "INVALID_INFO_CLASS"},
    Named{status::info_length_mismatch, "INFO_LENGTH_MISMATCH"},
    Named{status::access_violation, "ACCESS_VIOLATION"},
    Named{status::in_page_error, "IN_PAGE_ERROR"},
    Named{status::invalid_handle, "INVALID_HANDLE"},
    Named{status::invalid_cid, "INVALID_CID"},
    Named{status::invalid_parameter, "INVALID_PARAMETER"},
    Named{status::end_of_file, "END_OF_FILE"},
    Named{status::no_memory, "NO_MEMORY"},
    Named{status::conflicting_addresses, "CONFLICTING_ADDRESSES"},
    Named{status::not_mapped_view, "NOT_MAPPED_VIEW"},
    Named{status::unable_to_free_vm, "UNABLE_TO_FREE_VM"},
    Named{status::unable_to_delete_section, "UNABLE_TO_DELETE_SECTION"},
    Named{status::invalid_system_service, "INVALID_SYSTEM_SERVICE"},
    Named{status::illegal_instruction, "ILLEGAL_INSTRUCTION"},
    Named{status::invalid_view_size, "INVALID_VIEW_SIZE"},
    Named{status::invalid_file_for_section, "INVALID_FILE_FOR_SECTION"},
    Named{status::already_committed, "ALREADY_COMMITTED"},
    Named{status::access_denied, "ACCESS_DENIED"},
    Named{status::buffer_too_small, "BUFFER_TOO_SMALL"},
    Named{status::object_type_mismatch, "OBJECT_TYPE_MISMATCH"},
    Named{status::not_committed, "NOT_COMMITTED"},
    Named{status::invalid_parameter_mix, "INVALID_PARAMETER_MIX"},
    Named{status::object_name_invalid, "OBJECT_NAME_INVALID"},
    Named{status::object_name_not_found, "OBJECT_NAME_NOT_FOUND"},
    Named{status::object_name_collision, "OBJECT_NAME_COLLISION"},
    Named{status::object_path_not_found, "OBJECT_PATH_NOT_FOUND"},
    Named{status::object_path_syntax_bad, "OBJECT_PATH_SYNTAX_BAD"},
    Named{status::section_too_big, "SECTION_TOO_BIG"},
    Named{status::sharing_violation, "SHARING_VIOLATION"},
    Named{status::quota_exceeded, "QUOTA_EXCEEDED"},
    Named{status::invalid_page_protection, "INVALID_PAGE_PROTECTION"},
    Named{status::mutant_not_owned, "MUTANT_NOT_OWNED"},
    Named{status::section_not_image, "SECTION_NOT_IMAGE"},
    Named{status::suspend_count_exceeded, "SUSPEND_COUNT_EXCEEDED"},
    Named{status::thread_is_terminating, "THREAD_IS_TERMINATING"},
    Named{status::section_protection, "SECTION_PROTECTION"},
    Named{status::file_lock_conflict, "FILE_LOCK_CONFLICT"},
    Named{status::lock_not_granted, "LOCK_NOT_GRANTED"},
    Named{status::delete_pending, "DELETE_PENDING"},
    Named{status::privilege_not_held, "PRIVILEGE_NOT_HELD"},
    Named{status::invalid_image_format, "INVALID_IMAGE_FORMAT"},
    Named{status::no_token, "NO_TOKEN"},
    Named{status::range_not_locked, "RANGE_NOT_LOCKED"},
    Named{status::disk_full, "DISK_FULL"},
    Named{status::integer_divide_by_zero, "INTEGER_DIVIDE_BY_ZERO"},
    Named{status::integer_overflow, "INTEGER_OVERFLOW"},
    Named{status::file_invalid, "FILE_INVALID"},
    Named{status::insufficient_resources, "INSUFFICIENT_RESOURCES"},
    Named{status::free_vm_not_at_base, "FREE_VM_NOT_AT_BASE"},
    Named{status::memory_not_allocated, "MEMORY_NOT_ALLOCATED"},
    Named{status::bad_token_type, "BAD_TOKEN_TYPE"},
    Named{status::not_supported, "NOT_SUPPORTED"},
    Named{status::cant_terminate_self, "CANT_TERMINATE_SELF"},
    Named{status::invalid_parameter_1, "INVALID_PARAMETER_1"},
    Named{status::invalid_parameter_2, "INVALID_PARAMETER_2"},
    Named{status::invalid_parameter_3, "INVALID_PARAMETER_3"},
    Named{status::invalid_parameter_4, "INVALID_PARAMETER_4"},
    Named{status::invalid_parameter_5, "INVALID_PARAMETER_5"},
    Named{status::invalid_parameter_6, "INVALID_PARAMETER_6"},
    Named{status::invalid_parameter_7, "INVALID_PARAMETER_7"},
    Named{status::invalid_parameter_8, "INVALID_PARAMETER_8"},
    Named{status::invalid_parameter_9, "INVALID_PARAMETER_9"},
    Named{status::stack_overflow, "STACK_OVERFLOW"},
    Named{status::name_too_long, "NAME_TOO_LONG"},
    Named{status::process_is_terminating, "PROCESS_IS_TERMINATING"},
    Named{status::mapped_file_size_zero, "MAPPED_FILE_SIZE_ZERO"},
    Named{status::cannot_delete, "CANNOT_DELETE"},
    Named{status::file_deleted, "FILE_DELETED"},
    Named{status::commitment_limit, "COMMITMENT_LIMIT"},
    Named{status::invalid_image_not_mz, "INVALID_IMAGE_NOT_MZ"},
    Named{status::invalid_address, "INVALID_ADDRESS"},
    Named{status::unhandled_exception, "UNHANDLED_EXCEPTION"},
    Named{status::mapped_alignment, "MAPPED_ALIGNMENT"},
    Named{status::handle_not_closable, "HANDLE_NOT_CLOSABLE"},
    Named{status::user_mapped_file, "USER_MAPPED_FILE"},
    Named{status::invalid_image_hash, "INVALID_IMAGE_HASH"},
    Named{status::process_is_protected, "PROCESS_IS_PROTECTED"},
};

}  // namespace

std::string_view nt_status_name(NtStatus status) {
  const auto found = std::ranges::lower_bound(kNames, status.value, {},
                                              [](const Named& each) { return each.status.value; });
  return found != kNames.end() && found->status == status ? found->name : std::string_view();
}

}  // namespace doppel
