// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include <dumpwriter/read/core_notes.h>

namespace doppel {
namespace {

using Bytes = std::vector<std::byte>;

Bytes words(std::initializer_list<std::uint64_t> values, const char* tail = "",
            std::size_t tail_size = 0) {
  Bytes bytes(values.size() * 8 + tail_size);
  std::memcpy(bytes.data(), values.begin(), values.size() * 8);
  std::memcpy(bytes.data() + values.size() * 8, tail, tail_size);
  return bytes;
}

constexpr std::uint32_t kFile = 0x46494c45;

TEST(CoreNotes, NotesOfTheWrongSizeAreLeftAside) {
  CoreNotes notes;
  for (const std::size_t size : {0u, 1u, 335u, 337u}) notes.take("CORE", 1, Bytes(size));
  for (const std::size_t size : {0u, 135u, 137u}) notes.take("CORE", 3, Bytes(size));
  notes.take("LINUX", 0x204, Bytes(7));
  notes.take("CORE", 2, Bytes(512));  // registers of no thread
  notes.take("NOBODY", 1, Bytes(336));
  EXPECT_TRUE(notes.threads.empty());
  EXPECT_EQ(notes.process, ProcessInfo{});
}

TEST(CoreNotes, RegisterSetsBelongToTheThreadBefore) {
  CoreNotes notes;
  Bytes status(336);
  const std::int32_t id = 77;
  std::memcpy(status.data() + 32, &id, sizeof id);
  const std::uint64_t rip = 0x401000;
  std::memcpy(status.data() + 112 + 16 * 8, &rip, sizeof rip);
  notes.take("CORE", 1, status);
  notes.take("CORE", 2, Bytes(512, std::byte{1}));
  notes.take("CORE", 1, status);
  notes.take("LINUX", 0x202, Bytes(832, std::byte{2}));
  notes.take("LINUX", 0x204, words({0x7000}));
  ASSERT_EQ(notes.threads.size(), 2u);
  EXPECT_EQ(notes.threads[0].id, 77);
  EXPECT_EQ(notes.threads[0].registers.general.rip, rip);
  EXPECT_EQ(notes.threads[0].registers.fxsave.size(), 512u);
  EXPECT_TRUE(notes.threads[0].registers.xsave.empty());
  EXPECT_EQ(notes.threads[1].registers.xsave.size(), 832u);
  EXPECT_EQ(notes.threads[1].registers.shadow_stack_pointer, 0x7000u);
}

TEST(CoreNotes, AFileTableOfAnySize) {
  CoreNotes notes;
  notes.take("CORE", kFile, words({2, 4096, 0x1000, 0x3000, 5, 0x4000, 0x5000, 0}, "a\0bc", 5));
  ASSERT_EQ(notes.files.size(), 2u);
  EXPECT_EQ(notes.files[0].range, (AddressRange{{0x1000}, 0x2000}));
  EXPECT_EQ(notes.files[0].file_offset, 5u * 4096);
  EXPECT_EQ(notes.files[0].path, "a");
  EXPECT_EQ(notes.files[1].path, "bc");
}

TEST(CoreNotes, AHostileFileTableIsReadAsFarAsItGoes) {
  const Bytes tables[] = {{},
                          Bytes(15),
                          words({~0ull, 4096}),
                          words({1ull << 61, 4096}),
                          words({1, 4096, 0x2000, 0x1000, 0}, "x", 2),  // ends before it begins
                          words({1, 4096, 0x1000, 0x2000, 0}, "no end", 6)};
  for (const Bytes& table : tables) {
    CoreNotes notes;
    notes.take("CORE", kFile, table);
    EXPECT_TRUE(notes.files.empty());
  }
}

}  // namespace
}  // namespace doppel
