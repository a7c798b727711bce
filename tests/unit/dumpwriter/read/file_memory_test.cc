// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstring>

#include <dumpwriter/read/file_memory.h>
#include <tests/unit/dumpwriter/read/bytes_source.h>

namespace doppel::test {
namespace {

using Kind = Extent::Kind;

std::shared_ptr<const ByteSource> counting(std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i);
  return std::make_shared<BytesSource>(std::move(bytes));
}

TEST(FileMemory, ReadsAcrossStretchesUpToAGap) {
  const FileMemory memory(counting(0x3000), {{{{0x5000}, 0x1000}, Kind::untouched, 0},
                                             {{{0x4000}, 0x1000}, Kind::data, 0x1001},
                                             {{{0x6000}, 0x1000}, Kind::unreadable, 0}});
  std::vector<std::byte> bytes(0x3000);
  EXPECT_EQ(memory.read({0x4ffe}, bytes).value_or(0), 0x1002u);
  EXPECT_EQ(bytes[0], std::byte{0xff});
  EXPECT_EQ(bytes[1], std::byte{0x00});
  EXPECT_EQ(bytes[2], std::byte{0});
  for (const std::uint64_t nowhere : {0x3fffull, 0x6000ull, 0x7000ull, ~0ull}) {
    EXPECT_EQ(memory.read({nowhere}, bytes).error().code, Errc::unmapped);
  }
  EXPECT_EQ(memory.read({0x9999}, {}).value_or(7), 0u);
}

TEST(FileMemory, TheLastPageOfTheAddressSpace) {
  const std::uint64_t last = ~0ull - 0xfff;
  const FileMemory memory(counting(0x1000),
                          {{{{0}, 0x1000}, Kind::untouched, 0}, {{{last}, 0x1000}, Kind::data, 0}});
  std::vector<std::byte> bytes(0x2000);
  EXPECT_EQ(memory.read({last + 0x800}, bytes).value_or(0), 0x800u);
  const Result<std::vector<Extent>> extents = memory.survey({{last - 0x1000}, 0x2000});
  ASSERT_TRUE(extents);
  EXPECT_EQ(*extents, (std::vector<Extent>{{{{last - 0x1000}, 0x1000}, Kind::unreadable},
                                           {{{last}, 0x1000}, Kind::data}}));
}

TEST(FileMemory, OverlapsGoToTheFirstAndWrapsAreDropped) {
  const FileMemory memory(counting(0x100), {{{{10}, 10}, Kind::data, 0},
                                            {{{15}, 10}, Kind::data, 100},
                                            {{{12}, 2}, Kind::unreadable, 0},
                                            {{{30}, ~0ull}, Kind::untouched, 0},
                                            {{{40}, 0}, Kind::untouched, 0}});
  std::vector<std::byte> bytes(100);
  EXPECT_EQ(memory.read({10}, bytes).value_or(0), 15u);
  EXPECT_EQ(bytes[9], std::byte{9});
  EXPECT_EQ(bytes[10], std::byte{105});
  EXPECT_EQ(memory.read({30}, bytes).error().code, Errc::unmapped);
}

TEST(FileMemory, SurveysCoverWhatWasAsked) {
  const FileMemory memory(counting(0x1000), {{{{100}, 50}, Kind::data, 0},
                                             {{{150}, 50}, Kind::data, 500},
                                             {{{250}, 50}, Kind::untouched, 0}});
  const auto survey = [&](std::uint64_t begin, std::uint64_t size) {
    return memory.survey({{begin}, size}).value_or(std::vector<Extent>{});
  };
  EXPECT_TRUE(survey(120, 0).empty());
  EXPECT_EQ(survey(0, 1000), (std::vector<Extent>{{{{0}, 100}, Kind::unreadable},
                                                  {{{100}, 100}, Kind::data},
                                                  {{{200}, 50}, Kind::unreadable},
                                                  {{{250}, 50}, Kind::untouched},
                                                  {{{300}, 700}, Kind::unreadable}}));
  EXPECT_EQ(survey(120, 10), (std::vector<Extent>{{{{120}, 10}, Kind::data}}));
  EXPECT_EQ(survey(210, 10), (std::vector<Extent>{{{{210}, 10}, Kind::unreadable}}));
  EXPECT_EQ(survey(190, 70), (std::vector<Extent>{{{{190}, 10}, Kind::data},
                                                  {{{200}, 50}, Kind::unreadable},
                                                  {{{250}, 10}, Kind::untouched}}));
}

TEST(FileMemory, ForgetsAnyPart) {
  const auto left = [](AddressRange forgotten) {
    FileMemory memory(counting(0x1000),
                      {{{{100}, 100}, Kind::data, 0}, {{{200}, 100}, Kind::data, 300}});
    memory.forget(forgotten);
    std::uint64_t count = 0;
    for (std::uint64_t at = 90; at < 310; ++at) {
      std::byte byte{};
      const Result<std::size_t> read = memory.read({at}, {&byte, 1});
      if (!read) continue;
      EXPECT_FALSE(forgotten.size < 2000 && forgotten.contains({at}));
      EXPECT_EQ(byte, static_cast<std::byte>(at < 200 ? at - 100 : at - 200 + 300));
      ++count;
    }
    return count;
  };
  EXPECT_EQ(left({{0}, 0}), 200u);
  EXPECT_EQ(left({{0}, 50}), 200u);
  EXPECT_EQ(left({{150}, 10}), 190u);
  EXPECT_EQ(left({{190}, 20}), 180u);
  EXPECT_EQ(left({{50}, 100}), 150u);
  EXPECT_EQ(left({{0}, 1000}), 0u);
  EXPECT_EQ(left({{150}, ~0ull}), 200u);  // wraps: not understood
}

TEST(FileMemory, ASourceThatFailsIsNotUnmapped) {
  const FileMemory memory(counting(10), {{{{100}, 50}, Kind::data, 0}});
  std::vector<std::byte> bytes(50);
  EXPECT_EQ(memory.read({100}, bytes).error().code, Errc::malformed);
}

}  // namespace
}  // namespace doppel::test
