// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <dumpwriter/formats.h>
#include <tests/support/core_view.h>
#include <tests/support/fake_memory.h>
#include <tests/support/image_builder.h>
#include <tests/support/pour.h>

namespace doppel {
namespace {

constexpr std::uint64_t kBase = 0x10000000;
constexpr std::uint64_t kStack = 0x7f0000000000;
constexpr std::uint64_t kMiB = 1 << 20;

Result<std::vector<std::byte>> written(const ProcessImage& image, const Memory& memory,
                                       const SelectionPolicy& policy = {}) {
  const Selection selection = DOPPEL_TRY(select(image, memory, policy));
  const DumpPlan plan = DOPPEL_TRY(find_format("elf")->plan(image, selection));
  std::vector<std::byte> file = DOPPEL_TRY(pour(plan, memory));
  EXPECT_EQ(file.size(), plan.size());
  return file;
}

TEST(Formats, AreFoundByName) {
  ASSERT_NE(find_format("elf"), nullptr);
  EXPECT_EQ(find_format("elf")->name(), "elf");
  ASSERT_NE(find_format("minidump"), nullptr);
  EXPECT_EQ(find_format("minidump")->name(), "minidump");
  EXPECT_EQ(find_format(""), nullptr);
  EXPECT_EQ(all_formats().front(), find_format("elf"));
}

TEST(CoreFormat, HeadersByAddressBytesByPriority) {
  const ProcessImage image = ImageBuilder()
                                 .region(anonymous_region(kBase, 0x2000))
                                 .region(anonymous_region(kBase + 0x2000, 2 * kMiB))
                                 .region(shared_region(0x20000000, 0x1000))
                                 .region(file_region(0x30000000, 0x3000, "/lib/x.so"))
                                 .region(anonymous_region(kStack, 0x2000))
                                 .thread(4711, kStack + 0x1100)
                                 .build();
  FakeMemory memory;
  memory.put(kBase, 0x1000, "heap").untouched(kBase + 0x1000, 0x1000);
  memory.untouched(kBase + 0x2000, 2 * kMiB);
  memory.put(0x20000000, 0x1000, "shared").put(kStack, 0x2000, "stack");
  const Result<std::vector<std::byte>> file = written(image, memory);
  ASSERT_TRUE(file.has_value());
  const CoreView view(*file);
  ASSERT_EQ(view.loads.size(), 5u);
  for (std::size_t i = 1; i < view.loads.size(); ++i) {
    EXPECT_LT(view.loads[i - 1].p_vaddr, view.loads[i].p_vaddr);
  }
  for (const Elf64_Phdr& load : view.loads) EXPECT_EQ(load.p_offset % 4096, 0u);

  const auto text = [&](std::size_t load, std::size_t size) {
    return std::string(reinterpret_cast<const char*>(view.bytes(view.loads[load]).data()), size);
  };
  const Elf64_Phdr& heap = view.loads[0];
  EXPECT_EQ(heap.p_filesz, 0x2000u);
  EXPECT_EQ(text(0, 4), "heap");
  EXPECT_EQ(view.bytes(heap)[0x1fff], std::byte{0});
  const Elf64_Phdr& zero = view.loads[1];
  EXPECT_EQ(zero.p_filesz, 0u);
  EXPECT_EQ(zero.p_memsz, 2 * kMiB);
  EXPECT_EQ(text(2, 6), "shared");
  const Elf64_Phdr& library = view.loads[3];
  EXPECT_EQ(library.p_filesz, 0u);
  EXPECT_EQ(library.p_memsz, 0x3000u);
  EXPECT_EQ(text(4, 5), "stack");
  // Poured: stack, shared, heap.
  EXPECT_LT(view.loads[4].p_offset, view.loads[2].p_offset);
  EXPECT_LT(view.loads[2].p_offset, heap.p_offset);
  // Everything in front of the first page is index and facts.
  EXPECT_EQ(view.header.e_phoff, sizeof(Elf64_Ehdr));
}

TEST(CoreFormat, FileEndsWithItsLastBytes) {
  const ProcessImage image = ImageBuilder().region(anonymous_region(kBase, 4 * kMiB)).build();
  FakeMemory memory;
  memory.untouched(kBase, 4 * kMiB);
  const Result<std::vector<std::byte>> file = written(image, memory);
  ASSERT_TRUE(file.has_value());
  EXPECT_LT(file->size(), 16384u);
  EXPECT_LE(CoreView(*file).loads[0].p_offset, file->size());
}

TEST(CoreFormat, SeventyThousandSegments) {
  ImageBuilder builder;
  FakeMemory memory;
  for (std::uint64_t i = 0; i < 70000; ++i) {
    Region region = anonymous_region(kBase + i * 0x2000, 0x1000);
    region.access.write = i % 2 == 0;
    builder.region(region);
    if (i % 7000 == 6999) {
      memory.fill(kBase + i * 0x2000, 0x1000, static_cast<unsigned char>(i / 7000 + 1));
    } else {
      memory.untouched(kBase + i * 0x2000, 0x1000);
    }
  }
  SelectionPolicy policy;
  policy.zero_run = 0x1000;
  const ProcessImage image = builder.build();
  const Result<std::vector<std::byte>> file = written(image, memory, policy);
  ASSERT_TRUE(file.has_value());
  const CoreView view(*file);
  ASSERT_EQ(view.loads.size(), 70000u);
  EXPECT_EQ(view.header.e_phnum, 0xffff);
  for (std::uint64_t i = 6999; i < 70000; i += 7000) {
    EXPECT_EQ(view.loads[i].p_vaddr, kBase + i * 0x2000);
    EXPECT_EQ(view.loads[i - 1].p_filesz, 0u);
    EXPECT_EQ(view.bytes(view.loads[i])[17], static_cast<std::byte>(i / 7000 + 1));
  }
}

TEST(CoreFormat, RefusesASelectionThatBreaksItsRules) {
  const ProcessImage image = ImageBuilder().region(anonymous_region(kBase, 0x4000)).build();
  const auto segment = [](std::uint64_t begin, std::uint64_t size, Extent::Kind kind,
                          std::uint64_t covered) {
    Segment result;
    result.range = {.begin = Address{begin}, .size = size};
    if (covered > 0) {
      result.pieces = {{.range = {.begin = Address{begin}, .size = covered}, .kind = kind}};
    }
    return result;
  };
  const auto data = Extent::Kind::data;
  Segment stranger = segment(kBase, 0x1000, data, 0x1000);
  stranger.region = 1;
  Segment zero_with_pieces = segment(kBase, 0x1000, data, 0x1000);
  zero_with_pieces.content = Content::zero;
  const std::vector<std::vector<Segment>> wrong = {
      {segment(kBase, 0, data, 0)},
      {segment(kBase + 1, 0x1000, data, 0x1000)},
      {segment(kBase, 0x1001, data, 0x1001)},
      {segment(kBase, 0x2000, data, 0x1000)},
      {segment(kBase, 0x1000, data, 0x2000)},
      {segment(kBase, 0x1000, Extent::Kind::unreadable, 0x1000)},
      {segment(kBase, 0x2000, data, 0x2000), segment(kBase + 0x1000, 0x1000, data, 0x1000)},
      {stranger},
      {zero_with_pieces},
  };
  for (std::size_t i = 0; i < wrong.size(); ++i) {
    Selection selection;
    selection.segments = wrong[i];
    const Result<DumpPlan> plan = find_format("elf")->plan(image, selection);
    ASSERT_FALSE(plan.has_value()) << i;
    EXPECT_EQ(plan.error().code, Errc::malformed) << i;
  }
  EXPECT_TRUE(find_format("elf")->plan(image, {}).has_value());
}

}  // namespace
}  // namespace doppel
