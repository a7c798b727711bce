// SPDX-License-Identifier: Apache-2.0
//
// PE files, right and wrong: each wrong one is a right one with one field changed.
#include <gtest/gtest.h>

#include "pe_builder.h"

#include <snapshot/executive/mm/pe_image.h>
#include <snapshot/executive/nt_types.h>

namespace doppel {
namespace {

std::uint32_t parse(const std::vector<std::byte>& file) {
  PeImage image;
  return parse_pe_image(file, image).value;
}

TEST(PeImageTest, ReadsWhatAMapNeeds) {
  PeImage image;
  const std::vector<std::byte> file = build_pe(usual_pe());
  ASSERT_EQ(parse_pe_image(file, image).value, 0U);
  EXPECT_EQ(image.base, 0x140000000U);
  EXPECT_EQ(image.size, 0x8000U);
  EXPECT_EQ(image.entry, 0x1000U);
  EXPECT_EQ(image.stack_reserve, 0x100000U);
  EXPECT_EQ(image.stack_commit, 0x1000U);
  EXPECT_EQ(image.subsystem, 1);
  EXPECT_TRUE(image.relocatable);
  EXPECT_FALSE(image.is_dll());
  EXPECT_EQ(image.protections,
            (std::vector<std::uint32_t>{page::readonly, page::execute_read, page::execute_read,
                                        page::readonly, page::writecopy, page::writecopy,
                                        page::readwrite, page::readonly}));
  EXPECT_EQ(image.fixups, std::vector<std::uint64_t>{0x4000});
  std::vector<std::byte> page(0x1000);
  image.read(file, 0x2000, page);
  EXPECT_EQ(page[0x7FF], std::byte{0xCC});
  EXPECT_EQ(page[0x800], std::byte{0});
  image.read(file, 0x5000, page);
  EXPECT_EQ(page, std::vector<std::byte>(0x1000));
  image.read_relocated(file, 0x4000, page, 0x10000);
  std::uint64_t self = 0;
  std::memcpy(&self, page.data(), sizeof self);
  EXPECT_EQ(self, 0x140014000U);
}

TEST(PeImageTest, ProtectionsOfOddSections) {
  PeSpec spec;
  const std::vector<std::byte> bytes(0x200, std::byte{1});
  spec.sections = {{"wx", 0xE0000020, bytes, 0},
                   {"sharedwx", 0xF0000020, bytes, 0},
                   {"none", 0x00000040, bytes, 0},
                   {"w", 0x80000040, bytes, 0},
                   {"x", 0x20000020, bytes, 0}};
  PeImage image;
  ASSERT_EQ(parse_pe_image(build_pe(spec), image).value, 0U);
  EXPECT_EQ(image.protections, (std::vector<std::uint32_t>{page::readonly, page::execute_writecopy,
                                                           page::execute_readwrite, page::noaccess,
                                                           page::writecopy, page::execute_read}));
  EXPECT_FALSE(image.relocatable);
}

TEST(PeImageTest, DllIsWellFormed) {
  PeSpec spec = usual_pe();
  spec.characteristics |= 0x2000;
  PeImage image;
  ASSERT_EQ(parse_pe_image(build_pe(spec), image).value, 0U);
  EXPECT_TRUE(image.is_dll());
}

TEST(PeImageTest, WhatIsNoDosProgram) {
  std::vector<std::byte> file = build_pe(usual_pe());
  EXPECT_EQ(parse({}), status::invalid_image_not_mz.value);
  EXPECT_EQ(parse(std::vector<std::byte>(1)), status::invalid_image_not_mz.value);
  file[0] = std::byte{'Z'};
  EXPECT_EQ(parse(file), status::invalid_image_not_mz.value);
  const std::string elf =
      "\x7f"
      "ELF and so on, long enough to hold what a DOS header would hold here";
  std::vector<std::byte> bytes(elf.size());
  std::memcpy(bytes.data(), elf.data(), elf.size());
  EXPECT_EQ(parse(bytes), status::invalid_image_not_mz.value);
}

struct Damage {
  const char* name;
  std::size_t at;
  std::uint64_t value;
  std::size_t bytes;
};

class PeDamage : public testing::TestWithParam<Damage> {};

TEST_P(PeDamage, IsInvalidImageFormat) {
  std::vector<std::byte> file = build_pe(usual_pe());
  ASSERT_EQ(parse(file), 0U);
  const Damage& damage = GetParam();
  std::memcpy(file.data() + damage.at, &damage.value, damage.bytes);
  EXPECT_EQ(parse(file), status::invalid_image_format.value);
}

INSTANTIATE_TEST_SUITE_P(
    All, PeDamage,
    testing::Values(
        Damage{"HeaderOutside", 0x3C, 0xFFFFFF00, 4}, Damage{"HeaderAtTheEnd", 0x3C, 0x7FFFFFFF, 4},
        Damage{"NoSignature", kPeOffset, 0x4551, 4}, Damage{"I386", kPeOffset + 4, 0x14C, 2},
        Damage{"Arm64", kPeOffset + 4, 0xAA64, 2}, Damage{"NoMachine", kPeOffset + 4, 0, 2},
        Damage{"ManySections", kPeOffset + 6, 0xFFFF, 2}, Damage{"Pe32", kPeOptional, 0x10B, 2},
        Damage{"NoOptionalHeader", kPeOffset + 20, 0, 2},
        Damage{"HugeOptionalHeader", kPeOffset + 20, 0xFFFF, 2},
        Damage{"ObjectFile", kPeOffset + 22, 0, 2},
        Damage{"EntryOutside", kPeOptional + 16, 0x8000, 4},
        Damage{"OddBase", kPeOptional + 24, 0x140001000, 8},
        Damage{"SmallAlignment", kPeOptional + 32, 0x200, 4},
        Damage{"OddAlignment", kPeOptional + 32, 0x3000, 4},
        Damage{"NoImage", kPeOptional + 56, 0, 4},
        Damage{"HugeImage", kPeOptional + 56, 0xFFFFFFFF, 4},
        Damage{"SmallImage", kPeOptional + 56, 0x7000, 4},
        Damage{"NoHeaders", kPeOptional + 60, 0, 4},
        Damage{"HugeHeaders", kPeOptional + 60, 0x7FFFFFFF, 4},
        Damage{"OverlapsHeaders", kPeSections + 12, 0, 4},
        Damage{"UnalignedSection", kPeSections + 12, 0x1010, 4},
        Damage{"OverlapsNext", kPeSections + 8, 0x3000, 4},
        Damage{"Descending", kPeSections + 40 + 12, 0x1000, 4},
        Damage{"SectionOutside", kPeSections + 80 + 12, 0x10000000, 4},
        Damage{"HugeSection", kPeSections + 160 + 8, 0xFFFFF000, 4},
        Damage{"RawOutside", kPeSections + 20, 0x7FFFFE00, 4},
        Damage{"RawTooLong", kPeSections + 16, 0xFFFFFE00, 4},
        Damage{"FixupsOutside", kPeOptional + 112 + 40, 0x20000, 4},
        Damage{"FixupsHuge", kPeOptional + 112 + 44, 0xFFFFFFF0, 4}),
    [](const auto& one) { return std::string(one.param.name); });

TEST(PeImageTest, EveryPrefixIsRefusedOrRead) {
  const std::vector<std::byte> file = build_pe(usual_pe());
  for (std::size_t size = 0; size < file.size(); ++size) {
    PeImage image;
    const NtStatus done = parse_pe_image(std::span(file).first(size), image);
    EXPECT_FALSE(done.succeeded()) << size;
  }
}

TEST(PeImageTest, EveryFixupKindButDir64IsRefused) {
  for (unsigned kind = 1; kind < 16; ++kind) {
    std::vector<std::byte> file = build_pe(usual_pe());
    const std::size_t table = file.size() - 0x200;
    put_at<std::uint16_t>(file, table + 8, static_cast<std::uint16_t>(kind << 12));
    EXPECT_EQ(parse(file), kind == 10 ? 0U : status::invalid_image_format.value) << kind;
  }
}

TEST(PeImageTest, FixupBlocksThatLie) {
  for (const std::uint32_t size : {1U, 7U, 0x1000U, 0xFFFFFFFFU}) {
    std::vector<std::byte> file = build_pe(usual_pe());
    put_at<std::uint32_t>(file, file.size() - 0x200 + 4, size);
    EXPECT_EQ(parse(file), status::invalid_image_format.value) << size;
  }
  std::vector<std::byte> file = build_pe(usual_pe());
  put_at<std::uint32_t>(file, file.size() - 0x200, 0x7FF9 + 0x1000);
  EXPECT_EQ(parse(file), status::invalid_image_format.value);
}

TEST(PeImageTest, AFileThatShrankReadsAsZero) {
  const std::vector<std::byte> file = build_pe(usual_pe());
  PeImage image;
  ASSERT_EQ(parse_pe_image(file, image).value, 0U);
  std::vector<std::byte> page(0x1000, std::byte{9});
  image.read_relocated(std::span(file).first(0x500), 0x1000, page, 1);
  EXPECT_EQ(page[0xFF], std::byte{0xCC});
  EXPECT_EQ(page[0x100], std::byte{0});
  image.read_relocated({}, 0x4000, page, 0x10);
  EXPECT_EQ(page[0], std::byte{0x10});
  EXPECT_EQ(page[8], std::byte{0});
}

}  // namespace
}  // namespace doppel
