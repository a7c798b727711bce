// SPDX-License-Identifier: Apache-2.0
//
// The Win32 layer: code of user mode that turns Win32 calls into native ones and statuses into
// Win32 error codes. It holds no state and can do nothing that its caller could not do natively;
// what it cannot say (a clone, for one) Win32 has no words for. Every call answers an error code, 0
// for success. Processes are made in win32/create_process.h.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_WIN32_WIN32_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_WIN32_WIN32_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <snapshot/executive/native/nt_api.h>
#include <snapshot/executive/nt_status.h>

namespace doppel {

using Win32Error = std::uint32_t;

/// Values of winerror.h.
namespace win32_error {
inline constexpr Win32Error success = 0, file_not_found = 2, path_not_found = 3, access_denied = 5,
                            invalid_handle = 6, not_enough_memory = 8, sharing_violation = 32,
                            lock_violation = 33, invalid_parameter = 87, already_exists = 183,
                            bad_exe_format = 193, partial_copy = 299, invalid_address = 487,
                            invalid_image_hash = 577, noaccess = 998, user_mapped_file = 1224,
                            privilege_not_held = 1314, commitment_limit = 1455,
                            mr_mid_not_found = 317;
}  // namespace win32_error

/// RtlNtStatusToDosError, as far as the model answers. A success is 0 but for OBJECT_NAME_EXISTS
/// (183); what has no code is MR_MID_NOT_FOUND (317), as with Windows.
Win32Error win32_error_of(NtStatus status);

/// "C:\x" as the native name "\??\C:\x"; other names are left as they are.
std::string native_path(std::string_view path);

/// CreateFileW's creation disposition.
enum class CreationDisposition : std::uint32_t {
  create_new = 1,
  create_always = 2,
  open_existing = 3,
  open_always = 4,
  truncate_existing = 5,
};

class Win32 {
 public:
  /// For the process that `nt` calls for; `nt` outlives it.
  explicit Win32(NtApi& nt) : nt_(nt) {}

  NtApi& nt() const { return nt_; }

  Win32Error close_handle(HandleValue handle);

  /// `access`: generic or specific rights. `delete_on_close`: FILE_FLAG_DELETE_ON_CLOSE.
  Win32Error create_file(std::string_view path, AccessMask access, std::uint32_t share,
                         CreationDisposition disposition, bool inherit, bool delete_on_close,
                         HandleValue& file);
  Win32Error read_file(HandleValue file, std::span<std::byte> to, std::size_t& done);
  Win32Error write_file(HandleValue file, std::span<const std::byte> from, std::size_t& done);
  /// LockFileEx.
  Win32Error lock_file(HandleValue file, std::uint64_t offset, std::uint64_t length,
                       bool fail_immediately, bool exclusive);
  Win32Error delete_file(std::string_view path);
  /// A mutant in \BaseNamedObjects; already_exists with a handle to it when it was there.
  Win32Error create_mutex(std::string_view name, bool owned, bool inherit, HandleValue& mutex);

  Win32Error open_process(AccessMask access, std::uint32_t id, HandleValue& process);
  Win32Error terminate_process(HandleValue process, std::uint32_t exit_code);
  Win32Error exit_process(std::uint32_t exit_code);
  Win32Error read_process_memory(HandleValue process, std::uint64_t address,
                                 std::span<std::byte> to, std::size_t& done);
  /// WAIT_OBJECT_0 0, WAIT_ABANDONED 80, WAIT_TIMEOUT 102 (hex) in `result`. Absent: for ever.
  Win32Error wait_for_single_object(HandleValue object, std::optional<std::uint32_t> milliseconds,
                                    std::uint32_t& result);

 private:
  NtApi& nt_;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_WIN32_WIN32_H_
