// SPDX-License-Identifier: Apache-2.0
#include <elf.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <tuple>

#include <snapshot/linux/module_scan.h>

namespace doppel {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::size_t kMostHeaders = 512;        // real files have about 12
constexpr std::uint64_t kMostNotes = 64 << 10;   // bytes of one PT_NOTE
constexpr std::uint64_t kMostSpan = 1ull << 40;  // a larger claim is a lie
constexpr std::size_t kMostBuildId = 64;         // SHA-1 has 20

/// The part of a program header that both ELF classes have.
struct Load {
  std::uint32_t type = 0;
  std::uint64_t offset = 0, address = 0, file_size = 0, memory_size = 0, align = 0;
};

bool read_exactly(const Memory& memory, std::uint64_t from, std::span<std::byte> to) {
  while (!to.empty()) {
    if (from + to.size() < from) return false;
    const auto got = memory.read({from}, to);
    if (!got || *got == 0 || *got > to.size()) return false;
    from += *got;
    to = to.subspan(*got);
  }
  return true;
}

template <class T>
std::optional<T> read_struct(const Memory& memory, std::uint64_t from) {
  T value;
  if (!read_exactly(memory, from, std::as_writable_bytes(std::span(&value, 1)))) {
    return std::nullopt;
  }
  return value;
}

template <class Ehdr, class Phdr>
std::optional<std::vector<Load>> read_headers(const Memory& memory, std::uint64_t base) {
  const auto header = read_struct<Ehdr>(memory, base);
  if (!header || header->e_phentsize != sizeof(Phdr) || header->e_phnum > kMostHeaders ||
      (header->e_type != ET_EXEC && header->e_type != ET_DYN)) {
    return std::nullopt;
  }
  const std::uint64_t at = base + header->e_phoff;
  if (at < base || header->e_phoff > kMostSpan) return std::nullopt;
  std::vector<Phdr> raw(header->e_phnum);
  if (!read_exactly(memory, at, std::as_writable_bytes(std::span(raw)))) return std::nullopt;
  std::vector<Load> loads;
  for (const Phdr& one : raw) {
    loads.push_back(
        {one.p_type, one.p_offset, one.p_vaddr, one.p_filesz, one.p_memsz, one.p_align});
  }
  return loads;
}

/// Empty when there is no sound ELF header at `base`.
std::optional<std::vector<Load>> read_image(const Memory& memory, std::uint64_t base) {
  const auto ident = read_struct<std::array<unsigned char, EI_NIDENT>>(memory, base);
  if (!ident || std::memcmp(ident->data(), ELFMAG, SELFMAG) != 0 ||
      (*ident)[EI_DATA] != ELFDATA2LSB) {
    return std::nullopt;
  }
  if ((*ident)[EI_CLASS] == ELFCLASS64) return read_headers<Elf64_Ehdr, Elf64_Phdr>(memory, base);
  if ((*ident)[EI_CLASS] == ELFCLASS32) return read_headers<Elf32_Ehdr, Elf32_Phdr>(memory, base);
  return std::nullopt;
}

/// The descriptor of the note NT_GNU_BUILD_ID among `notes`; empty when it is not there.
std::vector<std::byte> find_build_id(std::span<const std::byte> notes, std::uint64_t align) {
  const std::uint64_t step = align == 8 ? 8 : 4;
  const auto padded = [&](std::uint64_t size) { return (size + step - 1) / step * step; };
  while (notes.size() >= sizeof(Elf64_Nhdr)) {
    Elf64_Nhdr note;
    std::memcpy(&note, notes.data(), sizeof note);
    const std::uint64_t name_end = sizeof note + note.n_namesz;
    const std::uint64_t body = padded(name_end);
    const std::uint64_t end = body + note.n_descsz;
    if (end > notes.size()) return {};
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && note.n_descsz > 0 &&
        note.n_descsz <= kMostBuildId && std::memcmp(notes.data() + sizeof note, "GNU", 4) == 0) {
      // Not the constructor from two iterators: GCC 12 at -O2 sees a false free-nonheap-object in
      // it.
      std::vector<std::byte> id(note.n_descsz);
      std::memcpy(id.data(), notes.data() + body, id.size());
      return id;
    }
    notes = notes.subspan(std::min<std::uint64_t>(padded(end), notes.size()));
  }
  return {};
}

class Scanner {
 public:
  Scanner(const std::vector<Region>& regions, const Memory& memory)
      : regions_(regions), memory_(memory) {
    for (const Region& region : regions) {
      if (region.access.execute && is_file(region)) executable_.insert(key(region));
    }
  }

  std::vector<Module> scan() {
    std::vector<Module> modules;
    std::size_t next = 0;
    while (next < regions_.size()) {
      std::size_t used = 1;
      if (auto module = module_at(next, used)) modules.push_back(std::move(*module));
      next += used;
    }
    return modules;
  }

 private:
  using Key = std::tuple<std::uint32_t, std::uint32_t, std::uint64_t, std::string_view>;

  static Key key(const Region& region) {
    return {region.device_major, region.device_minor, region.inode, region.path};
  }

  static bool is_file(const Region& region) {
    return region.inode != 0 && !region.traits.secret &&
           (region.backing == Backing::file || region.backing == Backing::shared_memory);
  }

  bool is_candidate(const Region& region) const {
    return region.backing == Backing::vdso ||
           (is_file(region) && executable_.contains(key(region)));
  }

  /// The module whose header is mapped by region `first`. `used` becomes the number of regions from
  /// `first` on that need no further look.
  std::optional<Module> module_at(std::size_t first, std::size_t& used) const {
    const Region& head = regions_[first];
    if (!is_candidate(head)) return std::nullopt;
    const std::uint64_t base = head.range.begin.value;
    const auto loads = read_image(memory_, base);
    std::uint64_t limit = head.range.end();
    Module module{head.range, head.path, {}};
    if (loads) {
      limit = std::max(limit, span_end(*loads, base));
      module.build_id = build_id(*loads, base);
    } else if (head.file_offset != 0 || !unreadable(base)) {
      return std::nullopt;  // data, or the middle of a file
    }
    std::size_t last = first;
    for (std::size_t i = first + 1; i < regions_.size(); ++i) {
      const Region& region = regions_[i];
      const bool same =
          head.backing != Backing::vdso && is_file(region) && key(region) == key(head);
      if (loads ? region.range.begin.value >= limit : !same) break;
      // Without a span, a second mapping of the file's beginning is a second copy of the file.
      if (!loads && region.file_offset <= head.file_offset) break;
      if (same) last = i;
    }
    module.range.size = regions_[last].range.end() - base;
    used = last - first + 1;
    return module;
  }

  bool unreadable(std::uint64_t base) const {
    std::byte probe;
    return !read_exactly(memory_, base, {&probe, 1});
  }

  /// The address that the file's own address 0 has in memory. Arithmetic modulo 2^64, as the
  /// loader's.
  static std::uint64_t bias(const std::vector<Load>& loads, std::uint64_t base) {
    for (const Load& load : loads) {
      if (load.type == PT_LOAD) return base - (load.address - load.offset);
    }
    return base;
  }

  static std::uint64_t span_end(const std::vector<Load>& loads, std::uint64_t base) {
    const std::uint64_t shift = bias(loads, base);
    std::uint64_t end = base;
    for (const Load& load : loads) {
      if (load.type != PT_LOAD) continue;
      const std::uint64_t from_base = load.address + shift - base + load.memory_size;
      if (load.memory_size > kMostSpan || from_base > kMostSpan) continue;
      end = std::max(end, base + (from_base + kPage - 1) / kPage * kPage);
    }
    return end;
  }

  std::vector<std::byte> build_id(const std::vector<Load>& loads, std::uint64_t base) const {
    const std::uint64_t shift = bias(loads, base);
    for (const Load& load : loads) {
      if (load.type != PT_NOTE) continue;
      std::vector<std::byte> notes(std::min(load.file_size, kMostNotes));
      if (!read_exactly(memory_, load.address + shift, notes)) continue;
      auto id = find_build_id(notes, load.align);
      if (!id.empty()) return id;
    }
    return {};
  }

  const std::vector<Region>& regions_;
  const Memory& memory_;
  std::set<Key> executable_;
};

}  // namespace

std::vector<Module> scan_modules(const std::vector<Region>& regions, const Memory& memory) {
  return Scanner(regions, memory).scan();
}

}  // namespace doppel
