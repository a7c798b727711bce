// SPDX-License-Identifier: Apache-2.0
#include <elf.h>

#include <cassert>
#include <cstring>

#include <dumpwriter/elf/core_headers.h>
#include <dumpwriter/plan/page.h>

namespace doppel {

namespace {

std::size_t segments(std::size_t loads) {
  return loads + 1;
}

bool extended(std::size_t loads) {
  return segments(loads) >= PN_XNUM;
}

template <class T>
void append(std::vector<std::byte>& to, const T& value) {
  const auto* bytes = reinterpret_cast<const std::byte*>(&value);
  to.insert(to.end(), bytes, bytes + sizeof value);
}

std::uint32_t flags(const Access& access) {
  return (access.read ? PF_R : 0u) | (access.write ? PF_W : 0u) | (access.execute ? PF_X : 0u);
}

}  // namespace

std::uint64_t core_headers_size(std::size_t loads) {
  return sizeof(Elf64_Ehdr) + segments(loads) * sizeof(Elf64_Phdr) +
         (extended(loads) ? sizeof(Elf64_Shdr) : 0);
}

std::vector<std::byte> make_core_headers(std::uint64_t note_offset, std::uint64_t note_size,
                                         const std::vector<LoadHeader>& loads) {
  std::vector<std::byte> bytes;
  bytes.reserve(core_headers_size(loads.size()));

  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_ident[EI_OSABI] = ELFOSABI_NONE;
  header.e_type = ET_CORE;
  header.e_machine = EM_X86_64;
  header.e_version = EV_CURRENT;
  header.e_phoff = sizeof header;
  header.e_ehsize = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = static_cast<Elf64_Half>(segments(loads.size()));
  if (extended(loads.size())) {
    header.e_phnum = PN_XNUM;
    header.e_shoff = sizeof header + segments(loads.size()) * sizeof(Elf64_Phdr);
    header.e_shentsize = sizeof(Elf64_Shdr);
    header.e_shnum = 1;
    header.e_shstrndx = SHN_UNDEF;
  }
  append(bytes, header);

  append(bytes, Elf64_Phdr{.p_type = PT_NOTE,
                           .p_flags = 0,
                           .p_offset = note_offset,
                           .p_vaddr = 0,
                           .p_paddr = 0,
                           .p_filesz = note_size,
                           .p_memsz = 0,
                           .p_align = 4});
  for (const LoadHeader& load : loads) {
    append(bytes, Elf64_Phdr{.p_type = PT_LOAD,
                             .p_flags = flags(load.access),
                             .p_offset = load.offset,
                             .p_vaddr = load.range.begin.value,
                             .p_paddr = 0,
                             .p_filesz = load.file_size,
                             .p_memsz = load.range.size,
                             .p_align = kPageSize});
  }

  if (extended(loads.size())) {
    Elf64_Shdr section{};
    section.sh_type = SHT_NULL;
    section.sh_size = header.e_shnum;     // as the kernel: the true e_shnum
    section.sh_link = header.e_shstrndx;  // and e_shstrndx
    section.sh_info = static_cast<Elf64_Word>(segments(loads.size()));
    append(bytes, section);
  }
  assert(bytes.size() == core_headers_size(loads.size()));
  return bytes;
}

}  // namespace doppel
