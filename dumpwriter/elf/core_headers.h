// SPDX-License-Identifier: Apache-2.0
//
// The ELF header and the program header table of a core, with more segments than e_phnum can count
// if need be: then e_phnum is 0xffff and the true number stands in sh_info of the one section
// header (PN_XNUM; elf(5), and fill_extnum_info() in the kernel's fs/binfmt_elf.c). That section
// header stands right behind the table, not at the end of the file as the kernel's: a dump that was
// cut keeps its index.
//
// It knows numbers only, no process.
#ifndef DOPPEL_DUMPWRITER_ELF_CORE_HEADERS_H_
#define DOPPEL_DUMPWRITER_ELF_CORE_HEADERS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include <snapshot/model/address.h>
#include <snapshot/model/region.h>

namespace doppel {

/// One PT_LOAD.
struct LoadHeader {
  AddressRange range;
  std::uint64_t offset = 0;     ///< in the file, bytes
  std::uint64_t file_size = 0;  ///< range.size, or 0
  Access access;
};

/// Bytes that make_core_headers() will return for `loads` PT_LOADs and one PT_NOTE.
std::uint64_t core_headers_size(std::size_t loads);

/// ELF header, PT_NOTE, the PT_LOADs in the order given, and the section header where one is
/// needed.
std::vector<std::byte> make_core_headers(std::uint64_t note_offset, std::uint64_t note_size,
                                         const std::vector<LoadHeader>& loads);

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_ELF_CORE_HEADERS_H_
