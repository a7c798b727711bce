// SPDX-License-Identifier: Apache-2.0
//
// The address space of one process: what ps, ke and native need of it. Checks that a native call
// makes before it references a handle are the static functions, in the order of the calls; the rest
// of the checks are inside the others. It knows neither processes nor handles; PEB, TEBs and stacks
// are memory to it like any other.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_MM_ADDRESS_SPACE_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_MM_ADDRESS_SPACE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include <snapshot/executive/nt_status.h>
#include <snapshot/executive/nt_types.h>
#include <snapshot/executive/ob/object.h>

namespace doppel {

class PhysicalMemory;
class Section;
enum class MemoryAccess : std::uint8_t;

/// Why an access failed: the cause's part of an EXCEPTION_RECORD.
struct MemoryFault {
  NtStatus code;
  std::uint32_t parameter_count = 0;
  std::array<std::uint64_t, 3> parameters{};
};

/// MEMORY_BASIC_INFORMATION.
struct MemoryInformation {
  std::uint64_t base = 0, allocation_base = 0;
  std::uint32_t allocation_protect = 0;
  std::uint64_t size = 0;
  std::uint32_t state = 0, protect = 0, type = 0;
};

/// NtMapViewOfSection, the handles resolved.
struct ViewRequest {
  std::uint64_t base = 0;    ///< 0: anywhere
  std::uint64_t offset = 0;  ///< into the section
  std::uint64_t size = 0;    ///< 0: to the section's end
  bool share = true;         ///< ViewShare; else ViewUnmap
  std::uint32_t type = 0, protect = 0;
};

class AddressSpace {
 public:
  explicit AddressSpace(PhysicalMemory& memory);
  AddressSpace(const AddressSpace&) = delete;
  AddressSpace& operator=(const AddressSpace&) = delete;
  /// Gives back pages and commit.
  ~AddressSpace();

  /// The two-phase clone: COMMITMENT_LIMIT or NO_MEMORY without any effect, or a whole copy. The
  /// first byte of the PEB is ps's business.
  NtStatus clone(std::unique_ptr<AddressSpace>& child) const;

  static NtStatus check_allocate(std::uint64_t base, std::uint64_t zero_bits, std::uint64_t size,
                                 std::uint32_t type, std::uint32_t protect);
  NtStatus allocate(std::uint64_t& base, std::uint64_t& size, std::uint32_t type,
                    std::uint32_t protect);
  static NtStatus check_free(std::uint64_t base, std::uint64_t size, std::uint32_t type);
  NtStatus free(std::uint64_t& base, std::uint64_t& size, std::uint32_t type);
  static NtStatus check_protect(std::uint64_t base, std::uint64_t size, std::uint32_t protect);
  NtStatus protect(std::uint64_t& base, std::uint64_t& size, std::uint32_t protect,
                   std::uint32_t& old);

  /// Committed, readable and writable pages for a PEB or TEB: the highest free place below
  /// 0x7FF700000000.
  NtStatus allocate_top_down(std::uint64_t pages, std::uint64_t& base);

  static NtStatus check_map(const ViewRequest& request);
  /// What follows the two references: MAPPED_ALIGNMENT and so on. IMAGE_NOT_AT_BASE is a success.
  NtStatus map(const ObjectRef<Section>& section, const ViewRequest& request, std::uint64_t& base,
               std::uint64_t& size);
  NtStatus unmap(std::uint64_t address);

  NtStatus query(std::uint64_t address, MemoryInformation& information) const;

  /// Copies through the page tables as the processor does (breaks copy-on-write, consumes guards);
  /// returns how many bytes lie before the first page that faults. `teb`: of the running thread
  /// where it is the thread itself that touches its stack; 0 for everybody else.
  std::size_t read(std::uint64_t address, std::span<std::byte> to, MemoryFault& fault,
                   std::uint64_t teb = 0);
  std::size_t write(std::uint64_t address, std::span<const std::byte> from, MemoryFault& fault,
                    std::uint64_t teb = 0);
  /// Makes one page accessible as read() and write() would, touching no byte.
  bool touch(std::uint64_t address, MemoryAccess access, MemoryFault& fault, std::uint64_t teb = 0);
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_MM_ADDRESS_SPACE_H_
