// SPDX-License-Identifier: Apache-2.0
//
// Records of the native API as programs see them in memory (x64): plain structs whose layout is the
// ABI, little-endian as the host. Layouts: phnt.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_NATIVE_NT_RECORDS_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_NATIVE_NT_RECORDS_H_

#include <cstddef>
#include <cstdint>

namespace doppel {

/// CLIENT_ID.
struct ClientId {
  std::uint64_t process = 0, thread = 0;
  bool operator==(const ClientId&) const = default;
};

static_assert(sizeof(ClientId) == 16);

/// INITIAL_TEB. The old pair, where given, wins over the new stack: fork reuses an existing one.
struct InitialTeb {
  std::uint64_t old_stack_base = 0, old_stack_limit = 0;
  std::uint64_t stack_base = 0, stack_limit = 0, stack_allocation_base = 0;
};

static_assert(sizeof(InitialTeb) == 40);

/// SECTION_IMAGE_INFORMATION.
struct ImageInformation {
  std::uint64_t transfer_address = 0;
  std::uint32_t zero_bits = 0, pad0 = 0;
  std::uint64_t maximum_stack_size = 0, committed_stack_size = 0;
  std::uint32_t subsystem = 0;
  std::uint16_t subsystem_minor = 0, subsystem_major = 0;
  std::uint32_t operating_system_version = 0;
  std::uint16_t characteristics = 0, dll_characteristics = 0, machine = 0;
  std::uint8_t contains_code = 0, image_flags = 0;
  std::uint32_t loader_flags = 0, file_size = 0, checksum = 0;
};

static_assert(sizeof(ImageInformation) == 64);

/// PROCESS_BASIC_INFORMATION: NtQueryInformationProcess class 0.
struct ProcessBasicInformation {
  std::uint32_t exit_status = 0, pad0 = 0;
  std::uint64_t peb = 0, affinity = 1;
  std::int32_t base_priority = 8;
  std::uint32_t pad1 = 0;
  std::uint64_t id = 0, inherited_from = 0;
};

static_assert(sizeof(ProcessBasicInformation) == 48);

/// VM_COUNTERS: class 3. Bytes.
struct VmCounters {
  std::uint64_t peak_virtual_size = 0, virtual_size = 0;
  std::uint32_t page_fault_count = 0, pad0 = 0;
  std::uint64_t peak_working_set = 0, working_set = 0;
  std::uint64_t quota_peak_paged = 0, quota_paged = 0, quota_peak_nonpaged = 0, quota_nonpaged = 0;
  std::uint64_t pagefile_usage = 0, peak_pagefile_usage = 0;
};

static_assert(sizeof(VmCounters) == 88);

/// KERNEL_USER_TIMES: class 4 of processes. 100 ns.
struct KernelUserTimes {
  std::uint64_t create = 0, exit = 0, kernel = 0, user = 0;
};

/// One entry of PROCESS_HANDLE_SNAPSHOT_INFORMATION (class 51), behind {count, reserved}.
struct HandleInformation {
  std::uint64_t handle = 0, handle_count = 0, pointer_count = 0;
  std::uint32_t granted = 0, type = 0, attributes = 0, reserved = 0;
};

static_assert(sizeof(HandleInformation) == 40);

/// THREAD_BASIC_INFORMATION: NtQueryInformationThread class 0.
struct ThreadBasicInformation {
  std::uint32_t exit_status = 0, pad0 = 0;
  std::uint64_t teb = 0;
  ClientId id;
  std::uint64_t affinity = 1;
  std::int32_t priority = 8, base_priority = 8;
};

static_assert(sizeof(ThreadBasicInformation) == 48);

/// OBJECT_BASIC_INFORMATION: NtQueryObject class 0.
struct ObjectBasicInformation {
  std::uint32_t attributes = 0, granted = 0, handle_count = 0, pointer_count = 0;
  std::uint32_t paged = 0, nonpaged = 0, reserved[3] = {}, name_size = 0, type_size = 0,
                descriptor_size = 0;
  std::uint64_t create_time = 0;
};

static_assert(sizeof(ObjectBasicInformation) == 56);

/// FILE_STANDARD_INFORMATION: NtQueryInformationFile class 5.
struct FileStandardInformation {
  std::uint64_t allocation_size = 0, end_of_file = 0;
  std::uint32_t links = 1;
  std::uint8_t delete_pending = 0, directory = 0, pad[2] = {};
};

static_assert(sizeof(FileStandardInformation) == 24);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_NATIVE_NT_RECORDS_H_
