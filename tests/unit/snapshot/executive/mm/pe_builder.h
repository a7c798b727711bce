// SPDX-License-Identifier: Apache-2.0
//
// Small PE32+ files for tests, field by field as Microsoft's "PE Format" lays them out, so that
// each field can be made wrong. Sections lie one after the other, in file and image.
#ifndef DOPPEL_TESTS_UNIT_SNAPSHOT_EXECUTIVE_MM_PE_BUILDER_H_
#define DOPPEL_TESTS_UNIT_SNAPSHOT_EXECUTIVE_MM_PE_BUILDER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace doppel {

struct PeSectionSpec {
  std::string name;
  std::uint32_t characteristics = 0x40000000;  ///< readable
  std::vector<std::byte> bytes;
  std::uint32_t virtual_size = 0;  ///< 0: that of `bytes`
};

struct PeSpec {
  std::uint64_t base = 0x140000000;
  std::uint32_t entry = 0x1000;
  std::uint16_t machine = 0x8664;
  std::uint16_t characteristics = 0x22;  ///< executable, large addresses
  std::uint64_t stack_reserve = 0x100000, stack_commit = 0x1000;
  std::vector<PeSectionSpec> sections;
  std::vector<std::uint32_t> fixups;  ///< RVAs; adds a section .reloc
};

inline constexpr std::size_t kPeOffset = 0x80;  ///< of "PE\0\0"
inline constexpr std::size_t kPeOptional = kPeOffset + 24;
inline constexpr std::size_t kPeSections = kPeOptional + 240;

template <typename T>
void put_at(std::vector<std::byte>& file, std::size_t at, T value) {
  if (file.size() < at + sizeof value) file.resize(at + sizeof value);
  std::memcpy(file.data() + at, &value, sizeof value);
}

inline std::vector<std::byte> fixup_table(const std::vector<std::uint32_t>& fixups) {
  std::vector<std::byte> table;
  for (std::size_t i = 0; i < fixups.size();) {
    const std::uint32_t page = fixups[i] & ~0xFFFu;
    const std::size_t begin = table.size();
    put_at<std::uint32_t>(table, begin, page);
    put_at<std::uint32_t>(table, begin + 4, 0);
    for (; i < fixups.size() && (fixups[i] & ~0xFFFu) == page; ++i)
      put_at<std::uint16_t>(table, table.size(),
                            static_cast<std::uint16_t>(0xA000 | (fixups[i] & 0xFFF)));
    if (table.size() % 4 != 0) put_at<std::uint16_t>(table, table.size(), 0);
    put_at<std::uint32_t>(table, begin + 4, static_cast<std::uint32_t>(table.size() - begin));
  }
  return table;
}

inline std::vector<std::byte> build_pe(PeSpec spec) {
  std::uint32_t reloc_size = 0;
  if (!spec.fixups.empty()) {
    std::vector<std::byte> table = fixup_table(spec.fixups);
    reloc_size = static_cast<std::uint32_t>(table.size());
    spec.sections.push_back({".reloc", 0x42000000, std::move(table), 0});
  }
  std::vector<std::byte> file(0x400);
  put_at<std::uint16_t>(file, 0, 0x5A4D);
  put_at<std::uint32_t>(file, 0x3C, kPeOffset);
  put_at<std::uint32_t>(file, kPeOffset, 0x4550);
  put_at<std::uint16_t>(file, kPeOffset + 4, spec.machine);
  put_at<std::uint16_t>(file, kPeOffset + 6, static_cast<std::uint16_t>(spec.sections.size()));
  put_at<std::uint16_t>(file, kPeOffset + 20, 240);
  put_at<std::uint16_t>(file, kPeOffset + 22, spec.characteristics);
  put_at<std::uint16_t>(file, kPeOptional, 0x20B);
  put_at<std::uint32_t>(file, kPeOptional + 16, spec.entry);
  put_at<std::uint64_t>(file, kPeOptional + 24, spec.base);
  put_at<std::uint32_t>(file, kPeOptional + 32, 0x1000);  // section alignment
  put_at<std::uint32_t>(file, kPeOptional + 36, 0x200);   // file alignment
  put_at<std::uint16_t>(file, kPeOptional + 48, 6);       // subsystem version
  put_at<std::uint32_t>(file, kPeOptional + 60, 0x400);   // size of headers
  put_at<std::uint16_t>(file, kPeOptional + 68, 1);       // native
  put_at<std::uint64_t>(file, kPeOptional + 72, spec.stack_reserve);
  put_at<std::uint64_t>(file, kPeOptional + 80, spec.stack_commit);
  put_at<std::uint32_t>(file, kPeOptional + 108, 16);  // directories

  std::uint32_t rva = 0x1000;
  std::size_t header = kPeSections;
  for (const PeSectionSpec& section : spec.sections) {
    const auto raw =
        static_cast<std::uint32_t>((section.bytes.size() + 0x1FF) & ~std::size_t{0x1FF});
    const std::uint32_t size = section.virtual_size != 0
                                   ? section.virtual_size
                                   : static_cast<std::uint32_t>(section.bytes.size());
    std::memcpy(file.data() + header, section.name.data(),
                std::min<std::size_t>(8, section.name.size()));
    put_at<std::uint32_t>(file, header + 8, size);
    put_at<std::uint32_t>(file, header + 12, rva);
    put_at<std::uint32_t>(file, header + 16, raw);
    put_at<std::uint32_t>(file, header + 20,
                          raw != 0 ? static_cast<std::uint32_t>(file.size()) : 0);
    put_at<std::uint32_t>(file, header + 36, section.characteristics);
    if (section.name == ".reloc") {
      put_at<std::uint32_t>(file, kPeOptional + 112 + 5 * 8, rva);
      put_at<std::uint32_t>(file, kPeOptional + 112 + 5 * 8 + 4, reloc_size);
    }
    const std::size_t at = file.size();
    file.resize(at + raw);
    std::copy(section.bytes.begin(), section.bytes.end(),
              file.begin() + static_cast<std::ptrdiff_t>(at));
    rva += (size + 0xFFF) & ~0xFFFu;
    header += 40;
  }
  put_at<std::uint32_t>(file, kPeOptional + 56, rva);  // size of image
  return file;
}

/// Code, constants, data of two pages of which the second is not in the file, and a shared
/// section. The data's first word is the address of itself.
inline PeSpec usual_pe() {
  PeSpec spec;
  const std::vector<std::byte> code(0x1800, std::byte{0xCC});
  const std::vector<std::byte> constants(0x200, std::byte{0x11});
  std::vector<std::byte> data(0x200, std::byte{0x22});
  const std::uint64_t self = spec.base + 0x4000;
  std::memcpy(data.data(), &self, sizeof self);
  spec.sections = {{".text", 0x60000020, code, 0},
                   {".rdata", 0x40000040, constants, 0},
                   {".data", 0xC0000040, data, 0x2000},
                   {".shared", 0xD0000040, constants, 0}};
  spec.fixups = {0x4000};
  return spec;
}

}  // namespace doppel

#endif  // DOPPEL_TESTS_UNIT_SNAPSHOT_EXECUTIVE_MM_PE_BUILDER_H_
