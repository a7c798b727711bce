// SPDX-License-Identifier: Apache-2.0
//
// A PE32+ program as the memory manager maps it: pages, their protections, relocations. Bytes come
// from anywhere, so everything is checked before it is believed. It knows neither frames nor files.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_MM_PE_IMAGE_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_MM_PE_IMAGE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <snapshot/executive/nt_status.h>

namespace doppel {

/// Bytes of the file that lie at an address of the image; what no part covers is zero.
struct PePart {
  std::uint64_t rva = 0, file_offset = 0, size = 0;  ///< bytes
  bool operator==(const PePart&) const = default;
};

struct PeImage {
  std::uint64_t base = 0;   ///< preferred
  std::uint64_t size = 0;   ///< SizeOfImage, whole pages
  std::uint64_t entry = 0;  ///< RVA, 0 for none
  std::uint64_t stack_reserve = 0, stack_commit = 0;
  std::uint32_t time_stamp = 0, checksum = 0;
  std::uint16_t subsystem = 0, characteristics = 0, dll_characteristics = 0, machine = 0;
  bool relocatable = false;                ///< may lie elsewhere than at `base`
  std::vector<PePart> parts;               ///< by rva, disjoint
  std::vector<std::uint32_t> protections;  ///< PAGE_ of each page
  std::vector<std::uint64_t> fixups;       ///< RVAs of 8-byte addresses (DIR64), sorted

  bool is_dll() const { return (characteristics & 0x2000) != 0; }

  /// Copies what stands at `rva` in the image at its preferred base, zero where nothing does.
  /// `file` is the file's bytes; a file that got shorter reads as zero.
  void read(std::span<const std::byte> file, std::uint64_t rva, std::span<std::byte> to) const;
  /// The same, relocated by `delta`.
  void read_relocated(std::span<const std::byte> file, std::uint64_t rva, std::span<std::byte> to,
                      std::uint64_t delta) const;
  /// Whether a fixup touches the page that starts at `rva`.
  bool has_fixup(std::uint64_t rva) const;
};

/// SUCCESS; INVALID_IMAGE_NOT_MZ for what does not start as a DOS program; INVALID_IMAGE_FORMAT for
/// everything else that is no well-formed AMD64 PE32+. A DLL is well-formed: who makes a process of
/// it refuses. At most 256 MiB of image. `image` is meaningful on SUCCESS only.
NtStatus parse_pe_image(std::span<const std::byte> file, PeImage& image);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_MM_PE_IMAGE_H_
