// SPDX-License-Identifier: Apache-2.0
//
// Private memory. The order of checks is that of NT's calls (executive.md 5.3; ReactOS virtual.c,
// facts only): what the arguments alone decide, then what the space decides, then fault points and
// commit, then effects.
#include <algorithm>
#include <cassert>
#include <iterator>
#include <utility>
#include <vector>

#include <snapshot/executive/mm/address_space.h>

namespace doppel {
namespace {

constexpr std::uint64_t kGranule = kAllocationGranularity / kNtPageSize;
constexpr std::uint64_t kFirstPage = kUserBegin / kNtPageSize;
constexpr std::uint64_t kEndPage = kUserEnd / kNtPageSize;

std::uint64_t page_of(std::uint64_t address) {
  return address / kNtPageSize;
}

std::uint64_t granule_up(std::uint64_t page) {
  return (page + kGranule - 1) / kGranule * kGranule;
}

/// One past the last page that [base, base + size) touches. No overflow: callers have checked.
std::uint64_t end_page(std::uint64_t base, std::uint64_t size) {
  return (base + size + kNtPageSize - 1) / kNtPageSize;
}

}  // namespace

// --- VADs and entries

const Vad* AddressSpace::find_vad(std::uint64_t page) const {
  const auto at = vads_.upper_bound(page);
  if (at == vads_.begin()) return nullptr;
  const Vad& vad = std::prev(at)->second;
  return page < vad.last ? &vad : nullptr;
}

Vad* AddressSpace::find_vad(std::uint64_t page) {
  return const_cast<Vad*>(std::as_const(*this).find_vad(page));
}

const Vad* AddressSpace::find(std::uint64_t address) const {
  return find_vad(page_of(address));
}

bool AddressSpace::is_free(std::uint64_t first, std::uint64_t last) const {
  if (first < kFirstPage || last > kEndPage) return false;
  const auto at = vads_.lower_bound(last);
  return at == vads_.begin() || std::prev(at)->second.last <= first;
}

std::uint64_t AddressSpace::find_gap(std::uint64_t pages, bool top_down) const {
  if (pages > kEndPage - kFirstPage) return 0;
  if (!top_down) {
    std::uint64_t candidate = kFirstPage;
    for (const auto& [first, vad] : vads_) {
      if (first >= candidate && first - candidate >= pages) break;
      candidate = std::max(candidate, granule_up(vad.last));
    }
    return candidate + pages <= kEndPage ? candidate : 0;
  }
  std::uint64_t limit = kEndPage;
  for (auto at = vads_.rbegin();; ++at) {
    const std::uint64_t floor = at == vads_.rend() ? kFirstPage : at->second.last;
    if (limit >= pages) {
      const std::uint64_t candidate = (limit - pages) / kGranule * kGranule;
      if (candidate >= floor) return candidate;
    }
    if (at == vads_.rend()) return 0;
    limit = at->first;
  }
}

std::uint64_t AddressSpace::find_system_gap(std::uint64_t pages) const {
  std::uint64_t limit = page_of(kSystemBlockTop);
  for (auto at = vads_.rbegin();; ++at) {
    const std::uint64_t floor = at == vads_.rend() ? kFirstPage : at->second.last;
    if (limit >= floor && limit - floor >= pages) return limit - pages;
    if (at == vads_.rend()) return 0;
    limit = std::min(limit, at->first);
  }
}

bool AddressSpace::charge(std::uint64_t pages) {
  if (!memory_->charge(pages)) return false;
  commit_ += pages;
  peak_commit_ = std::max(peak_commit_, commit_);
  return true;
}

void AddressSpace::uncharge(std::uint64_t pages) {
  assert(commit_ >= pages);
  commit_ -= pages;
  memory_->uncharge(pages);
}

void AddressSpace::took_frame() {
  ++present_;
  peak_present_ = std::max(peak_present_, present_);
}

void AddressSpace::release_frame(const Vad& vad, std::uint64_t page, Pte& pte) {
  if (pte.frame == kNoFrame) return;
  memory_->release(pte.frame);
  if (pte.shared) vad.section->segment().trim(section_page(vad, page));
  pte.frame = kNoFrame;
  --present_;
}

/// How many entries of `vad` there were in [first, last).
std::uint64_t AddressSpace::drop_ptes(const Vad& vad, std::uint64_t first, std::uint64_t last) {
  std::uint64_t dropped = 0;
  auto at = ptes_.lower_bound(first);
  while (at != ptes_.end() && at->first < last) {
    release_frame(vad, at->first, at->second);
    at = ptes_.erase(at);
    ++dropped;
  }
  return dropped;
}

AddressSpace::Vads::iterator AddressSpace::remove(Vads::iterator at) {
  drop_ptes(at->second, at->second.first, at->second.last);
  uncharge(at->second.charge);
  leave_view(at->second);
  return vads_.erase(at);
}

void AddressSpace::clear() {
  for (auto at = vads_.begin(); at != vads_.end();) at = remove(at);
  forget();
}

// --- allocate

NtStatus AddressSpace::check_allocate(std::uint64_t base, std::uint64_t size, std::uint32_t type,
                                      std::uint32_t protect) {
  if ((type & ~(mem::commit | mem::reserve | mem::top_down)) != 0 ||
      (type & (mem::commit | mem::reserve)) == 0)
    return status::invalid_parameter_5;
  if (!valid_protection(protect)) return status::invalid_page_protection;
  if (base >= kUserEnd) return status::invalid_parameter_2;
  if (size == 0 || size > kUserEnd - base) return status::invalid_parameter_4;
  return status::success;
}

NtStatus AddressSpace::allocate(std::uint64_t& base, std::uint64_t& size, std::uint32_t type,
                                std::uint32_t protect) {
  const NtStatus checked = check_allocate(base, size, type, protect);
  if (!checked.succeeded()) return checked;
  const bool reserves = (type & mem::reserve) != 0 || base == 0;
  std::uint64_t first = page_of(base);
  std::uint64_t last = end_page(base, size);
  if (!reserves) {
    Vad* const vad = find_vad(first);
    if (vad == nullptr || last > vad->last) return status::conflicting_addresses;
    const NtStatus done = vad->kind == VadKind::private_memory
                              ? commit_private(*vad, first, last, protect)
                              : commit_view(*vad, first, last, protect);
    if (!done.succeeded()) return done;
  } else {
    if (is_write_copy(protect)) return status::invalid_page_protection;
    if (base == 0) {
      first = find_gap(last, (type & mem::top_down) != 0);
      if (first == 0) return status::no_memory;
      last += first;
    } else {
      first = first / kGranule * kGranule;
      if (!is_free(first, last)) return status::conflicting_addresses;
    }
    if (memory_->plan().fault(FaultSite::vad_insert)) return status::no_memory;
    const std::uint64_t charged = (type & mem::commit) != 0 ? last - first : 0;
    if (!charge(charged)) return status::commitment_limit;
    vads_.emplace(first, Vad{.first = first, .last = last, .protect = protect, .charge = charged});
    if (charged != 0) set_committed(first, last, protect);
  }
  base = first * kNtPageSize;
  size = (last - first) * kNtPageSize;
  return status::success;
}

NtStatus AddressSpace::allocate_system(std::uint64_t pages, std::uint64_t& base) {
  const std::uint64_t first = find_system_gap(pages);
  if (first == 0 || memory_->plan().fault(FaultSite::vad_insert)) return status::no_memory;
  if (!charge(pages)) return status::commitment_limit;
  vads_.emplace(
      first,
      Vad{.first = first, .last = first + pages, .protect = page::readwrite, .charge = pages});
  set_committed(first, first + pages, page::readwrite);
  base = first * kNtPageSize;
  return status::success;
}

/// Entries for [first, last) with `protect`; those that exist keep their page.
void AddressSpace::set_committed(std::uint64_t first, std::uint64_t last, std::uint32_t protect) {
  auto hint = ptes_.lower_bound(first);
  for (std::uint64_t page = first; page < last; ++page) {
    if (hint == ptes_.end() || hint->first != page) hint = ptes_.emplace_hint(hint, page, Pte{});
    hint->second.protect = protect & ~page::guard;
    hint->second.guard = (protect & page::guard) != 0;
    ++hint;
  }
  forget();
}

NtStatus AddressSpace::commit_private(Vad& vad, std::uint64_t first, std::uint64_t last,
                                      std::uint32_t protect) {
  if (is_write_copy(protect)) return status::invalid_page_protection;
  const auto begin = ptes_.lower_bound(first);
  const auto end = ptes_.lower_bound(last);
  const std::uint64_t fresh =
      (last - first) - static_cast<std::uint64_t>(std::distance(begin, end));
  if (!charge(fresh)) return status::commitment_limit;
  vad.charge += fresh;
  set_committed(first, last, protect);
  return status::success;
}

/// Of a pagefile section, whose segment is charged; a view of anything else is committed already.
NtStatus AddressSpace::commit_view(Vad& vad, std::uint64_t first, std::uint64_t last,
                                   std::uint32_t protect) {
  if (vad.kind != VadKind::pagefile) return status::already_committed;
  if ((protect & page::guard) != 0) return status::invalid_page_protection;
  NtSegment& segment = vad.section->segment();
  const std::uint64_t index = section_page(vad, first);
  const std::uint64_t fresh = segment.uncommitted(index, last - first);
  if (!memory_->charge(fresh)) return status::commitment_limit;
  const NtStatus done = protect_pages(vad, first, last, protect);
  if (done.succeeded())
    segment.commit(index, last - first);
  else
    memory_->uncharge(fresh);
  return done;
}

// --- free

NtStatus AddressSpace::check_free(std::uint64_t base, std::uint64_t size, std::uint32_t type) {
  if (type != mem::release && type != mem::decommit) return status::invalid_parameter_4;
  if (base >= kUserEnd) return status::invalid_parameter_2;
  if (size > kUserEnd - base) return status::invalid_parameter_3;
  return status::success;
}

NtStatus AddressSpace::free(std::uint64_t& base, std::uint64_t& size, std::uint32_t type) {
  const NtStatus checked = check_free(base, size, type);
  if (!checked.succeeded()) return checked;
  std::uint64_t first = page_of(base);
  std::uint64_t last = end_page(base, size);
  Vad* const vad = find_vad(first);
  if (vad == nullptr) return status::memory_not_allocated;
  if (last > vad->last) return status::unable_to_free_vm;
  if (vad->kind != VadKind::private_memory) return status::unable_to_delete_section;
  if (size == 0) {
    if (first != vad->first) return status::free_vm_not_at_base;
    last = vad->last;
  }
  const bool splits = type == mem::release && first != vad->first && last != vad->last;
  if (splits && memory_->plan().fault(FaultSite::vad_insert)) return status::no_memory;

  const std::uint64_t returned = drop_ptes(*vad, first, last);
  uncharge(returned);
  vad->charge -= returned;
  if (type == mem::release) {
    Vad tail = *vad;
    tail.first = last;
    const std::uint64_t key = vad->first;
    vad->last = first;
    const std::uint64_t tail_charge = static_cast<std::uint64_t>(
        std::distance(ptes_.lower_bound(tail.first), ptes_.lower_bound(tail.last)));
    tail.charge = tail_charge;
    vad->charge -= tail_charge;
    if (vad->first == vad->last) vads_.erase(key);
    if (tail.first != tail.last) vads_.emplace(tail.first, tail);
  }
  forget();
  base = first * kNtPageSize;
  size = (last - first) * kNtPageSize;
  return status::success;
}

// --- protect

NtStatus AddressSpace::check_protect(std::uint64_t base, std::uint64_t size,
                                     std::uint32_t protect) {
  if (!valid_protection(protect)) return status::invalid_page_protection;
  if (base >= kUserEnd) return status::invalid_parameter_2;
  if (size == 0 || size > kUserEnd - base) return status::invalid_parameter_3;
  return status::success;
}

NtStatus AddressSpace::protect(std::uint64_t& base, std::uint64_t& size, std::uint32_t protect,
                               std::uint32_t& old) {
  const NtStatus checked = check_protect(base, size, protect);
  if (!checked.succeeded()) return checked;
  const std::uint64_t first = page_of(base);
  const std::uint64_t last = end_page(base, size);
  Vad* const vad = find_vad(first);
  if (vad == nullptr || last > vad->last) return status::conflicting_addresses;
  if (vad->kind == VadKind::private_memory && is_write_copy(protect))
    return status::invalid_parameter_4;
  for (std::uint64_t page = first; page < last;) {
    // An entry of private memory, or a run of a view that is in one state.
    if (!state_of(*vad, page).committed) return status::not_committed;
    page = vad->kind == VadKind::private_memory ? page + 1 : state_change_after(*vad, page);
  }
  const std::uint32_t before = state_of(*vad, first).protect;
  const NtStatus done = protect_pages(*vad, first, last, protect);
  if (!done.succeeded()) return done;
  old = before;
  base = first * kNtPageSize;
  size = (last - first) * kNtPageSize;
  return status::success;
}

/// All pages are committed.
NtStatus AddressSpace::protect_pages(Vad& vad, std::uint64_t first, std::uint64_t last,
                                     std::uint32_t protect) {
  if (vad.kind == VadKind::private_memory) {
    set_committed(first, last, protect);
    return status::success;
  }
  // Writing "through" an image or a write-copy view means writing into a copy. A shared section of
  // an image is the exception: it is writable itself.
  const auto shares_writes = [&vad](std::uint64_t page) {
    return vad.kind == VadKind::image ? is_shared_write(initial_pte(vad, page).protect)
                                      : !is_write_copy(vad.protect);
  };
  if (vad.kind != VadKind::image &&
      !section_permits(vad.section->protect(),
                       is_write_copy(vad.protect) ? write_copy_of(protect) : protect))
    return status::section_protection;

  struct Change {
    std::uint64_t page;
    Pte pte;
  };

  std::vector<Change> changes;
  changes.reserve(last - first);
  std::uint64_t fresh = 0;
  for (std::uint64_t page = first; page < last; ++page) {
    const auto at = ptes_.find(page);
    Pte pte = at == ptes_.end() ? initial_pte(vad, page) : at->second;
    pte.protect = protect & ~page::guard;
    pte.guard = (protect & page::guard) != 0;
    if (pte.shared && !shares_writes(page)) pte.protect = write_copy_of(pte.protect);
    if (is_write_copy(pte.protect) && !pte.charged && !charged_by_mapping(vad, page)) {
      pte.charged = true;
      ++fresh;
    }
    changes.push_back({page, pte});
  }
  if (!charge(fresh)) return status::commitment_limit;
  vad.charge += fresh;
  for (const Change& change : changes) {
    ptes_.insert_or_assign(change.page, change.pte);
    if (change.pte.shared && is_shared_write(change.pte.protect)) make_writable(vad);
  }
  forget();
  return status::success;
}

}  // namespace doppel
