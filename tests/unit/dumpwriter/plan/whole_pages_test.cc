// SPDX-License-Identifier: Apache-2.0
//
// Dumps of other tools hold half pages; formats take whole ones.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <dumpwriter/plan/selection.h>
#include <dumpwriter/plan/selection_check.h>
#include <dumpwriter/plan/whole_pages.h>
#include <tests/support/fake_memory.h>
#include <tests/support/image_builder.h>

namespace doppel {
namespace {

using testing::ElementsAre;

constexpr std::uint64_t kBase = 0x10000;

Extent extent(std::uint64_t begin, std::uint64_t size, Extent::Kind kind) {
  return {.range = {{begin}, size}, .kind = kind};
}

class HalfPages : public testing::Test {
 protected:
  HalfPages() {
    auto memory = std::make_unique<FakeMemory>();
    // A stack from its pointer on, then nothing, then a scrap within one page.
    memory->fill(kBase + 0x1010, 0x1000, 7).fill(kBase + 0x4100, 0x80, 8);
    regions_ = {anonymous_region(kBase, 0x8000)};
    whole_ = std::make_unique<WholePages>(std::move(memory), regions_);
  }

  std::vector<Region> regions_;
  std::unique_ptr<WholePages> whole_;
};

TEST_F(HalfPages, ASurveyShowsWholePages) {
  const auto extents = whole_->survey({{kBase}, 0x8000});
  ASSERT_TRUE(extents.has_value());
  using enum Extent::Kind;
  EXPECT_THAT(
      *extents,
      ElementsAre(extent(kBase, 0x1000, unreadable), extent(kBase + 0x1000, 0x2000, data),
                  extent(kBase + 0x3000, 0x1000, unreadable), extent(kBase + 0x4000, 0x1000, data),
                  extent(kBase + 0x5000, 0x3000, unreadable)));
}

TEST_F(HalfPages, WhatIsFilledIsKnownAndReadsAsZero) {
  EXPECT_THAT(
      whole_->filled(),
      ElementsAre(AddressRange{{kBase + 0x1000}, 0x10}, AddressRange{{kBase + 0x2010}, 0xff0},
                  AddressRange{{kBase + 0x4000}, 0x100}, AddressRange{{kBase + 0x4180}, 0xe80}));
  std::vector<std::byte> bytes(0x1000, std::byte{1});
  EXPECT_EQ(whole_->read({kBase + 0x1000}, bytes).value_or(0), 0x10u);
  EXPECT_EQ(bytes[0xf], std::byte{0});
  EXPECT_EQ(bytes[0x10], std::byte{1});
  EXPECT_EQ(whole_->read({kBase + 0x1010}, bytes).value_or(0), 0x1000u);
  EXPECT_EQ(bytes[0], std::byte{7});
  EXPECT_EQ(whole_->read({kBase + 0x4fff}, bytes).value_or(0), 1u);
  // Whole pages that nobody has stay unreadable.
  EXPECT_EQ(whole_->read({kBase + 0x5000}, bytes).error().code, Errc::unmapped);
  EXPECT_EQ(whole_->read({kBase}, bytes).error().code, Errc::unmapped);
}

// What a dump holds is taken whatever the filter says; what it lacks is no loss of this writer's.
TEST(HeldSelection, TakesWhatIsThere) {
  ImageBuilder builder;
  Region written = file_region(kBase + 0x20000, 0x1000, "/lib/a.so");
  written.anonymous = 0x1000;
  builder.thread(4711)
      .region(anonymous_region(kBase, 0x3000))
      .region(file_region(kBase + 0x10000, 0x3000, "/lib/a.so"))
      .region(written);
  builder.image().process.coredump_filter = 0;  // would leave everything out
  const ProcessImage image = builder.build();
  FakeMemory memory;
  memory.fill(kBase, 0x1000, 1).fill(kBase + 0x11000, 0x1000, 2);
  const auto selection = select(image, memory, {.filter = {}, .held = true});
  ASSERT_TRUE(selection.has_value());
  EXPECT_TRUE(check_selection(image, *selection));
  ASSERT_EQ(selection->segments.size(), 4u);
  EXPECT_EQ(selection->segments[0].range, (AddressRange{{kBase}, 0x1000}));
  EXPECT_EQ(selection->segments[0].content, Content::bytes);
  // A debugger goes on to look for the rest of a file in the file.
  EXPECT_EQ(selection->segments[1].content, Content::in_file);
  EXPECT_EQ(selection->segments[2].content, Content::bytes);
  EXPECT_EQ(selection->segments[2].range, (AddressRange{{kBase + 0x11000}, 0x1000}));
  EXPECT_EQ(selection->segments[3].content, Content::in_file);
  ASSERT_EQ(selection->omissions.size(), 2u);
  EXPECT_EQ(selection->omissions[0],
            (Omission{"memory", {{kBase + 0x1000}, 0x2000}, "not in the dump", true}));
  EXPECT_EQ(selection->omissions[1],
            (Omission{"memory", {{kBase + 0x20000}, 0x1000}, "not in the dump", true}));
}

}  // namespace
}  // namespace doppel
