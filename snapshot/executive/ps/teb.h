// SPDX-License-Identifier: Apache-2.0
//
// The two blocks of user memory that the kernel fills for a program: PEB and TEB (x64). Offsets:
// phnt, layout compiled.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_PS_TEB_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_PS_TEB_H_

#include <cstdint>

#include <snapshot/executive/mm/pe_image.h>
#include <snapshot/executive/native/nt_records.h>
#include <snapshot/executive/nt_status.h>
#include <snapshot/executive/se/protection.h>

namespace doppel {

class AddressSpace;

namespace peb_offset {
inline constexpr std::uint64_t inherited_address_space = 0, bit_field = 3, image_base = 0x10,
                               parameters = 0x20, processors = 0xB8, os_major = 0x118,
                               os_minor = 0x11C, os_build = 0x120, os_platform = 0x124,
                               image_subsystem = 0x128, session = 0x2C0;
}

namespace teb_offset {
inline constexpr std::uint64_t stack_base = 0x8, stack_limit = 0x10, self = 0x30, client_id = 0x40,
                               peb = 0x60, last_error = 0x68, deallocation_stack = 0x1478,
                               tls_slots = 0x1480, same_teb_flags = 0x17EE;
inline constexpr std::uint16_t cloned_thread = 0x40;  ///< a bit of SameTebFlags
}  // namespace teb_offset

inline constexpr std::uint64_t kPebPages = 1, kTebPages = 2;

struct OsVersion {
  std::uint32_t major = 0, minor = 0;
  std::uint16_t build = 0;
};

/// 5.2.3790, 6.0.6000 and 6.3.9600.
OsVersion version_of(NtProfile profile);

/// Places and fills a PEB for an image at `image_base` (0, null: none). COMMITMENT_LIMIT,
/// NO_MEMORY; nothing is left on failure.
NtStatus make_peb(AddressSpace& space, NtProfile profile, const PeImage* image,
                  std::uint64_t image_base, Protection protection, std::uint64_t& peb);
/// Places and fills a TEB. COMMITMENT_LIMIT, NO_MEMORY; nothing is left on failure.
NtStatus make_teb(AddressSpace& space, const ClientId& id, std::uint64_t peb,
                  const InitialTeb& initial, std::uint64_t& teb);
/// Gives its two pages back.
void free_teb(AddressSpace& space, std::uint64_t teb);

/// Writes a little-endian value of a program's memory, as the kernel does; false on a fault.
bool poke(AddressSpace& space, std::uint64_t address, const void* bytes, std::size_t size);

template <typename T>
bool poke(AddressSpace& space, std::uint64_t address, T value) {
  return poke(space, address, &value, sizeof value);
}

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_PS_TEB_H_
