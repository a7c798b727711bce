// SPDX-License-Identifier: Apache-2.0
//
// Headers through LLVM's COFF reader, then our own checks: the reader does not say whether sections
// overlap or leave the image. Format: Microsoft's "PE Format" specification.
//
// LLVM 19's reader follows e_lfanew without looking where it leads, and the data directories into
// sections that are not there. So it is given a copy of the headers alone, with its pointers looked
// at and its directories taken out; the only directory that we want, relocations, we read
// ourselves.
#include <llvm/Object/COFF.h>
#include <llvm/Support/MemoryBuffer.h>

#include <algorithm>
#include <cstring>

#include <snapshot/executive/mm/pe_image.h>
#include <snapshot/executive/nt_types.h>

namespace doppel {
namespace {

constexpr std::uint64_t kMaximumImage = std::uint64_t{256} << 20;
constexpr std::uint16_t kMachineAmd64 = 0x8664;
constexpr std::uint32_t kShared = 0x10000000, kExecute = 0x20000000, kRead = 0x40000000,
                        kWrite = 0x80000000;
constexpr std::uint16_t kRelocationsStripped = 1, kExecutableImage = 2;
constexpr std::uint16_t kRelocAbsolute = 0, kRelocDir64 = 10;

std::uint64_t page_up(std::uint64_t value) {
  return (value + kNtPageSize - 1) & ~(kNtPageSize - 1);
}

std::uint32_t protection_of(std::uint32_t characteristics) {
  const bool executes = (characteristics & kExecute) != 0;
  if ((characteristics & kWrite) != 0) {
    if ((characteristics & kShared) != 0)
      return executes ? page::execute_readwrite : page::readwrite;
    return executes ? page::execute_writecopy : page::writecopy;
  }
  if (executes) return page::execute_read;
  return (characteristics & kRead) != 0 ? page::readonly : page::noaccess;
}

template <typename T>
T load(std::span<const std::byte> bytes, std::uint64_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

struct Directory {
  std::uint32_t rva = 0, size = 0;
};

/// The headers, safe to be read, and the place of the relocations. Empty when they leave the file
/// or are not those of a PE32+.
std::vector<std::byte> headers_of(std::span<const std::byte> file, Directory& relocations) {
  constexpr std::uint64_t kSignatureAndFileHeader = 24, kFixedOptional = 112, kSectionHeader = 40;
  const std::uint64_t at = load<std::uint32_t>(file, 0x3C);
  if (at + kSignatureAndFileHeader > file.size()) return {};
  const std::uint64_t sections = load<std::uint16_t>(file, at + 6);
  const std::uint64_t optional_size = load<std::uint16_t>(file, at + 20);
  const std::uint64_t optional = at + kSignatureAndFileHeader;
  const std::uint64_t end = optional + optional_size + sections * kSectionHeader;
  if (optional_size < kFixedOptional || end > file.size() ||
      load<std::uint16_t>(file, optional) != 0x20B)
    return {};
  std::vector<std::byte> headers(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(end));
  const std::uint64_t directories = load<std::uint32_t>(file, optional + 108);
  if (directories > (optional_size - kFixedOptional) / sizeof(Directory)) return {};
  if (directories > 5)
    relocations = load<Directory>(file, optional + kFixedOptional + 5 * sizeof(Directory));
  const auto clear = [&headers](std::uint64_t from, std::uint64_t size) {
    std::fill_n(headers.begin() + static_cast<std::ptrdiff_t>(from), size, std::byte{0});
  };
  clear(optional + kFixedOptional, optional_size - kFixedOptional);
  clear(at + 12, 8);  // symbol table
  return headers;
}

/// False when the table leaves the image or holds a kind that is not modelled.
bool read_fixups(std::span<const std::byte> file, std::uint64_t rva, std::uint64_t size,
                 PeImage& image) {
  if (size == 0) return true;
  // All of it stands in the file: a table of zeros has no meaning.
  if (rva >= image.size || size > image.size - rva || size > file.size()) return false;
  std::vector<std::byte> table(size);
  image.read(file, rva, table);
  for (std::uint64_t at = 0; at + 8 <= size;) {
    const auto block = load<Directory>(table, at);
    if (block.size == 0) break;
    if (block.size < 8 || block.size > size - at) return false;
    for (std::uint64_t entry = at + 8; entry + 2 <= at + block.size; entry += 2) {
      const auto value = load<std::uint16_t>(table, entry);
      if (value >> 12 == kRelocAbsolute) continue;
      const std::uint64_t target = std::uint64_t{block.rva} + (value & 0xFFF);
      if (value >> 12 != kRelocDir64 || target + 8 > image.size) return false;
      image.fixups.push_back(target);
    }
    at += (std::uint64_t{block.size} + 3) & ~std::uint64_t{3};
  }
  std::ranges::sort(image.fixups);
  const auto twice = std::ranges::unique(image.fixups);
  image.fixups.erase(twice.begin(), twice.end());
  return true;
}

}  // namespace

void PeImage::read(std::span<const std::byte> file, std::uint64_t rva,
                   std::span<std::byte> to) const {
  std::ranges::fill(to, std::byte{0});
  const std::uint64_t end = rva + to.size();
  for (const PePart& part : parts) {
    const std::uint64_t first = std::max(rva, part.rva);
    std::uint64_t last = std::min(end, part.rva + part.size);
    if (first >= last) continue;
    const std::uint64_t from = part.file_offset + (first - part.rva);
    if (from >= file.size()) continue;
    last = std::min(last, first + (file.size() - from));
    std::copy_n(file.begin() + static_cast<std::ptrdiff_t>(from), last - first,
                to.begin() + static_cast<std::ptrdiff_t>(first - rva));
  }
}

void PeImage::read_relocated(std::span<const std::byte> file, std::uint64_t rva,
                             std::span<std::byte> to, std::uint64_t delta) const {
  read(file, rva, to);
  const std::uint64_t end = rva + to.size();
  auto at = std::ranges::lower_bound(fixups, rva < 7 ? 0 : rva - 7);
  for (; at != fixups.end() && *at < end; ++at) {
    std::byte bytes[8];
    read(file, *at, bytes);
    std::uint64_t value;
    std::memcpy(&value, bytes, sizeof value);
    value += delta;
    std::memcpy(bytes, &value, sizeof value);
    for (std::uint64_t i = 0; i < 8; ++i)
      if (*at + i >= rva && *at + i < end) to[*at + i - rva] = bytes[i];
  }
}

bool PeImage::has_fixup(std::uint64_t rva) const {
  const auto at = std::ranges::lower_bound(fixups, rva < 7 ? 0 : rva - 7);
  return at != fixups.end() && *at < rva + kNtPageSize;
}

NtStatus parse_pe_image(std::span<const std::byte> file, PeImage& image) {
  if (file.size() < 64 || file[0] != std::byte{'M'} || file[1] != std::byte{'Z'})
    return status::invalid_image_not_mz;
  Directory relocations;
  const std::vector<std::byte> headers_only = headers_of(file, relocations);
  if (headers_only.empty()) return status::invalid_image_format;
  const llvm::StringRef text(reinterpret_cast<const char*>(headers_only.data()),
                             headers_only.size());
  auto opened = llvm::object::COFFObjectFile::create(llvm::MemoryBufferRef(text, ""));
  if (!opened) {
    llvm::consumeError(opened.takeError());
    return status::invalid_image_format;
  }
  const llvm::object::COFFObjectFile& coff = **opened;
  const llvm::object::pe32plus_header* header = coff.getPE32PlusHeader();
  const llvm::object::coff_file_header* kind = coff.getCOFFHeader();
  if (header == nullptr || kind == nullptr || coff.getMachine() != kMachineAmd64 ||
      (kind->Characteristics & kExecutableImage) == 0)
    return status::invalid_image_format;

  image = {};
  image.base = header->ImageBase;
  image.size = page_up(header->SizeOfImage);
  image.entry = header->AddressOfEntryPoint;
  image.stack_reserve = header->SizeOfStackReserve;
  image.stack_commit = header->SizeOfStackCommit;
  image.time_stamp = kind->TimeDateStamp;
  image.checksum = header->CheckSum;
  image.subsystem = header->Subsystem;
  image.characteristics = kind->Characteristics;
  image.dll_characteristics = header->DLLCharacteristics;
  image.machine = kind->Machine;
  const std::uint64_t headers = header->SizeOfHeaders;
  if (image.size == 0 || image.size > kMaximumImage || image.base % kAllocationGranularity != 0 ||
      header->SectionAlignment < kNtPageSize ||
      (header->SectionAlignment & (header->SectionAlignment - 1)) != 0 || headers == 0 ||
      headers > file.size() || headers > image.size || image.entry >= image.size)
    return status::invalid_image_format;

  image.parts.push_back({0, 0, headers});
  image.protections.assign(image.size / kNtPageSize, page::noaccess);
  std::fill_n(image.protections.begin(), page_up(headers) / kNtPageSize, page::readonly);
  std::uint64_t previous = page_up(headers);
  for (const llvm::object::SectionRef& reference : coff.sections()) {
    const llvm::object::coff_section* section = coff.getCOFFSection(reference);
    const std::uint64_t rva = section->VirtualAddress;
    const std::uint64_t raw = section->SizeOfRawData;
    const std::uint64_t wanted = section->VirtualSize != 0 ? section->VirtualSize : raw;
    // NT demands ascending sections that neither overlap nor leave the image.
    if (rva % kNtPageSize != 0 || rva < previous || rva > image.size || wanted > image.size - rva)
      return status::invalid_image_format;
    if (raw != 0 &&
        (section->PointerToRawData > file.size() || raw > file.size() - section->PointerToRawData))
      return status::invalid_image_format;
    const std::uint64_t end = page_up(rva + wanted);
    std::fill(image.protections.begin() + static_cast<std::ptrdiff_t>(rva / kNtPageSize),
              image.protections.begin() + static_cast<std::ptrdiff_t>(end / kNtPageSize),
              protection_of(section->Characteristics));
    if (raw != 0) image.parts.push_back({rva, section->PointerToRawData, std::min(raw, wanted)});
    previous = end;
  }
  if (!read_fixups(file, relocations.rva, relocations.size, image))
    return status::invalid_image_format;
  image.relocatable = (image.characteristics & kRelocationsStripped) == 0 && relocations.size != 0;
  return status::success;
}

}  // namespace doppel
