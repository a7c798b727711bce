// SPDX-License-Identifier: Apache-2.0
#include <elf.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include <dumpwriter/plan/elf_landmarks.h>
#include <dumpwriter/plan/page.h>

namespace doppel {

namespace {

// Bounds against made-up headers. Real files have a handful of each; a build id note is 36 bytes.
constexpr std::size_t kMaxHeaders = 128;
constexpr std::uint64_t kMaxLandmark = 64 * 1024;

bool read_exactly(const Memory& memory, std::uint64_t from, std::span<std::byte> to) {
  while (!to.empty()) {
    const Result<std::size_t> got = memory.read(Address{from}, to);
    if (!got || *got == 0 || *got > to.size()) return false;
    from += *got;
    to = to.subspan(*got);
  }
  return true;
}

}  // namespace

std::vector<AddressRange> elf_landmarks(const Region& region, const Memory& memory) {
  std::vector<AddressRange> kept;
  if (region.file_offset != 0 || !region.access.read) return kept;
  Elf64_Ehdr header{};
  const std::uint64_t begin = region.range.begin.value;
  const bool readable = region.range.size >= sizeof header &&
                        read_exactly(memory, begin, std::as_writable_bytes(std::span(&header, 1)));
  const bool magic = readable && std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0;
  if (!readable || (!magic && !region.access.execute)) return kept;
  kept.push_back({.begin = region.range.begin, .size = kPageSize});
  if (!magic || header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
      header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum > kMaxHeaders ||
      header.e_phoff > region.range.size) {
    return kept;
  }
  std::array<Elf64_Phdr, kMaxHeaders> storage{};
  const std::span headers = std::span(storage).first(header.e_phnum);
  if (headers.size_bytes() > region.range.size - header.e_phoff ||
      !read_exactly(memory, begin + header.e_phoff, std::as_writable_bytes(headers))) {
    return kept;
  }

  // What the file calls address 0 lies at `bias`: this region maps file offset 0. Unsigned wrap is
  // meant: a file linked at a high address has a negative one.
  std::uint64_t bias = begin;
  for (const Elf64_Phdr& each : headers) {
    if (each.p_type == PT_LOAD && page_down(each.p_offset) == 0) {
      bias = begin - page_down(each.p_vaddr);
      break;
    }
  }
  for (const Elf64_Phdr& each : headers) {
    if (each.p_type != PT_NOTE && each.p_type != PT_DYNAMIC) continue;
    if (each.p_memsz == 0 || each.p_memsz > kMaxLandmark) continue;
    const std::uint64_t first = page_down(bias + each.p_vaddr);
    const std::uint64_t last = page_down(bias + each.p_vaddr + (each.p_memsz - 1));
    if (last < first) continue;
    kept.push_back({.begin = Address{first}, .size = last - first + kPageSize});
  }
  return sorted_union(std::move(kept));
}

}  // namespace doppel
