// SPDX-License-Identifier: Apache-2.0
#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include <dumpwriter/plan/elf_landmarks.h>
#include <tests/support/fake_memory.h>
#include <tests/support/image_builder.h>

namespace doppel {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint64_t kBase = 0x7f0000000000;

AddressRange range(std::uint64_t begin, std::uint64_t size) {
  return {.begin = Address{begin}, .size = size};
}

/// The first page of a library; `headers` may be wrong on purpose.
std::vector<std::byte> first_page(const std::vector<Elf64_Phdr>& headers,
                                  std::uint16_t count_claimed) {
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_phoff = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = count_claimed;
  std::vector<std::byte> page(4096);
  std::memcpy(page.data(), &header, sizeof header);
  if (!headers.empty()) {
    std::memcpy(page.data() + sizeof header, headers.data(), headers.size() * sizeof(Elf64_Phdr));
  }
  return page;
}

Elf64_Phdr segment(std::uint32_t type, std::uint64_t address, std::uint64_t size) {
  Elf64_Phdr header{};
  header.p_type = type;
  header.p_vaddr = address;
  header.p_memsz = header.p_filesz = size;
  return header;
}

TEST(ElfLandmarks, HeaderNotesAndDynamicSection) {
  const std::vector<Elf64_Phdr> headers = {
      segment(PT_LOAD, 0, 0x10000), segment(PT_NOTE, 0x338, 0x44), segment(PT_NOTE, 0x5ff0, 0x20),
      segment(PT_DYNAMIC, 0x9d00, 0x1f0), segment(PT_GNU_EH_FRAME, 0x7000, 0x100)};
  FakeMemory memory;
  memory.put(kBase, 0x10000, first_page(headers, 5));
  EXPECT_THAT(elf_landmarks(file_region(kBase, 0x10000, "/lib/x.so"), memory),
              ElementsAre(range(kBase, 0x1000), range(kBase + 0x5000, 0x2000),
                          range(kBase + 0x9000, 0x1000)));
}

TEST(ElfLandmarks, FileLinkedAtAFixedAddress) {
  const std::vector<Elf64_Phdr> headers = {segment(PT_LOAD, 0x400000, 0x10000),
                                           segment(PT_NOTE, 0x405000, 0x20)};
  FakeMemory memory;
  memory.put(0x400000, 0x10000, first_page(headers, 2));
  EXPECT_THAT(elf_landmarks(file_region(0x400000, 0x10000, "/bin/x"), memory),
              ElementsAre(range(0x400000, 0x1000), range(0x405000, 0x1000)));
}

TEST(ElfLandmarks, OnlyStartsOfFilesThatAreElfOrExecutable) {
  FakeMemory memory;
  memory.put(kBase, 0x1000, first_page({}, 0));
  memory.put(kBase + 0x10000, 0x1000, "#!/bin/sh");
  EXPECT_THAT(elf_landmarks(file_region(kBase, 0x1000, "/lib/x.so"), memory),
              ElementsAre(range(kBase, 0x1000)));
  EXPECT_THAT(elf_landmarks(file_region(kBase, 0x1000, "/lib/x.so", 0x1000), memory), IsEmpty());
  Region text = file_region(kBase + 0x10000, 0x1000, "/data");
  EXPECT_THAT(elf_landmarks(text, memory), IsEmpty());
  text.access.execute = true;
  EXPECT_THAT(elf_landmarks(text, memory), ElementsAre(range(kBase + 0x10000, 0x1000)));
  text.access.read = false;
  EXPECT_THAT(elf_landmarks(text, memory), IsEmpty());
  EXPECT_THAT(elf_landmarks(file_region(0x5000, 0x1000, "/gone"), memory), IsEmpty());
}

TEST(ElfLandmarks, LiesCostNothing) {
  const std::vector<Elf64_Phdr> headers = {
      segment(PT_LOAD, 0, 0x1000), segment(PT_NOTE, 0x100, ~0ull),  // huge
      segment(PT_NOTE, ~0ull - 0x100, 0x20),                        // wraps into place
      segment(PT_DYNAMIC, 0x200, 0)};
  FakeMemory memory;
  memory.put(kBase, 0x1000, first_page(headers, 4));
  const auto kept = elf_landmarks(file_region(kBase, 0x1000, "/lib/x.so"), memory);
  for (const AddressRange& each : kept) EXPECT_LE(each.size, 0x12000u);
  EXPECT_THAT(kept, testing::Contains(range(kBase - 0x1000, 0x2000)));  // bias - 0x101, joined

  FakeMemory crowded;
  crowded.put(kBase, 0x1000, first_page({}, 0xfffe));  // more headers than the page holds
  EXPECT_THAT(elf_landmarks(file_region(kBase, 0x1000, "/lib/x.so"), crowded),
              ElementsAre(range(kBase, 0x1000)));
}

}  // namespace
}  // namespace doppel
