// SPDX-License-Identifier: Apache-2.0
//
// What NtQueryVirtualMemory says. Copy-on-write of private pages never shows; write-copy shows
// until it is broken.
#include <algorithm>
#include <vector>

#include <snapshot/executive/mm/address_space.h>

namespace doppel {

AddressSpace::PageState AddressSpace::state_of(const Vad& vad, std::uint64_t page) const {
  const auto at = ptes_.find(page);
  if (vad.kind == VadKind::private_memory && at == ptes_.end()) return {};
  if (vad.kind == VadKind::pagefile && !vad.section->segment().committed(section_page(vad, page)))
    return {};
  const Pte pte = at != ptes_.end() ? at->second : initial_pte(vad, page);
  return {true, pte.protect | (pte.guard ? page::guard : 0)};
}

std::uint64_t AddressSpace::state_change_after(const Vad& vad, std::uint64_t page) const {
  const auto next = ptes_.lower_bound(page);
  if (next != ptes_.end() && next->first == page) return page + 1;
  std::uint64_t change = next == ptes_.end() ? vad.last : std::min(vad.last, next->first);
  if (vad.kind == VadKind::image) {
    const std::vector<std::uint32_t>& protections = vad.section->image().protections;
    const std::uint64_t index = section_page(vad, page);
    std::uint64_t last = page + 1;
    while (last < change && protections[section_page(vad, last)] == protections[index]) ++last;
    return last;
  }
  if (vad.kind == VadKind::pagefile) {
    const std::uint64_t index = section_page(vad, page);
    const std::uint64_t edge = vad.section->segment().commit_change_after(index);
    if (edge != ~std::uint64_t{0}) change = std::min(change, page + (edge - index));
  }
  return change;
}

std::uint64_t AddressSpace::run_end(const Vad& vad, std::uint64_t page, PageState state) const {
  std::uint64_t last = page;
  if (vad.kind == VadKind::private_memory && state.committed) {
    // Entries that follow each other, without looking each of them up.
    const auto same = [&](const Pte& pte) {
      return (pte.protect | (pte.guard ? page::guard : 0)) == state.protect;
    };
    for (auto at = ptes_.find(page);
         at != ptes_.end() && last < vad.last && at->first == last && same(at->second); ++at)
      ++last;
    return last;
  }
  while (last < vad.last && (last == page || state_of(vad, last) == state))
    last = state_change_after(vad, last);
  return last;
}

NtStatus AddressSpace::query(std::uint64_t address, MemoryInformation& information) const {
  if (address >= kUserEnd) return status::invalid_parameter;
  const std::uint64_t page = address / kNtPageSize;
  const Vad* const vad = find_vad(page);
  information = {};
  information.base = page * kNtPageSize;
  if (vad == nullptr) {
    const auto next = vads_.upper_bound(page);
    const std::uint64_t end = next == vads_.end() ? kUserEnd : next->first * kNtPageSize;
    information.size = end - information.base;
    information.state = mem::free;
    information.protect = page::noaccess;
    return status::success;
  }
  const PageState state = state_of(*vad, page);
  const std::uint64_t last = run_end(*vad, page, state);
  information.allocation_base = vad->first * kNtPageSize;
  information.allocation_protect = vad->protect;
  information.size = (last - page) * kNtPageSize;
  information.state = state.committed ? mem::commit : mem::reserve;
  information.protect = state.protect;
  switch (vad->kind) {
    case VadKind::private_memory:
      information.type = mem::private_memory;
      break;
    case VadKind::image:
      information.type = mem::image;
      break;
    case VadKind::data:
    case VadKind::pagefile:
      information.type = mem::mapped;
      break;
  }
  return status::success;
}

NtStatus AddressSpace::query(std::uint64_t address, WorkingSetInformation& information) const {
  if (address >= kUserEnd) return status::invalid_parameter;
  const std::uint64_t page = address / kNtPageSize;
  information = {};
  const auto at = ptes_.find(page);
  if (at == ptes_.end() || at->second.frame == kNoFrame) return status::success;
  const Pte& pte = at->second;
  information.valid = true;
  information.share_count = std::min<std::uint32_t>(7, memory_->references(pte.frame));
  information.win32_protect = pte.protect | (pte.guard ? page::guard : 0);
  information.shared = pte.shared;
  return status::success;
}

NtStatus AddressSpace::query(std::uint64_t address, const FileNode*& node) const {
  if (address >= kUserEnd) return status::invalid_parameter;
  const Vad* const vad = find(address);
  if (vad == nullptr || vad->kind == VadKind::private_memory) return status::invalid_address;
  if (vad->kind == VadKind::pagefile) return status::file_invalid;
  node = vad->section->node();
  return status::success;
}

}  // namespace doppel
