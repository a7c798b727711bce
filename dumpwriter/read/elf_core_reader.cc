// SPDX-License-Identifier: Apache-2.0
#include <llvm/Object/ELF.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <unordered_map>
#include <utility>
#include <vector>

#include <dumpwriter/read/core_notes.h>
#include <dumpwriter/read/elf_core_reader.h>
#include <dumpwriter/read/file_memory.h>
#include <snapshot/model/image_check.h>

namespace doppel {

namespace {

using ElfFile = llvm::object::ELFFile<llvm::object::ELF64LE>;
using FileHeader = ElfFile::Elf_Ehdr;
using Segment = ElfFile::Elf_Phdr;
using Section = ElfFile::Elf_Shdr;

constexpr std::uint64_t kMaxSegments = 1 << 24;
constexpr std::uint64_t kMaxNotes = 1 << 30;
constexpr std::uint64_t kPage = 4096;

Error malformed(const char* step, llvm::Error error) {
  return fail(Errc::malformed, step, llvm::toString(std::move(error))).error();
}

std::span<std::byte> writable(std::string& text, std::size_t offset, std::size_t size) {
  return std::as_writable_bytes(std::span(text)).subspan(offset, size);
}

Result<FileHeader> read_header(const ByteSource& source) {
  FileHeader header;
  const std::span<std::byte> bytes(reinterpret_cast<std::byte*>(&header), sizeof header);
  if (source.size() < sizeof header) {
    return fail(Errc::malformed, "open dump: too short for its headers",
                std::to_string(source.size()));
  }
  DOPPEL_TRY(source.read_all(0, bytes));
  if (std::memcmp(header.e_ident, llvm::ELF::ElfMagic, 4) != 0) {
    return fail(Errc::malformed, "open dump: no ELF file");
  }
  if (header.e_type != llvm::ELF::ET_CORE) return fail(Errc::malformed, "open dump: no core");
  if (header.e_ident[llvm::ELF::EI_CLASS] != llvm::ELF::ELFCLASS64 ||
      header.e_ident[llvm::ELF::EI_DATA] != llvm::ELF::ELFDATA2LSB ||
      header.e_machine != llvm::ELF::EM_X86_64) {
    return fail(Errc::unsupported, "open dump: a core of another machine",
                std::to_string(header.e_machine));
  }
  return header;
}

/// e_phnum, or what stands in its place when there are too many for it (PN_XNUM, elf(5)).
Result<std::uint64_t> count_segments(const ByteSource& source, const FileHeader& header) {
  constexpr unsigned kExtended = 0xffff;
  if (header.e_phnum != kExtended) return static_cast<std::uint64_t>(header.e_phnum);
  Section section;
  if (header.e_shoff > source.size() || source.size() - header.e_shoff < sizeof section) {
    return fail(Errc::malformed, "open dump: too short for its headers",
                std::to_string(source.size()));
  }
  DOPPEL_TRY(
      source.read_all(header.e_shoff, {reinterpret_cast<std::byte*>(&section), sizeof section}));
  return static_cast<std::uint64_t>(section.sh_info);
}

Result<std::vector<Segment>> read_segments(const ByteSource& source, const FileHeader& header) {
  const std::uint64_t count = DOPPEL_TRY(count_segments(source, header));
  std::vector<Segment> segments;
  if (count == 0) return segments;
  if (header.e_phentsize != sizeof(Segment)) {
    return fail(Errc::malformed, "open dump: size of a program header",
                std::to_string(header.e_phentsize));
  }
  if (count > kMaxSegments) {
    return fail(Errc::limit, "open dump: program headers", std::to_string(count));
  }
  const std::uint64_t size = count * sizeof(Segment);
  if (header.e_phoff > source.size() || source.size() - header.e_phoff < size) {
    return fail(Errc::malformed, "open dump: too short for its headers",
                std::to_string(source.size()));
  }
  segments.resize(count);
  DOPPEL_TRY(source.read_all(header.e_phoff,
                             std::as_writable_bytes(std::span<Segment>(segments.data(), count))));
  return segments;
}

/// Feeds the notes of one segment to `notes`; false when the segment is not whole or not sound.
Result<bool> read_notes(const ByteSource& source, const FileHeader& header, const Segment& segment,
                        CoreNotes& notes) {
  const std::uint64_t offset = segment.p_offset;
  const std::uint64_t there = offset < source.size() ? source.size() - offset : 0;
  const std::uint64_t size = std::min<std::uint64_t>(segment.p_filesz, there);
  bool whole = size == segment.p_filesz;
  if (size == 0) return whole;
  if (size > kMaxNotes) return fail(Errc::limit, "open dump: notes", std::to_string(size));

  // A file of its own for LLVM: the header, then the notes.
  std::string file(sizeof header + size, '\0');
  FileHeader own = header;
  own.e_phoff = 0;
  own.e_phnum = 0;
  own.e_shoff = 0;
  own.e_shnum = 0;
  std::memcpy(file.data(), &own, sizeof own);
  const Result<> read = source.read_all(offset, writable(file, sizeof own, size));
  if (!read && read.error().code != Errc::malformed) return fail(read.error());
  if (!read) return false;  // a damaged frame
  llvm::Expected<ElfFile> elf = ElfFile::create(file);
  if (!elf) return fail(malformed("open dump: headers", elf.takeError()));
  Segment place = segment;
  place.p_offset = sizeof own;
  place.p_filesz = size;
  // gABI asks for 8 in 64-bit files; Linux cores have 4, whatever p_align says, 0 and 1 included.
  place.p_align = segment.p_align == 8 ? 8 : 4;
  llvm::Error error = llvm::Error::success();
  for (const auto& note : elf->notes(place, error)) {
    const llvm::ArrayRef<std::uint8_t> bytes = note.getDesc(place.p_align);
    const llvm::StringRef owner = note.getName();
    notes.take({owner.data(), owner.size()}, note.getType(),
               std::as_bytes(std::span(bytes.data(), bytes.size())));
  }
  if (error) {
    llvm::consumeError(std::move(error));
    whole = false;
  }
  return whole;
}

Access access_of(const Segment& segment) {
  return {.read = (segment.p_flags & llvm::ELF::PF_R) != 0,
          .write = (segment.p_flags & llvm::ELF::PF_W) != 0,
          .execute = (segment.p_flags & llvm::ELF::PF_X) != 0};
}

bool wraps(std::uint64_t begin, std::uint64_t size) {
  return size != 0 && begin + (size - 1) < begin;
}

/// Puts the file's name to the part of `regions` that it covers.
void name_region(std::vector<Region>& regions, const FileMapping& file) {
  auto region = std::lower_bound(
      regions.begin(), regions.end(), file.range.begin.value,
      [](const Region& each, std::uint64_t begin) { return each.range.begin.value < begin; });
  for (; region != regions.end() && file.range.contains(region->range.begin); ++region) {
    region->backing = Backing::file;
    region->path = file.path;
    region->file_offset = file.file_offset + (region->range.begin.value - file.range.begin.value);
    constexpr std::string_view kDeleted = " (deleted)";
    if (region->path.ends_with(kDeleted)) {
      region->deleted = true;
      region->path.resize(region->path.size() - kDeleted.size());
    }
  }
}

std::vector<Region> regions_of(const std::vector<Segment>& segments, const CoreNotes& notes) {
  std::vector<Region> regions;
  for (const Segment& segment : segments) {
    if (segment.p_type != llvm::ELF::PT_LOAD || segment.p_memsz == 0) continue;
    if (wraps(segment.p_vaddr, segment.p_memsz)) continue;
    Region region;
    region.range = {{segment.p_vaddr}, segment.p_memsz};
    region.access = access_of(segment);
    regions.push_back(std::move(region));
  }
  std::stable_sort(regions.begin(), regions.end(),
                   [](const Region& a, const Region& b) { return a.range < b.range; });
  // Of two that overlap, the first.
  std::vector<Region> apart;
  for (Region& region : regions) {
    if (!apart.empty() && apart.back().range.begin.value + (apart.back().range.size - 1) >=
                              region.range.begin.value) {
      continue;
    }
    apart.push_back(std::move(region));
  }
  for (const FileMapping& file : notes.files) name_region(apart, file);
  return apart;
}

std::vector<Module> modules_of(const CoreNotes& notes) {
  std::vector<Module> modules;
  for (const FileMapping& file : notes.files) {
    if (!modules.empty() && modules.back().path == file.path &&
        modules.back().range.begin < file.range.begin) {
      modules.back().range.size = file.range.end() - modules.back().range.begin.value;
    } else {
      modules.push_back({.range = file.range, .path = file.path, .build_id = {}});
    }
  }
  return modules;
}

/// What a core without our manifest tells.
ProcessImage image_of_notes(CoreNotes& notes, const std::vector<Segment>& segments) {
  ProcessImage image;
  image.process = std::move(notes.process);
  image.regions = regions_of(segments, notes);
  image.modules = modules_of(notes);
  image.threads = std::move(notes.threads);
  if (!image.threads.empty() && notes.signal != 0) {
    Fault fault;
    fault.thread = image.threads.front().id;
    fault.number = static_cast<std::uint32_t>(notes.signal);
    if (notes.siginfo.size() >= 24) {
      std::memcpy(&fault.code, notes.siginfo.data() + 8, sizeof fault.code);
      std::memcpy(&fault.address.value, notes.siginfo.data() + 16, sizeof fault.address.value);
    }
    fault.siginfo = std::move(notes.siginfo);
    image.fault = std::move(fault);
  }
  return image;
}

/// Registers are notes even in our cores.
void put_registers(Manifest& manifest, CoreNotes& notes) {
  std::unordered_map<std::int32_t, Thread*> by_id;
  for (Thread& thread : notes.threads) by_id.emplace(thread.namespace_id, &thread);
  for (std::size_t i = 0; i < manifest.image.threads.size(); ++i) {
    Thread& thread = manifest.image.threads[i];
    const auto found = by_id.find(thread.namespace_id);
    if (found == by_id.end()) {
      manifest.image.omissions.push_back({.what = "registers of " + std::to_string(thread.id),
                                          .range = {},
                                          .why = "not in the dump",
                                          .asked = false});
      continue;
    }
    const bool complete = thread.registers.complete;
    thread.registers = std::move(found->second->registers);
    thread.registers.complete = complete;
    if (!manifest.own_fxsave[i]) thread.registers.fxsave.clear();
  }
}

void add_verbatim(ProcessImage& image, const char* name, std::vector<std::byte> bytes) {
  if (!bytes.empty()) image.verbatim.push_back({.name = name, .bytes = std::move(bytes)});
}

ProcessImage make_image(CoreNotes& notes, const std::vector<Segment>& segments) {
  ProcessImage image;
  Result<Manifest> manifest = fail(Errc::malformed, "read manifest: none");
  if (!notes.manifest.empty()) manifest = read_manifest(notes.manifest);
  // Regions that contradict each other are worse than those of the program headers.
  if (manifest && check_image(manifest->image)) {
    put_registers(*manifest, notes);
    image = std::move(manifest->image);
  } else {
    image = image_of_notes(notes, segments);
    if (!notes.manifest.empty()) {
      image.omissions.push_back(
          {.what = "manifest", .range = {}, .why = "damaged", .asked = false});
    }
  }
  if (!notes.handles.empty()) {
    Result<std::vector<Handle>> handles = read_handles(notes.handles);
    if (handles) image.handles = std::move(*handles);
  }
  add_verbatim(image, "auxv", std::move(notes.auxv));
  add_verbatim(image, "xsave_layout", std::move(notes.xsave_layout));
  const auto text = std::as_bytes(std::span(notes.manifest));
  add_verbatim(image, kManifestText, {text.begin(), text.end()});
  return image;
}

/// Memory that is no file's and has a header without bytes in a core of ours was never touched
/// (docs/formats): what was left out has no header. In anyone else's it was left out.
bool is_zero_by_promise(const ProcessImage& image, std::uint64_t address) {
  const auto after = std::upper_bound(
      image.regions.begin(), image.regions.end(), address,
      [](std::uint64_t at, const Region& region) { return at < region.range.begin.value; });
  if (after == image.regions.begin()) return false;
  const Region& region = *std::prev(after);
  return region.range.contains({address}) &&
         (region.backing == Backing::anonymous || region.backing == Backing::shared_memory);
}

std::vector<Stretch> stretches_of(const std::vector<Segment>& segments, std::uint64_t file_size,
                                  bool ours, ProcessImage& image) {
  std::vector<Stretch> stretches;
  for (const Segment& segment : segments) {
    const std::uint64_t begin = segment.p_vaddr;
    const std::uint64_t size = segment.p_memsz;
    if (segment.p_type != llvm::ELF::PT_LOAD || size == 0 || wraps(begin, size)) continue;
    const std::uint64_t claimed = std::min<std::uint64_t>(segment.p_filesz, size);
    const std::uint64_t room =
        segment.p_offset < file_size ? file_size - segment.p_offset : std::uint64_t{0};
    // Whole pages only: half a page of a cut file is no page.
    const std::uint64_t held = claimed <= room ? claimed : room / kPage * kPage;
    if (held > 0) {
      stretches.push_back({{{begin}, held}, Extent::Kind::data, segment.p_offset});
    }
    if (held < claimed) {
      stretches.push_back({{{begin + held}, claimed - held}, Extent::Kind::unreadable, 0});
      image.omissions.push_back({.what = "memory",
                                 .range = {{begin + held}, claimed - held},
                                 .why = "the dump was cut",
                                 .asked = false});
    }
    if (claimed < size) {
      const bool zero = ours && segment.p_filesz == 0 && is_zero_by_promise(image, begin);
      stretches.push_back({{{begin + claimed}, size - claimed},
                           zero ? Extent::Kind::untouched : Extent::Kind::unreadable,
                           0});
    }
  }
  return stretches;
}

}  // namespace

Result<Snapshot> read_elf_core(std::shared_ptr<const ByteSource> source,
                               const std::optional<WriterReport>& report) {
  const FileHeader header = DOPPEL_TRY(read_header(*source));
  const std::vector<Segment> segments = DOPPEL_TRY(read_segments(*source, header));
  CoreNotes notes;
  bool whole_notes = true;
  for (const Segment& segment : segments) {
    if (segment.p_type != llvm::ELF::PT_NOTE) continue;
    const bool whole = DOPPEL_TRY(read_notes(*source, header, segment, notes));
    whole_notes = whole_notes && whole;
  }
  const bool ours = !notes.manifest.empty();
  Snapshot snapshot;
  snapshot.image = make_image(notes, segments);
  ProcessImage& image = snapshot.image;
  if (!whole_notes) {
    image.omissions.push_back(
        {.what = "notes", .range = {}, .why = "the dump was cut or is damaged", .asked = false});
  }
  auto memory =
      std::make_unique<FileMemory>(source, stretches_of(segments, source->size(), ours, image));
  if (report) {
    for (const Omission& filled : report->zero_filled) {
      memory->forget(filled.range);
      image.omissions.push_back(filled);
    }
  }
  snapshot.memory = std::move(memory);
  return snapshot;
}

}  // namespace doppel
