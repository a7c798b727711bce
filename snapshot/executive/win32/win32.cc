// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include <snapshot/executive/win32/win32.h>

namespace doppel {
namespace {

struct Mapping {
  NtStatus status;
  Win32Error error;
};

constexpr std::array kErrors = {
    Mapping{status::object_name_exists, win32_error::already_exists},
    Mapping{status::access_denied, win32_error::access_denied},
    Mapping{status::delete_pending, win32_error::access_denied},
    Mapping{status::cannot_delete, win32_error::access_denied},
    Mapping{status::process_is_terminating, win32_error::access_denied},
    Mapping{status::invalid_handle, win32_error::invalid_handle},
    Mapping{status::object_type_mismatch, win32_error::invalid_handle},
    Mapping{status::object_name_not_found, win32_error::file_not_found},
    Mapping{status::object_path_not_found, win32_error::path_not_found},
    Mapping{status::no_memory, win32_error::not_enough_memory},
    Mapping{status::sharing_violation, win32_error::sharing_violation},
    Mapping{status::file_lock_conflict, win32_error::lock_violation},
    Mapping{status::lock_not_granted, win32_error::lock_violation},
    Mapping{status::invalid_parameter, win32_error::invalid_parameter},
    Mapping{status::invalid_parameter_1, win32_error::invalid_parameter},
    Mapping{status::invalid_parameter_2, win32_error::invalid_parameter},
    Mapping{status::invalid_parameter_3, win32_error::invalid_parameter},
    Mapping{status::invalid_parameter_4, win32_error::invalid_parameter},
    Mapping{status::invalid_parameter_5, win32_error::invalid_parameter},
    Mapping{status::invalid_parameter_6, win32_error::invalid_parameter},
    Mapping{status::invalid_parameter_7, win32_error::invalid_parameter},
    Mapping{status::invalid_parameter_8, win32_error::invalid_parameter},
    Mapping{status::invalid_parameter_9, win32_error::invalid_parameter},
    Mapping{status::invalid_parameter_mix, win32_error::invalid_parameter},
    Mapping{status::invalid_cid, win32_error::invalid_parameter},
    Mapping{status::object_name_collision, win32_error::already_exists},
    Mapping{status::invalid_image_format, win32_error::bad_exe_format},
    Mapping{status::invalid_image_not_mz, win32_error::bad_exe_format},
    Mapping{status::partial_copy, win32_error::partial_copy},
    Mapping{status::conflicting_addresses, win32_error::invalid_address},
    Mapping{status::invalid_image_hash, win32_error::invalid_image_hash},
    Mapping{status::access_violation, win32_error::noaccess},
    Mapping{status::user_mapped_file, win32_error::user_mapped_file},
    Mapping{status::privilege_not_held, win32_error::privilege_not_held},
    Mapping{status::commitment_limit, win32_error::commitment_limit},
    Mapping{status::insufficient_resources, 1450},
    Mapping{status::disk_full, 112},
    Mapping{status::end_of_file, 38},
    Mapping{status::invalid_system_service, 1},
    Mapping{status::not_supported, 50},
    Mapping{status::range_not_locked, 158},
    Mapping{status::mutant_not_owned, 288},
    Mapping{status::in_page_error, 999},
};

constexpr std::uint64_t kTicksOfMillisecond = 10'000;

}  // namespace

Win32Error win32_error_of(NtStatus status) {
  const auto found = std::ranges::find(kErrors, status, &Mapping::status);
  if (found != kErrors.end()) return found->error;
  return status.succeeded() ? win32_error::success : win32_error::mr_mid_not_found;
}

std::string native_path(std::string_view path) {
  if (path.starts_with('\\')) return std::string(path);
  return "\\??\\" + std::string(path);
}

Win32Error Win32::close_handle(HandleValue handle) {
  return win32_error_of(nt_.close(handle));
}

Win32Error Win32::create_file(std::string_view path, AccessMask access, std::uint32_t share,
                              CreationDisposition disposition, bool inherit, bool delete_on_close,
                              HandleValue& file) {
  static constexpr std::array kDispositions = {
      FileDisposition::create, FileDisposition::overwrite_if, FileDisposition::open,
      FileDisposition::open_if, FileDisposition::overwrite};
  FileCreation creation{.desired = access | access::synchronize | file_access::read_attr,
                        .share = share,
                        .disposition = kDispositions.at(static_cast<std::size_t>(disposition) - 1)};
  if (delete_on_close) {
    creation.desired |= access::delete_object;
    creation.options |= file_option::delete_on_close;
  }
  creation.object.name = native_path(path);
  creation.object.attributes =
      object_attribute::case_insensitive | (inherit ? object_attribute::inherit : 0);
  Information opened = 0;
  const NtStatus status = nt_.create_file(file, creation, opened);
  if (status == status::object_name_collision) return 80;  // ERROR_FILE_EXISTS
  if (!status.succeeded()) return win32_error_of(status);
  // Success, but told: the file was there before.
  const bool existed = opened == static_cast<Information>(FileOpened::opened) ||
                       opened == static_cast<Information>(FileOpened::overwritten);
  const bool tells = disposition == CreationDisposition::open_always ||
                     disposition == CreationDisposition::create_always;
  return existed && tells ? win32_error::already_exists : win32_error::success;
}

Win32Error Win32::read_file(HandleValue file, std::span<std::byte> to, std::size_t& done) {
  Information read = 0;
  const NtStatus status = nt_.read_file(file, to, std::nullopt, 0, read);
  done = read;
  // The end of a file is no failure of ReadFile.
  return status == status::end_of_file ? win32_error::success : win32_error_of(status);
}

Win32Error Win32::write_file(HandleValue file, std::span<const std::byte> from, std::size_t& done) {
  Information written = 0;
  const NtStatus status = nt_.write_file(file, from, std::nullopt, 0, written);
  done = written;
  return win32_error_of(status);
}

Win32Error Win32::lock_file(HandleValue file, std::uint64_t offset, std::uint64_t length,
                            bool fail_immediately, bool exclusive) {
  return win32_error_of(nt_.lock_file(file, offset, length, 0, fail_immediately, exclusive));
}

Win32Error Win32::delete_file(std::string_view path) {
  HandleValue file = 0;
  Information opened = 0;
  ObjectAttributes object;
  object.name = native_path(path);
  object.attributes = object_attribute::case_insensitive;
  NtStatus status =
      nt_.open_file(file, access::delete_object, object, file_share::valid, 0, opened);
  if (!status.succeeded()) return win32_error_of(status);
  constexpr std::uint32_t kDisposition = 13;
  const std::array yes{std::byte{1}};
  status = nt_.set_information_file(file, kDisposition, yes);
  const NtStatus closed = nt_.close(file);
  return win32_error_of(status.succeeded() ? closed : status);
}

Win32Error Win32::create_mutex(std::string_view name, bool owned, bool inherit,
                               HandleValue& mutex) {
  ObjectAttributes object;
  if (!name.empty()) object.name = "\\BaseNamedObjects\\" + std::string(name);
  object.attributes = object_attribute::open_if | (inherit ? object_attribute::inherit : 0);
  constexpr AccessMask kMutexAll = 0x1F0001;
  return win32_error_of(nt_.create_mutant(mutex, kMutexAll, object, owned));
}

Win32Error Win32::open_process(AccessMask access, std::uint32_t id, HandleValue& process) {
  const ClientId client{.process = id, .thread = 0};
  return win32_error_of(nt_.open_process(process, access, {}, &client));
}

Win32Error Win32::terminate_process(HandleValue process, std::uint32_t exit_code) {
  if (process == 0) return win32_error::invalid_handle;
  return win32_error_of(nt_.terminate_process(process, NtStatus{exit_code}));
}

Win32Error Win32::exit_process(std::uint32_t exit_code) {
  return win32_error_of(nt_.terminate_process(kCurrentProcess, NtStatus{exit_code}));
}

Win32Error Win32::read_process_memory(HandleValue process, std::uint64_t address,
                                      std::span<std::byte> to, std::size_t& done) {
  return win32_error_of(nt_.read_virtual_memory(process, address, to, done));
}

Win32Error Win32::wait_for_single_object(HandleValue object,
                                         std::optional<std::uint32_t> milliseconds,
                                         std::uint32_t& result) {
  std::optional<std::int64_t> timeout;
  if (milliseconds) timeout = -static_cast<std::int64_t>(*milliseconds * kTicksOfMillisecond);
  const NtStatus status = nt_.wait_for_single_object(object, timeout);
  result = status.value;
  return status.succeeded() ? win32_error::success : win32_error_of(status);
}

}  // namespace doppel
