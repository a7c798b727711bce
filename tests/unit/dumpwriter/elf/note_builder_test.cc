// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <dumpwriter/elf/note_builder.h>
#include <tests/support/core_view.h>

namespace doppel {
namespace {

std::vector<std::byte> bytes(std::string_view text) {
  const auto view = std::as_bytes(std::span(text));
  return {view.begin(), view.end()};
}

TEST(NoteBuilder, PadsNameAndDescriptorToFour) {
  NoteBuilder builder;
  ASSERT_TRUE(builder.add("CORE", 1, bytes("abcde")));
  const std::vector<std::byte> out = std::move(builder).take();
  // 12 header, "CORE\0" to 8, 5 bytes to 8.
  ASSERT_EQ(out.size(), 12u + 8u + 8u);
  EXPECT_EQ(read_at<std::uint32_t>(out, 0), 5u);
  EXPECT_EQ(read_at<std::uint32_t>(out, 4), 5u);
  EXPECT_EQ(read_at<std::uint32_t>(out, 8), 1u);
  EXPECT_EQ(out[19], std::byte{0});
  EXPECT_EQ(out[25], std::byte{0});
}

TEST(NoteBuilder, OneAfterTheOther) {
  NoteBuilder builder;
  ASSERT_TRUE(builder.add("CORE", 7, bytes("x")));
  ASSERT_TRUE(builder.add("DOPPEL", 9, {}));
  ASSERT_TRUE(builder.add("LINUX", 0x202, bytes("12345678")));
  const std::vector<std::byte> out = std::move(builder).take();
  const std::vector<NoteView> notes = parse_notes(out);
  ASSERT_EQ(notes.size(), 3u);
  EXPECT_EQ(notes[0].text(), "x");
  EXPECT_EQ(notes[1].owner, "DOPPEL");
  EXPECT_TRUE(notes[1].descriptor.empty());
  EXPECT_EQ(notes[2].type, 0x202u);
  EXPECT_EQ(notes[2].text(), "12345678");
}

TEST(NoteBuilder, RefusesWhatItsSizeFieldCannotHold) {
  NoteBuilder builder;
  // The span is never read: its size alone is refused.
  const std::byte one{};
  const Result<> result = builder.add("CORE", 1, std::span(&one, std::size_t{1} << 32));
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Errc::limit);
  EXPECT_TRUE(std::move(builder).take().empty());
}

}  // namespace
}  // namespace doppel
