// SPDX-License-Identifier: Apache-2.0
//
// The address space of one process: reserve, commit, protect, map, resolve faults, clone. The
// native calls on memory are these functions after their handles are resolved; each returns what
// NT would and leaves nothing behind when it fails. It knows no processes, threads or handles: who
// runs is told by the address of its TEB.
//
//   address_space.cc        private memory: allocate, free, protect
//   section_views.cc        map, unmap
//   page_fault.cc           an access, resolved; copies through page tables
//   memory_query.cc         what NtQueryVirtualMemory says
//   address_space_clone.cc  the two-phase copy-on-write clone
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_MM_ADDRESS_SPACE_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_MM_ADDRESS_SPACE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>

#include <snapshot/executive/mm/page_protection.h>
#include <snapshot/executive/mm/physical_memory.h>
#include <snapshot/executive/mm/section.h>
#include <snapshot/executive/mm/vad.h>
#include <snapshot/executive/nt_status.h>
#include <snapshot/executive/nt_types.h>

namespace doppel {

/// What an access raises; the part of EXCEPTION_RECORD that memory decides. Parameters: [0] is 0
/// read, 1 write, 8 execute; [1] the address; [2], of IN_PAGE_ERROR only, the cause.
struct PageFault {
  NtStatus status = status::success;
  std::uint32_t parameter_count = 0;
  std::array<std::uint64_t, 3> parameters{};
  bool operator==(const PageFault&) const = default;
};

/// MEMORY_BASIC_INFORMATION.
struct MemoryInformation {
  std::uint64_t base = 0, allocation_base = 0;
  std::uint32_t allocation_protect = 0;
  std::uint64_t size = 0;  ///< bytes
  std::uint32_t state = 0, protect = 0, type = 0;
  bool operator==(const MemoryInformation&) const = default;
};

/// MEMORY_WORKING_SET_EX_BLOCK.
struct WorkingSetInformation {
  bool valid = false;               ///< has a page
  std::uint32_t share_count = 0;    ///< at most 7
  std::uint32_t win32_protect = 0;  ///< PAGE_ value
  bool shared = false;              ///< the page is a section's
  bool operator==(const WorkingSetInformation&) const = default;
};

/// NtMapViewOfSection. `base` and `size` are answered too.
struct MapRequest {
  std::uint64_t base = 0;         ///< 0: lowest that fits (MEM_TOP_DOWN: highest)
  std::uint64_t commit_size = 0;  ///< bytes to commit at once of a reserved pagefile section
  std::uint64_t offset = 0;       ///< in the section, bytes
  std::uint64_t size = 0;         ///< bytes; 0: to the end of the section
  ViewInherit inherit = ViewInherit::share;
  std::uint32_t type = 0;  ///< MEM_TOP_DOWN, MEM_RESERVE
  std::uint32_t protect = page::readonly;
};

/// One executable page, for an instruction fetch.
struct ExecutablePage {
  const std::byte* bytes = nullptr;  ///< whole page; valid until the space is used again
  Frame frame = kNoFrame;
  std::uint64_t version = 0;  ///< PhysicalMemory::version
};

enum class CloneMode : std::uint8_t {
  copy_on_write,
  deep_copy,  ///< the oracle: every private page is copied; nothing else may differ
};

/// PEB and TEBs are placed below this, highest first.
inline constexpr std::uint64_t kSystemBlockTop = 0x7FF700000000;

/// Not thread-safe, as the whole executive. `memory` outlives it.
class AddressSpace {
 public:
  explicit AddressSpace(PhysicalMemory& memory) : memory_(&memory) {}

  AddressSpace(const AddressSpace&) = delete;
  AddressSpace& operator=(const AddressSpace&) = delete;

  ~AddressSpace() { clear(); }

  /// Unmaps and frees everything, and returns every charge.
  void clear();

  // --- private memory

  /// The checks of NtAllocateVirtualMemory that precede the process handle, in their order:
  /// INVALID_PARAMETER_5, INVALID_PAGE_PROTECTION, INVALID_PARAMETER_2, INVALID_PARAMETER_4.
  static NtStatus check_allocate(std::uint64_t base, std::uint64_t size, std::uint32_t type,
                                 std::uint32_t protect);
  /// NtAllocateVirtualMemory, check_allocate() included; `base` and `size` (bytes) are answered.
  NtStatus allocate(std::uint64_t& base, std::uint64_t& size, std::uint32_t type,
                    std::uint32_t protect);
  /// `pages` committed, readable and writable pages for PEB or TEB, placed by the kernel:
  /// NO_MEMORY, COMMITMENT_LIMIT.
  NtStatus allocate_system(std::uint64_t pages, std::uint64_t& base);

  /// INVALID_PARAMETER_4, _2, _3: the checks of NtFreeVirtualMemory that precede the handle.
  static NtStatus check_free(std::uint64_t base, std::uint64_t size, std::uint32_t type);
  /// NtFreeVirtualMemory, check_free() included. Releasing the middle of an allocation splits it.
  NtStatus free(std::uint64_t& base, std::uint64_t& size, std::uint32_t type);

  /// INVALID_PAGE_PROTECTION, INVALID_PARAMETER_2, _3: those of NtProtectVirtualMemory.
  static NtStatus check_protect(std::uint64_t base, std::uint64_t size, std::uint32_t protect);
  /// NtProtectVirtualMemory, check_protect() included. `old` is that of the first page.
  NtStatus protect(std::uint64_t& base, std::uint64_t& size, std::uint32_t protect,
                   std::uint32_t& old);

  // --- views

  /// INVALID_PARAMETER_9, INVALID_PAGE_PROTECTION, INVALID_PARAMETER_3: the checks of
  /// NtMapViewOfSection that precede the handles, but for its inherit disposition
  /// (INVALID_PARAMETER_8 comes first), which is a type here.
  static NtStatus check_map(const MapRequest& request);
  /// NtMapViewOfSection, check_map() included. IMAGE_NOT_AT_BASE is a success.
  NtStatus map(const ObjectRef<Section>& section, MapRequest& request);
  /// NtUnmapViewOfSection of the view that holds `address`: NOT_MAPPED_VIEW.
  NtStatus unmap(std::uint64_t address);

  // --- what there is

  /// NtQueryVirtualMemory(basic): INVALID_PARAMETER above the user's addresses.
  NtStatus query(std::uint64_t address, MemoryInformation& information) const;
  /// NtQueryVirtualMemory(working set): of any address below kUserEnd.
  NtStatus query(std::uint64_t address, WorkingSetInformation& information) const;
  /// NtQueryVirtualMemory(mapped file name) answers the name of `node`: INVALID_ADDRESS for free
  /// and private memory, FILE_INVALID for a pagefile view.
  NtStatus query(std::uint64_t address, const FileNode*& node) const;
  /// Null where the address is free. Valid until the space changes.
  const Vad* find(std::uint64_t address) const;

  // --- accesses, as the processor makes them. `teb` is the TEB of the running thread, 0 for
  // none: its own stack grows. False with `fault` filled; nothing is copied then.

  /// At most one page long. Copies out, across a page boundary where need be.
  bool load(std::uint64_t address, std::span<std::byte> to, PageFault& fault,
            std::uint64_t teb = 0);
  /// As load(), but faults as a write does: store() of the same range will succeed.
  bool load_for_store(std::uint64_t address, std::span<std::byte> to, PageFault& fault,
                      std::uint64_t teb = 0);
  /// At most one page long. Copies in.
  bool store(std::uint64_t address, std::span<const std::byte> from, PageFault& fault,
             std::uint64_t teb = 0);
  bool fetch(std::uint64_t address, ExecutablePage& page, PageFault& fault, std::uint64_t teb = 0);

  // --- accesses from outside

  /// NtReadVirtualMemory: SUCCESS; PARTIAL_COPY with `done` bytes before the page that faults;
  /// ACCESS_VIOLATION when the range leaves the user's addresses. Consumes guard pages.
  NtStatus read(std::uint64_t address, std::span<std::byte> to, std::size_t& done);
  /// NtWriteVirtualMemory, likewise.
  NtStatus write(std::uint64_t address, std::span<const std::byte> from, std::size_t& done);

  // --- clone

  /// MmCloneAddressSpace: all or nothing, in time of the PTEs, and no page is copied but that of
  /// `peb` (0: none), whose first byte (InheritedAddressSpace) becomes 1 in the child. Views
  /// mapped with ViewInherit::unmap are absent. COMMITMENT_LIMIT, NO_MEMORY.
  NtStatus clone(std::uint64_t peb, std::unique_ptr<AddressSpace>& child,
                 CloneMode mode = CloneMode::copy_on_write);

  // --- counts, in pages

  std::uint64_t commit_charge() const { return commit_; }

  std::uint64_t peak_commit_charge() const { return peak_commit_; }

  /// Entries with a page.
  std::uint64_t working_set() const { return present_; }

  std::uint64_t peak_working_set() const { return peak_present_; }

  const std::map<std::uint64_t, Vad>& vads() const { return vads_; }

  const std::map<std::uint64_t, Pte>& ptes() const { return ptes_; }

  PhysicalMemory& memory() const { return *memory_; }

 private:
  using Vads = std::map<std::uint64_t, Vad>;
  using Ptes = std::map<std::uint64_t, Pte>;

  /// A resolved page. `file` is set where what is written must reach a data segment.
  struct Page {
    std::byte* bytes = nullptr;
    Frame frame = kNoFrame;
    NtSegment* file = nullptr;
    std::uint64_t index = 0;
  };

  /// One remembered resolution. Tag ~0: none.
  struct Translation {
    std::uint64_t page = ~std::uint64_t{0};
    std::byte* bytes = nullptr;
    Frame frame = kNoFrame;
    std::uint8_t allowed = 0;  ///< bit of each MemoryAccess
  };

  /// What a page is, for queries and checks.
  struct PageState {
    bool committed = false;
    std::uint32_t protect = 0;  ///< PAGE_GUARD included
    bool operator==(const PageState&) const = default;
  };

  Vad* find_vad(std::uint64_t page);
  const Vad* find_vad(std::uint64_t page) const;
  /// 0 when nothing fits. Pages.
  std::uint64_t find_gap(std::uint64_t pages, bool top_down) const;
  std::uint64_t find_system_gap(std::uint64_t pages) const;
  /// Whether [first, last) are the user's and nobody's. Pages.
  bool is_free(std::uint64_t first, std::uint64_t last) const;

  bool charge(std::uint64_t pages);
  void uncharge(std::uint64_t pages);

  void forget() { translations_.fill({}); }

  void took_frame();
  void release_frame(const Vad& vad, std::uint64_t page, Pte& pte);
  std::uint64_t drop_ptes(const Vad& vad, std::uint64_t first, std::uint64_t last);
  void set_committed(std::uint64_t first, std::uint64_t last, std::uint32_t protect);
  void enter_view(const Vad& vad);
  void leave_view(const Vad& vad);
  void make_writable(Vad& vad);
  Vads::iterator remove(Vads::iterator vad);

  static std::uint64_t section_page(const Vad& vad, std::uint64_t page) {
    return vad.section_page + (page - vad.first);
  }

  static bool charged_by_mapping(const Vad& vad, std::uint64_t page);
  /// Of a view's page that has no entry yet.
  static Pte initial_pte(const Vad& vad, std::uint64_t page);
  PageState state_of(const Vad& vad, std::uint64_t page) const;
  /// The first page after `page` that may be in another state; at most vad.last.
  std::uint64_t state_change_after(const Vad& vad, std::uint64_t page) const;
  /// One past the last page from `page` on that is in `state`, which is that of `page`.
  std::uint64_t run_end(const Vad& vad, std::uint64_t page, PageState state) const;

  NtStatus commit_private(Vad& vad, std::uint64_t first, std::uint64_t last, std::uint32_t protect);
  NtStatus commit_view(Vad& vad, std::uint64_t first, std::uint64_t last, std::uint32_t protect);
  NtStatus protect_pages(Vad& vad, std::uint64_t first, std::uint64_t last, std::uint32_t protect);
  NtStatus map_image(const ObjectRef<Section>& section, MapRequest& request);
  NtStatus map_data(const ObjectRef<Section>& section, MapRequest& request);

  bool resolve(std::uint64_t address, MemoryAccess access, Page& page, PageFault& fault,
               std::uint64_t teb);
  bool resolve_slowly(std::uint64_t address, MemoryAccess access, Page& page, PageFault& fault,
                      std::uint64_t teb);
  bool materialise(Vad& vad, std::uint64_t page, Pte& pte, NtStatus& cause);
  bool make_private(const Vad& vad, std::uint64_t page, Pte& pte, NtStatus& cause);
  bool hit_guard(Vad& vad, std::uint64_t address, MemoryAccess access, PageFault& fault,
                 std::uint64_t teb);
  bool load_as(MemoryAccess access, std::uint64_t address, std::span<std::byte> to,
               PageFault& fault, std::uint64_t teb);
  bool clone_page(Pte& copy, CloneMode mode);

  PhysicalMemory* memory_;
  Vads vads_;  ///< by first page
  Ptes ptes_;  ///< by page
  std::uint64_t commit_ = 0, peak_commit_ = 0, present_ = 0, peak_present_ = 0;
  std::array<Translation, 256> translations_{};
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_MM_ADDRESS_SPACE_H_
