// SPDX-License-Identifier: Apache-2.0
//
// What a process of Windows NT has beside what every process has. Each part hangs, optional, on the
// value that it belongs to; a Linux image has none of them. The numbers are NT's own (winnt.h), so
// that a minidump holds them as they are: this file must not interpret them.
#ifndef DOPPEL_SNAPSHOT_MODEL_WINDOWS_H_
#define DOPPEL_SNAPSHOT_MODEL_WINDOWS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include <snapshot/model/address.h>

namespace doppel {

/// Of the process. Its presence says that the image is that of an NT process.
struct WindowsProcess {
  std::uint32_t major = 10, minor = 0, build = 0;  ///< version of the system
  std::string service_pack;
  std::uint16_t processor_level = 6, processor_revision = 0;
  std::uint8_t processors = 1;
  std::uint32_t created_at = 0;  ///< seconds since 1970 UTC
  /// Free text for people: profile, seed, step, the clone's id.
  std::string comment;
  bool operator==(const WindowsProcess&) const = default;
};

struct WindowsThread {
  std::uint32_t suspend_count = 0;
  std::uint32_t priority_class = 0x20;  ///< NORMAL_PRIORITY_CLASS
  std::uint32_t priority = 8;
  std::uint32_t exit_status = 0x103;  ///< STATUS_PENDING: it runs
  Address teb;
  Address start;
  std::uint64_t affinity = 1;
  std::uint64_t created_at = 0;  ///< 100 ns since 1601 UTC
  bool operator==(const WindowsThread&) const = default;
};

/// MEMORY_BASIC_INFORMATION of a region that is committed or reserved; free memory has no region.
struct WindowsRegion {
  Address allocation_base;
  std::uint32_t allocation_protect = 0;  ///< PAGE_...
  std::uint32_t state = 0x1000;          ///< MEM_COMMIT 0x1000, MEM_RESERVE 0x2000
  std::uint32_t protect = 0;             ///< PAGE_..., PAGE_GUARD 0x100 included
  std::uint32_t type = 0x20000;          ///< MEM_PRIVATE; MEM_MAPPED 0x40000, MEM_IMAGE 0x1000000
  bool operator==(const WindowsRegion&) const = default;
};

/// Fields of the PE headers and of their CodeView record (RSDS).
struct WindowsModule {
  std::uint32_t checksum = 0;
  std::uint32_t time_stamp = 0;
  std::array<std::byte, 16> pdb_guid{};  ///< as it stands in the file
  std::uint32_t pdb_age = 0;
  std::string pdb_path;  ///< empty: the image names no PDB
  bool operator==(const WindowsModule&) const = default;
};

/// Handle::kind is the name of the object's type, Handle::target its own name.
struct WindowsHandle {
  std::uint32_t attributes = 0;  ///< OBJ_...
  std::uint32_t access = 0;      ///< granted
  std::uint32_t handle_count = 0;
  std::uint32_t pointer_count = 0;
  bool operator==(const WindowsHandle&) const = default;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_MODEL_WINDOWS_H_
