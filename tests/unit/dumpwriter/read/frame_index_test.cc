// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <random>

#include <dumpwriter/read/frame_index.h>
#include <tests/unit/dumpwriter/read/bytes_source.h>
#include <tests/unit/dumpwriter/read/frames.h>

namespace doppel::test {
namespace {

Bytes plain(std::size_t size, unsigned seed = 1) {
  std::mt19937 random(seed);
  Bytes bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random() % 23);
  return bytes;
}

std::uint32_t size32(const Bytes& bytes) {
  return static_cast<std::uint32_t>(bytes.size());
}

TEST(FrameIndex, AWalkFindsWhatTheTableSays) {
  // Sizes for each width of the content-size field, noise for raw blocks, one value for run-length
  // blocks, frames with and without checksum, more than one block.
  std::vector<Bytes> contents = {
      plain(1),     plain(200),       plain(255),    plain(256),
      plain(70000), plain(300000, 2), Bytes(500000), Bytes(100, std::byte{9})};
  Bytes noise(150000);
  std::mt19937 random(3);
  for (std::byte& byte : noise) byte = static_cast<std::byte>(random());
  contents.push_back(noise);
  Bytes file;
  std::vector<Row> rows;
  std::uint64_t total = 0;
  bool checksum = false;
  for (const Bytes& each : contents) {
    const Bytes frame = frame_of(each, {.checksum = checksum = !checksum});
    rows.push_back({size32(frame), size32(each)});
    append(file, frame);
    total += each.size();
  }
  const Bytes note = skippable(kReportMagic, text("hello"));
  rows.push_back({size32(note), 0});
  append(file, note);

  const Result<FrameIndex> walked = index_frames(BytesSource(file));
  ASSERT_TRUE(walked);
  EXPECT_FALSE(walked->from_table);
  EXPECT_FALSE(walked->cut);
  for (const bool checksums : {false, true}) {
    Bytes with_table = file;
    append(with_table, table_of(rows, checksums));
    const Result<FrameIndex> table = index_frames(BytesSource(with_table));
    ASSERT_TRUE(table);
    EXPECT_TRUE(table->from_table);
    for (const FrameIndex* index : {&*walked, &*table}) {
      EXPECT_EQ(index->plain_size, total);
      ASSERT_EQ(index->frames.size(), contents.size());
      std::uint64_t offset = 0;
      for (std::size_t i = 0; i < contents.size(); ++i) {
        EXPECT_EQ(index->frames[i].offset, offset);
        EXPECT_EQ(index->frames[i].size, rows[i].size);
        EXPECT_EQ(index->frames[i].plain_size, rows[i].plain_size);
        offset += rows[i].size;
      }
      ASSERT_EQ(index->attachments.size(), 1u);
      EXPECT_EQ(index->attachments[0].magic, kReportMagic);
      EXPECT_EQ(index->attachments[0].offset, offset + 8);
      EXPECT_EQ(index->attachments[0].size, 5u);
    }
  }
}

TEST(FrameIndex, AWalkAgreesWithZstdAtEveryCut) {
  const Bytes first = frame_of(plain(3000));
  const Bytes second = frame_of(plain(2000, 2));
  Bytes file = first;
  append(file, second);
  for (std::size_t size = 0; size < file.size(); ++size) {
    const Result<FrameIndex> index = index_frames(
        BytesSource(Bytes(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size))));
    if (size != 0 && size < first.size()) {
      ASSERT_FALSE(index) << size;
      EXPECT_EQ(index.error().code, Errc::malformed);
      continue;
    }
    ASSERT_TRUE(index) << size;
    EXPECT_EQ(index->frames.size(), size == 0 ? 0u : 1u);
    EXPECT_EQ(index->cut, size > first.size());
  }
}

TEST(FrameIndex, ATableThatDoesNotFitIsNotBelieved) {
  const Bytes frame = frame_of(plain(3000));
  const std::vector<std::vector<Row>> wrong = {{{size32(frame) + 1, 3000}},
                                               {{size32(frame) - 1, 3000}},
                                               {{size32(frame), 3000}, {1, 1}},
                                               {{0xffffffff, 3000}},
                                               {}};
  for (const std::vector<Row>& rows : wrong) {
    Bytes file = frame;
    append(file, table_of(rows));
    const Result<FrameIndex> index = index_frames(BytesSource(file));
    ASSERT_TRUE(index);
    EXPECT_FALSE(index->from_table);
    ASSERT_EQ(index->frames.size(), 1u);
    EXPECT_EQ(index->frames[0].plain_size, 3000u);
  }
}

TEST(FrameIndex, ACountBeyondTheFileIsNotBelieved) {
  Bytes file = frame_of(plain(3000));
  append(file, table_of({{size32(file), 3000}}));
  for (const std::uint32_t count : {2u, 1000u, 0x8000000u, 0xffffffffu}) {
    Bytes changed = file;
    Bytes number;
    append32(number, count);
    std::copy(number.begin(), number.end(), changed.end() - 9);
    const Result<FrameIndex> index = index_frames(BytesSource(changed));
    ASSERT_TRUE(index);
    EXPECT_FALSE(index->from_table);
  }
}

TEST(FrameIndex, FramesThatCannotBeReadAtRandomAreNamed) {
  const Result<FrameIndex> unknown =
      index_frames(BytesSource(frame_of(plain(3000), {.content_size = false})));
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Errc::unsupported);
  const Result<FrameIndex> large = index_frames(BytesSource(frame_of(Bytes(kMaxRandomFrame + 1))));
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().code, Errc::unsupported);
}

TEST(FrameIndex, WhatIsNoZstdIsToldApart) {
  EXPECT_TRUE(looks_like_zstd(BytesSource(frame_of(plain(10)))));
  EXPECT_TRUE(looks_like_zstd(BytesSource(skippable(0x184D2A50, {}))));
  EXPECT_FALSE(
      looks_like_zstd(BytesSource(text("\x7f"
                                       "ELF and more"))));
  EXPECT_FALSE(looks_like_zstd(BytesSource(text("abc"))));
  EXPECT_FALSE(looks_like_zstd(BytesSource({})));
}

}  // namespace
}  // namespace doppel::test
