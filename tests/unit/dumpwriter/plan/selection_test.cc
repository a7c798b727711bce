// SPDX-License-Identifier: Apache-2.0
#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include <dumpwriter/plan/selection.h>
#include <tests/support/fake_memory.h>
#include <tests/support/image_builder.h>

namespace doppel {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint64_t kBase = 0x10000000;

AddressRange range(std::uint64_t begin, std::uint64_t size) {
  return {.begin = Address{begin}, .size = size};
}

Extent data(std::uint64_t begin, std::uint64_t size) {
  return {.range = range(begin, size), .kind = Extent::Kind::data};
}

Extent untouched(std::uint64_t begin, std::uint64_t size) {
  return {.range = range(begin, size), .kind = Extent::Kind::untouched};
}

/// What a segment is, in one line: for readable expectations.
struct Stretch {
  AddressRange range;
  Content content;
  unsigned priority;
  bool operator==(const Stretch&) const = default;
};

void PrintTo(const Stretch& stretch, std::ostream* out) {
  *out << std::hex << "0x" << stretch.range.begin.value << "+0x" << stretch.range.size << std::dec
       << " content " << static_cast<int>(stretch.content) << " priority " << stretch.priority;
}

std::vector<Stretch> stretches(const Selection& selection) {
  std::vector<Stretch> result;
  for (const Segment& each : selection.segments) {
    result.push_back({each.range, each.content, each.priority});
  }
  return result;
}

Stretch bytes(std::uint64_t begin, std::uint64_t size, unsigned priority = 2) {
  return {range(begin, size), Content::bytes, priority};
}

Stretch zero(std::uint64_t begin, std::uint64_t size) {
  return {range(begin, size), Content::zero, 2};
}

Stretch in_file(std::uint64_t begin, std::uint64_t size) {
  return {range(begin, size), Content::in_file, 2};
}

Selection chosen(const ProcessImage& image, const Memory& memory, SelectionPolicy policy = {}) {
  Result<Selection> selection = select(image, memory, policy);
  EXPECT_TRUE(selection.has_value());
  return selection ? *selection : Selection{};
}

TEST(Selection, TouchedPagesAreBytesLongUntouchedRunsAreZeroShortOnesStayInside) {
  const ProcessImage image = ImageBuilder().region(anonymous_region(kBase, 8 * kMiB)).build();
  FakeMemory memory;
  memory
      .fill(kBase, 0x3000, 0)  // touched, and zero: still bytes
      .untouched(kBase + 0x3000, kMiB - 0x1000)
      .fill(kBase + kMiB + 0x2000, 0x1000, 7)
      .untouched(kBase + kMiB + 0x3000, 7 * kMiB - 0x3000);
  const Selection selection = chosen(image, memory);
  EXPECT_THAT(stretches(selection), ElementsAre(bytes(kBase, kMiB + 0x3000),
                                                zero(kBase + kMiB + 0x3000, 7 * kMiB - 0x3000)));
  EXPECT_THAT(selection.segments[0].pieces,
              ElementsAre(data(kBase, 0x3000), untouched(kBase + 0x3000, kMiB - 0x1000),
                          data(kBase + kMiB + 0x2000, 0x1000)));
  EXPECT_THAT(selection.omissions, IsEmpty());
}

TEST(Selection, AReservationOf16TerabytesIsOneSegment) {
  Region reservation = anonymous_region(0x100000000000, 1ull << 44);
  reservation.access = {};
  FakeMemory memory;
  memory.untouched(0x100000000000, 1ull << 44);
  const Selection selection = chosen(ImageBuilder().region(reservation).build(), memory);
  EXPECT_THAT(stretches(selection), ElementsAre(zero(0x100000000000, 1ull << 44)));
}

TEST(Selection, InaccessibleMemoryWithContentsIsTaken) {
  Region region = anonymous_region(kBase, 0x2000);
  region.access = {};
  FakeMemory memory;
  memory.fill(kBase, 0x2000, 9);
  EXPECT_THAT(stretches(chosen(ImageBuilder().region(region).build(), memory)),
              ElementsAre(bytes(kBase, 0x2000)));
}

TEST(Selection, UnreadableParts) {
  const ProcessImage image = ImageBuilder().region(anonymous_region(kBase, 0x5000)).build();
  FakeMemory memory;
  memory.fill(kBase, 0x1000, 1).unreadable(kBase + 0x1000, 0x2000).fill(kBase + 0x3000, 0x1000, 1);
  // The fifth page is never spoken of.
  const Selection selection = chosen(image, memory);
  EXPECT_THAT(stretches(selection),
              ElementsAre(bytes(kBase, 0x1000), bytes(kBase + 0x3000, 0x1000)));
  ASSERT_THAT(selection.omissions, SizeIs(2));
  EXPECT_EQ(
      selection.omissions[0],
      (Omission{.what = "memory", .range = range(kBase + 0x1000, 0x2000), .why = "unreadable"}));
  EXPECT_EQ(selection.omissions[1].range, range(kBase + 0x4000, 0x1000));
}

TEST(Selection, ReasonsForUnreadableMemory) {
  Region absent = anonymous_region(kBase, 0x1000);
  absent.traits.dont_fork = true;
  Region guarded = anonymous_region(kBase + 0x1000, 0x1000);
  guarded.traits.guard = true;
  Region huge = anonymous_region(kBase + 0x2000, 0x1000);
  huge.traits.huge_tlb = true;
  const FakeMemory memory;
  const Selection selection =
      chosen(ImageBuilder().region(absent).region(guarded).region(huge).build(), memory);
  EXPECT_THAT(selection.segments, IsEmpty());
  ASSERT_THAT(selection.omissions, SizeIs(3));
  EXPECT_EQ(selection.omissions[0].why, "MADV_DONTFORK");
  EXPECT_FALSE(selection.omissions[0].asked);
  EXPECT_EQ(selection.omissions[1].why, "guard pages");
  EXPECT_TRUE(selection.omissions[1].asked);
  EXPECT_FALSE(selection.omissions[2].asked);
}

TEST(Selection, MemoryThatWasCopiedAsideIsTakenAlthoughAClonelacksIt) {
  Region region = anonymous_region(kBase, 0x1000);
  region.traits.dont_fork = true;
  FakeMemory memory;
  memory.fill(kBase, 0x1000, 3);  // the engine copied it in the stop
  const Selection selection = chosen(ImageBuilder().region(region).build(), memory);
  EXPECT_THAT(stretches(selection), ElementsAre(bytes(kBase, 0x1000)));
  EXPECT_THAT(selection.omissions, IsEmpty());
}

TEST(Selection, NeverCapturedHasNoSegmentAndAReason) {
  Region region = anonymous_region(kBase, 0x1000);
  region.traits.wipe_on_fork = true;
  FakeMemory memory;
  memory.fill(kBase, 0x1000, 0);  // what a clone shows: not what the process had
  const Selection selection = chosen(ImageBuilder().region(region).build(), memory);
  EXPECT_THAT(selection.segments, IsEmpty());
  EXPECT_THAT(selection.omissions, ElementsAre(Omission{.what = "memory",
                                                        .range = range(kBase, 0x1000),
                                                        .why = "MADV_WIPEONFORK",
                                                        .asked = true}));
}

TEST(Selection, WhatTheImageOmitsIsNeitherTakenNorSaidTwice) {
  Region secret = anonymous_region(kBase + 0x4000, 0x1000);
  secret.traits.dont_dump = true;
  ImageBuilder builder;
  builder.region(anonymous_region(kBase, 0x4000)).region(secret);
  builder.image().omissions = {
      {.what = "memory",
       .range = range(kBase + 0x1000, 0x1000),
       .why = "torn away",
       .asked = false},
      {.what = "memory",
       .range = range(kBase + 0x4000, 0x1000),
       .why = "MADV_DONTDUMP",
       .asked = true},
      {.what = "registers", .range = {}, .why = "did not stop", .asked = false}};
  FakeMemory memory;
  memory.fill(kBase, 0x5000, 0);
  const Selection selection = chosen(builder.build(), memory);
  EXPECT_THAT(stretches(selection),
              ElementsAre(bytes(kBase, 0x1000), bytes(kBase + 0x2000, 0x2000)));
  EXPECT_THAT(selection.omissions, IsEmpty());
}

TEST(Selection, PagesOfFilesThatAreNotMappedYetAreNotZero) {
  Region region = file_region(kBase, 0x4000, "/lib/x.so");
  region.anonymous = 0x1000;  // written: taken whole
  FakeMemory memory;
  memory.fill(kBase, 0x1000, 1).untouched(kBase + 0x1000, 0x3000);
  const Selection selection = chosen(ImageBuilder().region(region).build(), memory);
  ASSERT_THAT(stretches(selection), ElementsAre(bytes(kBase, 0x4000)));
  EXPECT_THAT(selection.segments[0].pieces, ElementsAre(data(kBase, 0x4000)));
}

/// Header page and note page of a library as bytes, what is between in the file.
TEST(Selection, LibraryKeepsItsLandmarks) {
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_phoff = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 1;
  Elf64_Phdr note{};
  note.p_type = PT_NOTE;
  note.p_vaddr = 0x6004;
  note.p_memsz = 0x24;
  std::vector<std::byte> page(sizeof header + sizeof note);
  std::memcpy(page.data(), &header, sizeof header);
  std::memcpy(page.data() + sizeof header, &note, sizeof note);
  FakeMemory memory;
  memory.put(kBase, 0x2000, page).fill(kBase + 0x2000, 0x8000, 1);

  // The note lies in another mapping of the file than the header.
  Region text = file_region(kBase + 0x2000, 0x8000, "/lib/x.so", 0x2000);
  text.access.execute = true;
  const ProcessImage image =
      ImageBuilder().region(file_region(kBase, 0x2000, "/lib/x.so")).region(text).build();
  const Selection selection = chosen(image, memory);
  EXPECT_THAT(stretches(selection),
              ElementsAre(bytes(kBase, 0x1000), in_file(kBase + 0x1000, 0x1000),
                          in_file(kBase + 0x2000, 0x4000), bytes(kBase + 0x6000, 0x1000),
                          in_file(kBase + 0x7000, 0x3000)));
  EXPECT_THAT(selection.omissions, IsEmpty());

  SelectionPolicy without;
  without.filter = 0x23;
  EXPECT_THAT(stretches(chosen(image, memory, without)),
              ElementsAre(in_file(kBase, 0x2000), in_file(kBase + 0x2000, 0x8000)));
}

TEST(Selection, TheProcesssOwnFilterUnlessThePolicyHasOne) {
  ImageBuilder builder;
  builder.region(anonymous_region(kBase, 0x1000));
  FakeMemory memory;
  memory.fill(kBase, 0x1000, 1);
  builder.image().process.coredump_filter = 0;
  Selection selection = chosen(builder.build(), memory);
  EXPECT_THAT(selection.segments, IsEmpty());
  ASSERT_THAT(selection.omissions, SizeIs(1));
  EXPECT_TRUE(selection.omissions[0].asked);
  SelectionPolicy all;
  all.filter = 0x1ff;
  EXPECT_THAT(chosen(builder.build(), memory, all).segments, SizeIs(1));
}

TEST(Selection, StacksFirstSharedNextRestLast) {
  const std::uint64_t stack = 0x7f0000000000;
  const ProcessImage image = ImageBuilder()
                                 .region(anonymous_region(kBase, 4 * kMiB))
                                 .region(shared_region(kBase + 4 * kMiB, kMiB))
                                 .region(anonymous_region(stack, 3 * kMiB))
                                 .thread(4711, stack + 0x80200, kBase + 0x5000)
                                 .build();
  FakeMemory memory;
  memory.fill(kBase, 5 * kMiB, 1).fill(stack, 0x70000, 1).untouched(stack + 0x70000, 0x11000);
  memory.fill(stack + 0x81000, 3 * kMiB - 0x81000, 1);
  const Selection selection = chosen(image, memory);
  EXPECT_THAT(
      stretches(selection),
      ElementsAre(bytes(kBase, 0x4000), bytes(kBase + 0x4000, 0x4000, 0),
                  bytes(kBase + 0x8000, 4 * kMiB - 0x8000), bytes(kBase + 4 * kMiB, kMiB, 1),
                  bytes(stack, 0x80000), bytes(stack + 0x80000, 0x40000, 0),
                  bytes(stack + 0xc0000, 3 * kMiB - 0xc0000)));
  // Pieces are cut where segments are.
  EXPECT_THAT(selection.segments[4].pieces,
              ElementsAre(data(stack, 0x70000), untouched(stack + 0x70000, 0x10000)));
  EXPECT_THAT(selection.segments[5].pieces,
              ElementsAre(untouched(stack + 0x80000, 0x1000), data(stack + 0x81000, 0x3f000)));
}

TEST(Selection, SmallStretchesAreNotSplit) {
  const ProcessImage image = ImageBuilder()
                                 .region(anonymous_region(kBase, 4 * kMiB))
                                 .region(shared_region(kBase + 4 * kMiB, kMiB))
                                 .thread(4711, kBase + 0x200000, kBase + 4 * kMiB + 0x5000)
                                 .build();
  FakeMemory memory;
  memory.fill(kBase, kMiB, 1)
      .untouched(kBase + kMiB, kMiB - 0x1000)
      .fill(kBase + 2 * kMiB - 0x1000, 2 * kMiB + 0x1000, 1)
      .fill(kBase + 4 * kMiB, kMiB, 1);
  SelectionPolicy policy;
  policy.zero_run = 0x1000;
  EXPECT_THAT(stretches(chosen(image, memory, policy)),
              ElementsAre(bytes(kBase, kMiB), zero(kBase + kMiB, kMiB - 0x1000),
                          bytes(kBase + 2 * kMiB - 0x1000, 0x1000 + 0x3f000, 0),
                          bytes(kBase + 2 * kMiB + 0x3f000, 2 * kMiB - 0x3f000),
                          bytes(kBase + 4 * kMiB, kMiB, 0)));
}

TEST(Selection, ExecuteOnlyVsyscallPageIsLeftOutInSilence) {
  Region region = anonymous_region(0xffffffffff600000, 0x1000);
  region.backing = Backing::vsyscall;
  const ProcessImage image = ImageBuilder().region(region).build();
  FakeMemory memory;
  EXPECT_THAT(chosen(image, memory).segments, IsEmpty());
  EXPECT_THAT(chosen(image, memory).omissions, IsEmpty());
  memory.fill(0xffffffffff600000, 0x1000, 0xcc);
  EXPECT_THAT(chosen(image, memory).segments, SizeIs(1));
}

TEST(Selection, OneFailedSurveyIsAnOmissionAllFailedIsAFailure) {
  ImageBuilder builder;
  builder.region(anonymous_region(kBase, 0x1000));
  FakeMemory memory;
  memory.fill(kBase, 0x1000, 1).fail_survey(kBase, Errc::gone);
  const Result<Selection> nothing = select(builder.build(), memory);
  ASSERT_FALSE(nothing.has_value());
  EXPECT_EQ(nothing.error().code, Errc::gone);

  builder.region(anonymous_region(kBase + 0x1000, 0x1000));
  memory.fill(kBase + 0x1000, 0x1000, 1);
  const Selection selection = chosen(builder.build(), memory);
  EXPECT_THAT(stretches(selection), ElementsAre(bytes(kBase + 0x1000, 0x1000)));
  EXPECT_THAT(selection.omissions, SizeIs(1));
}

TEST(Selection, SurveyThatBreaksItsContractLosesNothingSilently) {
  /// Answers with holes, overlaps and strangers.
  class Liar : public Memory {
   public:
    Result<std::size_t> read(Address, std::span<std::byte> to) const override { return to.size(); }

    Result<std::vector<Extent>> survey(AddressRange) const override {
      return std::vector<Extent>{data(kBase - 0x1000, 0x1000), data(kBase + 0x1000, 0x1000),
                                 data(kBase + 0x1000, 0x1000), data(kBase + 0x3000, 0x9000),
                                 data(kBase + 0x90000, 0x1000)};
    }
  };

  const ProcessImage image = ImageBuilder().region(anonymous_region(kBase, 0x4000)).build();
  const Selection selection = chosen(image, Liar());
  EXPECT_THAT(stretches(selection),
              ElementsAre(bytes(kBase + 0x1000, 0x1000), bytes(kBase + 0x3000, 0x1000)));
  EXPECT_THAT(selection.omissions, SizeIs(2));
}

}  // namespace
}  // namespace doppel
