// SPDX-License-Identifier: Apache-2.0
//
// Any bytes give an answer or a clear error: no crash, no hang, no unbounded memory. The sanitizer
// builds run this too.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstring>
#include <random>

#include <dumpwriter/read/elf_core_reader.h>
#include <dumpwriter/read/open_dump.h>
#include <tests/unit/dumpwriter/read/bytes_source.h>
#include <tests/unit/dumpwriter/read/sample_dump.h>

namespace doppel::test {
namespace {

/// Opens, then looks at all there is.
bool exercise(const std::string& path) {
  const Result<Snapshot> snapshot = open_dump(path);
  if (!snapshot) {
    EXPECT_NE(snapshot.error().code, Errc::os) << snapshot.error().step;
    return false;
  }
  std::vector<std::byte> bytes(0x3000);
  for (const Region& region : snapshot->image.regions) {
    (void)snapshot->memory->survey(region.range);
    (void)snapshot->memory->read(region.range.begin, bytes);
    (void)snapshot->memory->read({region.range.end() - 5}, bytes);
  }
  (void)snapshot->memory->survey({{0}, ~0ull});
  (void)snapshot->memory->read({~0ull}, bytes);
  return true;
}

class HostileDumpOf : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Formats, HostileDumpOf, testing::Values("elf", "minidump"),
                         [](const auto& each) { return std::string(each.param); });

TEST_P(HostileDumpOf, BitsFlippedAnywhere) {
  Sample sample;
  sample.format = GetParam();
  const TempDir dir;
  for (const bool compress : {false, true}) {
    const Result<std::vector<std::byte>> file =
        sample.written({.compress = compress, .block_bytes = 64 << 10});
    ASSERT_TRUE(file);
    std::mt19937_64 random(compress ? 1 : 2);
    unsigned opened = 0;
    for (int round = 0; round < 300; ++round) {
      std::vector<std::byte> bytes = *file;
      // Half of the rounds in the first 8 KiB, where the headers and notes are.
      const std::size_t limit =
          round % 2 == 0 ? std::min<std::size_t>(8192, bytes.size()) : bytes.size();
      for (int i = 0; i < 1 + round % 5; ++i) {
        bytes[random() % limit] = static_cast<std::byte>(random());
      }
      if (round % 3 == 0) bytes.resize(random() % bytes.size());
      opened += exercise(put_file(dir, bytes)) ? 1 : 0;
    }
    EXPECT_GT(opened, 30u);
  }
}

TEST(HostileDump, HeadersThatPointAnywhere) {
  const Sample sample;
  const TempDir dir;
  const Result<std::vector<std::byte>> file = sample.written({.compress = false});
  ASSERT_TRUE(file);
  const std::uint64_t values[] = {0,        1,          7,           0xffff,           0x7fffffff,
                                  1u << 31, ~0ull >> 1, ~0ull - 100, file->size() - 1, ~0ull};
  // Every 8-byte field of the ELF header and of the first program headers, and the counts.
  for (std::size_t at = 16; at + 8 <= 64 + 3 * 56; at += 2) {
    for (const std::uint64_t value : values) {
      for (const std::size_t size : {2u, 4u, 8u}) {
        std::vector<std::byte> bytes = *file;
        std::memcpy(bytes.data() + at, &value, size);
        const auto source = std::make_shared<BytesSource>(std::move(bytes));
        const Result<Snapshot> snapshot = read_elf_core(source);
        if (!snapshot) continue;
        for (const Region& region : snapshot->image.regions) {
          (void)snapshot->memory->survey(region.range);
        }
      }
    }
  }
}

TEST(HostileDump, NoiseAndTextsAndNothing) {
  const TempDir dir;
  std::mt19937_64 random(3);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::byte> bytes(random() % 5000);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
    if (round % 2 == 0 && bytes.size() > 4) std::memcpy(bytes.data(), "\x28\xb5\x2f\xfd", 4);
    if (round % 4 == 1 && bytes.size() > 18) {
      std::memcpy(bytes.data(),
                  "\x7f"
                  "ELF\2\1\1\0\0\0\0\0\0\0\0\0\4\0",
                  18);
    }
    (void)exercise(put_file(dir, bytes));
  }
  const Result<Snapshot> empty = open_dump(put_file(dir, {}));
  ASSERT_FALSE(empty);
  EXPECT_EQ(empty.error().code, Errc::malformed);
}

TEST(HostileDump, ASmallFileThatSaysItIsLargeCostsNoMemory) {
  // An ELF header that claims 16 million program headers and gigabytes of notes.
  std::vector<std::byte> bytes(4096);
  std::memcpy(bytes.data(),
              "\x7f"
              "ELF\2\1\1\0\0\0\0\0\0\0\0\0\4\0\x3e\0\1\0\0\0",
              24);
  const std::uint64_t table = 64;
  const std::uint16_t entry = 56;
  const std::uint16_t extended = 0xffff;
  const std::uint32_t count = 16 << 20;
  std::memcpy(bytes.data() + 32, &table, 8);
  std::memcpy(bytes.data() + 40, &table, 8);
  std::memcpy(bytes.data() + 54, &entry, 2);
  std::memcpy(bytes.data() + 56, &extended, 2);
  std::memcpy(bytes.data() + 64 + 44, &count, 4);
  rusage before{};
  ::getrusage(RUSAGE_SELF, &before);
  const Result<Snapshot> snapshot = read_elf_core(std::make_shared<BytesSource>(bytes));
  ASSERT_FALSE(snapshot);
  EXPECT_EQ(snapshot.error().code, Errc::malformed);
  rusage after{};
  ::getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 64 << 10);
}

TEST(HostileDump, WrongKindsAreNamed) {
  const TempDir dir;
  EXPECT_EQ(open_dump(dir.file("missing")).error().code, Errc::os);
  EXPECT_EQ(open_dump(dir.path().string()).error().code, Errc::os);
  EXPECT_EQ(open_dump("/dev/null").error().code, Errc::unsupported);
  // A program is an ELF file, but no core; another machine's core is none that we read.
  EXPECT_EQ(open_dump("/proc/self/exe").error().code, Errc::malformed);
  const Sample sample;
  Result<std::vector<std::byte>> file = sample.written({.compress = false});
  ASSERT_TRUE(file);
  (*file)[18] = std::byte{183};  // EM_AARCH64
  EXPECT_EQ(open_dump(put_file(dir, *file)).error().code, Errc::unsupported);
}

}  // namespace
}  // namespace doppel::test
