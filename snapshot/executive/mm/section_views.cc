// SPDX-License-Identifier: Apache-2.0
//
// Views of sections: NtMapViewOfSection and NtUnmapViewOfSection (executive.md 5.3; ReactOS
// section.c, facts only), and the counts by which a file knows how memory uses it.
#include <cassert>

#include <snapshot/executive/mm/address_space.h>

namespace doppel {
namespace {

constexpr std::uint64_t kGranule = kAllocationGranularity / kNtPageSize;

std::uint64_t pages_of(std::uint64_t bytes) {
  return (bytes + kNtPageSize - 1) / kNtPageSize;
}

}  // namespace

NtStatus AddressSpace::check_map(const MapRequest& request) {
  if ((request.type & ~(mem::reserve | mem::top_down)) != 0) return status::invalid_parameter_9;
  if (!valid_protection(request.protect) || (request.protect & page::guard) != 0)
    return status::invalid_page_protection;
  if (request.base >= kUserEnd || request.size > kUserEnd - request.base ||
      (request.base != 0 && request.base < kUserBegin))
    return status::invalid_parameter_3;
  return status::success;
}

NtStatus AddressSpace::map(const ObjectRef<Section>& section, MapRequest& request) {
  const NtStatus checked = check_map(request);
  if (!checked.succeeded()) return checked;
  if (request.base % kAllocationGranularity != 0 || request.offset % kAllocationGranularity != 0)
    return status::mapped_alignment;
  return section->is_image() ? map_image(section, request) : map_data(section, request);
}

NtStatus AddressSpace::map_data(const ObjectRef<Section>& section, MapRequest& request) {
  if (!section_permits(section->protect(), request.protect)) return status::section_protection;
  if (request.offset >= section->size() || request.size > section->size() - request.offset)
    return status::invalid_view_size;
  const std::uint64_t bytes = request.size != 0 ? request.size : section->size() - request.offset;
  if (request.commit_size > bytes) return status::invalid_parameter_5;
  const std::uint64_t pages = pages_of(bytes);

  std::uint64_t first = request.base / kNtPageSize;
  if (first == 0) {
    first = find_gap(pages, (request.type & mem::top_down) != 0);
    if (first == 0) return status::no_memory;
  } else if (!is_free(first, first + pages)) {
    return status::conflicting_addresses;
  }
  if (memory_->plan().fault(FaultSite::vad_insert)) return status::no_memory;

  NtSegment& segment = section->segment();
  const std::uint64_t index = request.offset / kNtPageSize;
  const std::uint64_t committed = pages_of(request.commit_size);
  const std::uint64_t fresh = segment.uncommitted(index, committed);
  const std::uint64_t charged = is_write_copy(request.protect) ? pages : 0;
  if (!memory_->charge(fresh)) return status::commitment_limit;
  if (!charge(charged)) {
    memory_->uncharge(fresh);
    return status::commitment_limit;
  }
  if (segment.kind() == SegmentKind::pagefile) segment.commit(index, committed);

  Vad vad{.first = first,
          .last = first + pages,
          .kind = segment.kind() == SegmentKind::data ? VadKind::data : VadKind::pagefile,
          .inherit = request.inherit,
          .protect = request.protect,
          .section = section,
          .section_page = index,
          .view_end = request.offset + bytes,
          .charge = charged};
  vad.writable_view = is_shared_write(request.protect);
  enter_view(vad);
  vads_.emplace(first, vad);
  forget();
  request.base = first * kNtPageSize;
  request.size = pages * kNtPageSize;
  return status::success;
}

/// The protection asked for is ignored: an image says what its pages are.
NtStatus AddressSpace::map_image(const ObjectRef<Section>& section, MapRequest& request) {
  const PeImage& image = section->image();
  // Views of a part of an image are not modelled.
  if (request.offset != 0 || request.size > section->size()) return status::invalid_view_size;
  const std::uint64_t pages = section->size() / kNtPageSize;
  std::uint64_t first = request.base / kNtPageSize;
  if (first == 0) {
    first = image.base / kNtPageSize;
    if (!is_free(first, first + pages)) {
      if (!image.relocatable) return status::conflicting_addresses;
      first = find_gap(pages, (request.type & mem::top_down) != 0);
      if (first == 0) return status::no_memory;
    }
  } else if (!is_free(first, first + pages)) {
    return status::conflicting_addresses;
  }
  assert(first % kGranule == 0);

  Vad vad{.first = first,
          .last = first + pages,
          .kind = VadKind::image,
          .inherit = request.inherit,
          .protect = page::execute_writecopy,
          .section = section,
          .section_page = 0,
          .view_end = section->size(),
          .relocation = first * kNtPageSize - image.base};
  if (vad.relocation != 0 && !image.relocatable) return status::conflicting_addresses;
  if (memory_->plan().fault(FaultSite::vad_insert)) return status::no_memory;
  for (std::uint64_t page = vad.first; page < vad.last; ++page)
    vad.charge += charged_by_mapping(vad, page) ? 1 : 0;
  if (!charge(vad.charge)) return status::commitment_limit;
  enter_view(vad);
  vads_.emplace(first, vad);
  forget();
  request.base = first * kNtPageSize;
  request.size = pages * kNtPageSize;
  return vad.relocation != 0 ? status::image_not_at_base : status::success;
}

NtStatus AddressSpace::unmap(std::uint64_t address) {
  Vad* const vad = find_vad(address / kNtPageSize);
  if (vad == nullptr || vad->kind == VadKind::private_memory) return status::not_mapped_view;
  remove(vads_.find(vad->first));
  forget();
  return status::success;
}

void AddressSpace::enter_view(const Vad& vad) {
  if (!vad.section || vad.section->node() == nullptr) return;
  SectionUse& use = vad.section->node()->use;
  if (vad.kind == VadKind::image) {
    ++use.image;
    ++use.image_views;
    return;
  }
  use.add_view_end(vad.view_end);
  if (vad.writable_view) ++use.writable_views;
}

void AddressSpace::leave_view(const Vad& vad) {
  if (!vad.section || vad.section->node() == nullptr) return;
  SectionUse& use = vad.section->node()->use;
  if (vad.kind == VadKind::image) {
    --use.image;
    --use.image_views;
    return;
  }
  use.remove_view_end(vad.view_end);
  if (vad.writable_view) --use.writable_views;
}

/// A view stays counted as writable once a page of it was.
void AddressSpace::make_writable(Vad& vad) {
  if (vad.writable_view || vad.kind != VadKind::data) return;
  vad.writable_view = true;
  ++vad.section->node()->use.writable_views;
}

/// Pages that a write turns into private ones, or that relocation does.
bool AddressSpace::charged_by_mapping(const Vad& vad, std::uint64_t page) {
  if (vad.kind != VadKind::image) return is_write_copy(vad.protect);
  const PeImage& image = vad.section->image();
  const std::uint64_t index = section_page(vad, page);
  if (is_write_copy(image.protections[index])) return true;
  return vad.relocation != 0 && image.has_fixup(index * kNtPageSize);
}

Pte AddressSpace::initial_pte(const Vad& vad, std::uint64_t page) {
  Pte pte;
  pte.shared = true;
  pte.protect = vad.kind == VadKind::image
                    ? vad.section->image().protections[section_page(vad, page)]
                    : vad.protect;
  return pte;
}

}  // namespace doppel
