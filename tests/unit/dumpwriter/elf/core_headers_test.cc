// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <dumpwriter/elf/core_headers.h>
#include <tests/support/core_view.h>

namespace doppel {
namespace {

std::vector<LoadHeader> many(std::size_t count) {
  std::vector<LoadHeader> loads(count);
  for (std::size_t i = 0; i < count; ++i) {
    loads[i].range = {.begin = Address{0x10000 + i * 0x2000}, .size = 0x1000};
    loads[i].offset = 0x800000 + i * 0x1000;
    loads[i].file_size = i % 2 == 0 ? 0x1000 : 0;
  }
  return loads;
}

TEST(CoreHeaders, SaysWhatItIs) {
  const std::vector<std::byte> out = make_core_headers(0x500, 0, {});
  EXPECT_EQ(out.size(), core_headers_size(0));
  const CoreView view(out);
  EXPECT_EQ(view.header.e_type, ET_CORE);
  EXPECT_EQ(view.header.e_machine, EM_X86_64);
  EXPECT_EQ(view.header.e_phnum, 1);
  EXPECT_EQ(view.header.e_shoff, 0u);
  EXPECT_EQ(view.header.e_shnum, 0);
}

TEST(CoreHeaders, FieldsOfALoad) {
  const LoadHeader load{.range = {.begin = Address{0x7f00}, .size = 0x3000},
                        .offset = 0x9000,
                        .file_size = 0x3000,
                        .access = {.read = true, .write = false, .execute = true}};
  const std::vector<std::byte> out = make_core_headers(0x1000, 0, {load});
  const auto header = read_at<Elf64_Phdr>(out, sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr));
  EXPECT_EQ(header.p_type, static_cast<Elf64_Word>(PT_LOAD));
  EXPECT_EQ(header.p_flags, static_cast<Elf64_Word>(PF_R | PF_X));
  EXPECT_EQ(header.p_offset, 0x9000u);
  EXPECT_EQ(header.p_vaddr, 0x7f00u);
  EXPECT_EQ(header.p_paddr, 0u);
  EXPECT_EQ(header.p_filesz, 0x3000u);
  EXPECT_EQ(header.p_memsz, 0x3000u);
  EXPECT_EQ(header.p_align, 4096u);
}

/// The note is one header, so 65533 loads are the most that e_phnum counts.
TEST(CoreHeaders, CountsUpTo65534InPlace) {
  const std::vector<std::byte> out = make_core_headers(0, 0, many(65533));
  EXPECT_EQ(out.size(), core_headers_size(65533));
  const auto header = read_at<Elf64_Ehdr>(out, 0);
  EXPECT_EQ(header.e_phnum, 65534);
  EXPECT_EQ(header.e_shnum, 0);
}

TEST(CoreHeaders, BeyondThatInTheSectionHeader) {
  for (const std::size_t loads : {std::size_t{65534}, std::size_t{65535}, std::size_t{70000}}) {
    const std::vector<std::byte> out = make_core_headers(0, 0, many(loads));
    EXPECT_EQ(out.size(), core_headers_size(loads));
    const CoreView view(out);
    EXPECT_EQ(view.header.e_phnum, 0xffff);
    EXPECT_EQ(view.header.e_shnum, 1);
    EXPECT_EQ(view.header.e_shentsize, sizeof(Elf64_Shdr));
    EXPECT_EQ(view.header.e_shoff, sizeof(Elf64_Ehdr) + (loads + 1) * sizeof(Elf64_Phdr));
    const auto section = read_at<Elf64_Shdr>(out, view.header.e_shoff);
    EXPECT_EQ(section.sh_type, static_cast<Elf64_Word>(SHT_NULL));
    EXPECT_EQ(section.sh_info, loads + 1);
    ASSERT_EQ(view.loads.size(), loads);
    EXPECT_EQ(view.loads.back().p_vaddr, 0x10000 + (loads - 1) * 0x2000);
  }
}

}  // namespace
}  // namespace doppel
