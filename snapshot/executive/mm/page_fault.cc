// SPDX-License-Identifier: Apache-2.0
//
// One access, resolved in the order of executive.md 3.4: VAD, protection, guard, page, copy. What
// was resolved is remembered in a small table, as a processor does; whatever could make an entry
// untrue forgets them all. Pages of data files are never remembered: their file may change.
#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>

#include <snapshot/executive/mm/address_space.h>

namespace doppel {
namespace {

// TEB of 64-bit NT (phnt).
constexpr std::uint64_t kTebStackBase = 0x08, kTebStackLimit = 0x10, kTebDeallocationStack = 0x1478;

constexpr std::uint8_t bit(MemoryAccess access) {
  return static_cast<std::uint8_t>(access == MemoryAccess::read    ? 1
                                   : access == MemoryAccess::write ? 2
                                                                   : 4);
}

bool raise(PageFault& fault, NtStatus status, MemoryAccess access, std::uint64_t address) {
  fault = {status, 2, {static_cast<std::uint64_t>(access), address, 0}};
  return false;
}

}  // namespace

bool AddressSpace::resolve(std::uint64_t address, MemoryAccess access, Page& page, PageFault& fault,
                           std::uint64_t teb) {
  const std::uint64_t number = address / kNtPageSize;
  const Translation& known = translations_[number % translations_.size()];
  if (known.page == number && (known.allowed & bit(access)) != 0) {
    page = {known.bytes, known.frame, nullptr, 0};
    return true;
  }
  return resolve_slowly(address, access, page, fault, teb);
}

bool AddressSpace::resolve_slowly(std::uint64_t address, MemoryAccess access, Page& page,
                                  PageFault& fault, std::uint64_t teb) {
  const std::uint64_t number = address / kNtPageSize;
  Vad* const vad = address < kUserEnd ? find_vad(number) : nullptr;
  if (vad == nullptr) return raise(fault, status::access_violation, access, address);
  const PageState state = state_of(*vad, number);
  if (!state.committed || !allows(state.protect & ~page::guard, access))
    return raise(fault, status::access_violation, access, address);
  if ((state.protect & page::guard) != 0 && !hit_guard(*vad, address, access, fault, teb))
    return false;

  // An entry that does not come to have a page is not kept: a view that failed to be read looks
  // as before.
  auto at = ptes_.find(number);
  Pte pte = at != ptes_.end() ? at->second : initial_pte(*vad, number);
  NtStatus cause = status::success;
  bool resolved = materialise(*vad, number, pte, cause);
  if (resolved) {
    at = ptes_.insert_or_assign(at == ptes_.end() ? ptes_.end() : at, number, pte);
    if (access == MemoryAccess::write) resolved = make_private(*vad, number, at->second, cause);
  }
  if (!resolved) {
    fault = {status::in_page_error,
             3,
             {static_cast<std::uint64_t>(access), address, std::uint64_t{cause.value}}};
    return false;
  }

  const Pte& entry = at->second;
  page = {memory_->bytes(entry.frame), entry.frame, nullptr, 0};
  Translation& slot = translations_[number % translations_.size()];
  if (vad->kind == VadKind::data && entry.shared) {
    page.file = &vad->section->segment();
    page.index = section_page(*vad, number);
    if (slot.page == number) slot = {};
    return true;
  }
  slot = {number, page.bytes, entry.frame, 0};
  for (const MemoryAccess kind : {MemoryAccess::read, MemoryAccess::write, MemoryAccess::execute}) {
    if (!allows(entry.protect, kind)) continue;
    // A write into a page that others refer to, or that is write-copy, must come here again.
    const bool settled =
        entry.shared ? is_shared_write(entry.protect)
                     : memory_->references(entry.frame) == 1 && !is_write_copy(entry.protect);
    if (kind != MemoryAccess::write || settled) slot.allowed |= bit(kind);
  }
  return true;
}

/// Gives `pte` a page, if it has none; a data page is brought up to date with its file.
bool AddressSpace::materialise(Vad& vad, std::uint64_t number, Pte& pte, NtStatus& cause) {
  if (pte.shared) {
    NtSegment& segment = vad.section->segment();
    const std::uint64_t index = section_page(vad, number);
    if (pte.frame == kNoFrame && vad.relocation != 0 &&
        segment.image().has_fixup(index * kNtPageSize)) {
      // A relocated page is the space's own from the start; its charge was paid by the mapping.
      if (memory_->plan().fault(FaultSite::image_read)) {
        cause = status::in_page_error;
        return false;
      }
      const std::optional<Frame> own = memory_->allocate();
      if (!own) {
        cause = status::no_memory;
        return false;
      }
      segment.image().read_relocated(segment.node()->bytes, index * kNtPageSize,
                                     {memory_->bytes(*own), kNtPageSize}, vad.relocation);
      pte.frame = *own;
      pte.shared = false;
      took_frame();
      return true;
    }
    if (pte.frame != kNoFrame && vad.kind != VadKind::data) return true;
    const Frame frame = segment.page(index, cause);
    if (frame == kNoFrame) return false;
    if (pte.frame == kNoFrame) {
      memory_->reference(frame);
      pte.frame = frame;
      took_frame();
    }
    assert(pte.frame == frame);
    return true;
  }
  if (pte.frame != kNoFrame) return true;
  const std::optional<Frame> fresh = memory_->allocate();
  if (!fresh) {
    cause = status::no_memory;
    return false;
  }
  pte.frame = *fresh;
  took_frame();
  return true;
}

/// Before a write: a write-copy page of a section, or a page that another space refers to, is
/// copied. The last sharer of an anonymous page keeps it.
bool AddressSpace::make_private(const Vad& vad, std::uint64_t page, Pte& pte, NtStatus& cause) {
  if (pte.shared && !is_write_copy(pte.protect)) return true;
  if (pte.shared || memory_->references(pte.frame) > 1) {
    const std::optional<Frame> copy = memory_->allocate_copy(pte.frame);
    if (!copy) {
      cause = status::no_memory;
      return false;
    }
    release_frame(vad, page, pte);
    pte.frame = *copy;
    took_frame();
    pte.shared = false;
  }
  pte.protect = broken_copy(pte.protect);
  return true;
}

/// One shot. True where the running thread's own stack has grown and the access goes on.
bool AddressSpace::hit_guard(Vad& vad, std::uint64_t address, MemoryAccess access, PageFault& fault,
                             std::uint64_t teb) {
  const std::uint64_t number = address / kNtPageSize;
  const auto disarm = [&] {
    auto at = ptes_.find(number);
    if (at == ptes_.end()) at = ptes_.emplace(number, initial_pte(vad, number)).first;
    at->second.guard = false;
    forget();
  };
  std::uint64_t base = 0;
  std::uint64_t bottom = 0;
  PageFault ignored;
  const auto teb_field = [&](std::uint64_t offset, std::uint64_t& value) {
    // A TEB with a guard page of its own is none.
    return load(teb + offset, std::as_writable_bytes(std::span(&value, 1)), ignored);
  };
  const bool own_stack = teb != 0 && teb / kNtPageSize != number &&
                         vad.kind == VadKind::private_memory && teb_field(kTebStackBase, base) &&
                         teb_field(kTebDeallocationStack, bottom) && address < base &&
                         address >= bottom && bottom / kNtPageSize >= vad.first;
  if (!own_stack) {
    disarm();
    return raise(fault, status::guard_page_violation, access, address);
  }

  const std::uint64_t limit = number * kNtPageSize;
  if (!store(teb + kTebStackLimit, std::as_bytes(std::span(&limit, 1)), fault)) return false;
  disarm();
  const std::uint64_t next = number - 1;
  if (next <= bottom / kNtPageSize) return raise(fault, status::stack_overflow, access, address);
  if (!ptes_.contains(next)) {
    if (!charge(1)) return raise(fault, status::stack_overflow, access, address);
    ++vad.charge;
  }
  set_committed(next, next + 1, page::readwrite | page::guard);
  return true;
}

// --- copies, as the processor makes them

bool AddressSpace::load_as(MemoryAccess access, std::uint64_t address, std::span<std::byte> to,
                           PageFault& fault, std::uint64_t teb) {
  assert(to.size() <= kNtPageSize);
  const std::uint64_t offset = address % kNtPageSize;
  Page page;
  if (!resolve(address, access, page, fault, teb)) return false;
  const std::uint64_t head = std::min<std::uint64_t>(to.size(), kNtPageSize - offset);
  if (head == to.size()) {
    std::memcpy(to.data(), page.bytes + offset, head);
    return true;
  }
  Page second;
  if (!resolve(address + head, access, second, fault, teb)) return false;
  // The second page may have been the first one's guard: its growth moves no page.
  std::memcpy(to.data(), page.bytes + offset, head);
  std::memcpy(to.data() + head, second.bytes, to.size() - head);
  return true;
}

bool AddressSpace::load(std::uint64_t address, std::span<std::byte> to, PageFault& fault,
                        std::uint64_t teb) {
  return load_as(MemoryAccess::read, address, to, fault, teb);
}

bool AddressSpace::load_for_store(std::uint64_t address, std::span<std::byte> to, PageFault& fault,
                                  std::uint64_t teb) {
  return load_as(MemoryAccess::write, address, to, fault, teb);
}

bool AddressSpace::store(std::uint64_t address, std::span<const std::byte> from, PageFault& fault,
                         std::uint64_t teb) {
  assert(from.size() <= kNtPageSize);
  const std::uint64_t offset = address % kNtPageSize;
  const std::uint64_t head = std::min<std::uint64_t>(from.size(), kNtPageSize - offset);
  Page page;
  if (!resolve(address, MemoryAccess::write, page, fault, teb)) return false;
  Page second;
  if (head != from.size() && !resolve(address + head, MemoryAccess::write, second, fault, teb))
    return false;
  const auto put = [this](const Page& to, std::uint64_t at, std::span<const std::byte> bytes) {
    std::memcpy(to.bytes + at, bytes.data(), bytes.size());
    memory_->changed(to.frame);
    if (to.file != nullptr) to.file->written(to.index);
  };
  put(page, offset, from.first(head));
  if (head != from.size()) put(second, 0, from.subspan(head));
  return true;
}

bool AddressSpace::fetch(std::uint64_t address, ExecutablePage& page, PageFault& fault,
                         std::uint64_t teb) {
  Page found;
  if (!resolve(address, MemoryAccess::execute, found, fault, teb)) return false;
  page = {found.bytes, found.frame, memory_->version(found.frame)};
  return true;
}

// --- copies from outside

NtStatus AddressSpace::read(std::uint64_t address, std::span<std::byte> to, std::size_t& done) {
  done = 0;
  if (address >= kUserEnd || to.size() > kUserEnd - address) return status::access_violation;
  PageFault fault;
  while (done < to.size()) {
    const std::uint64_t at = address + done;
    const std::size_t count =
        std::min<std::size_t>(to.size() - done, kNtPageSize - at % kNtPageSize);
    if (memory_->plan().fault(FaultSite::mem_read) || !load(at, to.subspan(done, count), fault))
      return status::partial_copy;
    done += count;
  }
  return status::success;
}

NtStatus AddressSpace::write(std::uint64_t address, std::span<const std::byte> from,
                             std::size_t& done) {
  done = 0;
  if (address >= kUserEnd || from.size() > kUserEnd - address) return status::access_violation;
  PageFault fault;
  while (done < from.size()) {
    const std::uint64_t at = address + done;
    const std::size_t count =
        std::min<std::size_t>(from.size() - done, kNtPageSize - at % kNtPageSize);
    if (!store(at, from.subspan(done, count), fault)) return status::partial_copy;
    done += count;
  }
  return status::success;
}

}  // namespace doppel
