// SPDX-License-Identifier: Apache-2.0
//
// PEB and TEB, filled.
#include <array>
#include <cstring>
#include <span>

#include <snapshot/executive/mm/address_space.h>
#include <snapshot/executive/ps/teb.h>

namespace doppel {
namespace {

template <std::size_t size, typename T>
void put(std::array<std::byte, size>& block, std::uint64_t at, T value) {
  std::memcpy(block.data() + at, &value, sizeof value);
}

/// Memory that was just made for `bytes` gets them; else it is freed again.
NtStatus fill(AddressSpace& space, std::uint64_t base, std::span<const std::byte> bytes) {
  if (poke(space, base, bytes.data(), bytes.size())) return status::success;
  free_teb(space, base);
  return status::no_memory;
}

}  // namespace

OsVersion version_of(NtProfile profile) {
  if (profile == NtProfile::nt52) return {5, 2, 3790};
  if (profile == NtProfile::nt60) return {6, 0, 6000};
  return {6, 3, 9600};
}

NtStatus make_peb(AddressSpace& space, NtProfile profile, const PeImage* image,
                  std::uint64_t image_base, Protection protection, std::uint64_t& peb) {
  const NtStatus made = space.allocate_system(kPebPages, peb);
  if (!made.succeeded()) return made;
  std::array<std::byte, 0x400> block{};
  std::uint8_t bits = 0;
  if (protection.type == ProtectionType::full) bits = 0x02;
  if (protection.type == ProtectionType::light) bits = 0x42;
  const OsVersion version = version_of(profile);
  put(block, peb_offset::bit_field, bits);
  put(block, peb_offset::image_base, image_base);
  put(block, peb_offset::processors, std::uint32_t{1});
  put(block, peb_offset::os_major, version.major);
  put(block, peb_offset::os_minor, version.minor);
  put(block, peb_offset::os_build, version.build);
  put(block, peb_offset::os_platform, std::uint32_t{2});
  put(block, peb_offset::image_subsystem, std::uint32_t{image != nullptr ? image->subsystem : 0u});
  return fill(space, peb, block);
}

NtStatus make_teb(AddressSpace& space, const ClientId& id, std::uint64_t peb,
                  const InitialTeb& initial, std::uint64_t& teb) {
  if (space.memory().plan().fault(FaultSite::teb_alloc)) return status::no_memory;
  const NtStatus made = space.allocate_system(kTebPages, teb);
  if (!made.succeeded()) return made;
  const bool old = initial.old_stack_base != 0 && initial.old_stack_limit != 0;
  std::array<std::byte, kTebPages * kNtPageSize> block{};
  put(block, teb_offset::stack_base, old ? initial.old_stack_base : initial.stack_base);
  put(block, teb_offset::stack_limit, old ? initial.old_stack_limit : initial.stack_limit);
  put(block, teb_offset::deallocation_stack, initial.stack_allocation_base);
  put(block, teb_offset::self, teb);
  put(block, teb_offset::client_id, id);
  put(block, teb_offset::peb, peb);
  return fill(space, teb, block);
}

void free_teb(AddressSpace& space, std::uint64_t teb) {
  std::uint64_t base = teb, size = 0;
  // A program may have freed it itself.
  [[maybe_unused]] const NtStatus freed = space.free(base, size, mem::release);
}

bool poke(AddressSpace& space, std::uint64_t address, const void* bytes, std::size_t size) {
  const std::byte* from = static_cast<const std::byte*>(bytes);
  PageFault fault;
  while (size > 0) {
    const std::size_t count = std::min<std::size_t>(size, kNtPageSize - address % kNtPageSize);
    if (!space.store(address, {from, count}, fault)) return false;
    address += count;
    from += count;
    size -= count;
  }
  return true;
}

}  // namespace doppel
